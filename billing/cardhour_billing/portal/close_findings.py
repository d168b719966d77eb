"""The checklist of a month as the page shows it: each finding with its worth and the way to its mend.

Owns titles, worth and links. Does not own the checks (``cardhour_billing.closing.checklist``). What holds a customer
back is read from its draft, which is what the next issuing looks at; the rest from the newest run over the whole
month.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.urls import reverse
from django.utils.translation import gettext as _
from msgspec import Struct

from cardhour_billing.closing.checklist import ADVICE, Check
from cardhour_billing.figures import grouped
from cardhour_billing.models import Invoice
from cardhour_billing.money import Money
from cardhour_billing.portal.closing import blocked_of, invoices_of

HELD_MAX = 50
"""Customers whose findings are listed; the others are counted, and stand in the table."""


class Finding(Struct, frozen=True, kw_only=True):
    """One line of the checklist."""

    blocking: bool
    title: str
    what: str
    do: str
    worth: str = ""
    worth_note: str = ""
    link: str = ""
    verb: str = ""


class Findings(Struct, frozen=True, kw_only=True):
    """What the page lists; ``more`` customers are held back too."""

    blocking: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    fine: tuple[str, ...]
    more: int


def findings_of(month: str, checks: Sequence[Check], held: int) -> Findings:
    """What is found of ``month``, of which ``held`` are held back; ``checks`` are those of its newest whole run."""
    ordered = blocked_of(month).order_by("currency", "customer__name").defer("frozen", "inputs")
    drafts = list(ordered[:HELD_MAX]) if held else []
    customers = {each.customer.key: each.pk for each in drafts}
    own = [_held(draft, text) for draft in drafts for text in draft.findings]
    others = [each for each in checks if each.check != "customer" or each.severity == "warning"]
    shown = {severity: [each for each in others if each.severity == severity] for severity in ("blocking", "warning")}
    warned = {each.customer for each in shown["warning"] if each.customer}
    named = invoices_of(month).filter(customer__key__in=warned) if warned else Invoice.objects.none()
    for key, pk in named.values_list("customer__key", "pk"):
        customers.setdefault(key, pk)
    return Findings(
        blocking=(*own, *(_found(each, customers) for each in shown["blocking"])),
        warnings=tuple(_found(each, customers) for each in shown["warning"]),
        fine=tuple(_fine(checks)),
        more=held - len(drafts),
    )


def _held(draft: Invoice, text: str) -> Finding:
    """A finding that holds ``draft`` back."""
    kinds = (
        ("have no price", _("Price gap"), "prices", _("Add price")),
        ("tax", _("Tax data missing"), "customers", _("Complete")),
        ("lease", _("Lease conflict"), "leases", _("Resolve")),
    )
    kind = next((each for each in kinds if each[0] in text), ("", _("Held back"), "", ""))
    page = _page(kind[2])
    total = Money(amount=draft.total, currency=draft.currency)
    return Finding(
        blocking=True,
        title=kind[1],
        what=f"{draft.customer.name}: {text}",
        do=next((do for word, do in ADVICE if word in text), ""),
        worth=f"{grouped(str(total))} {draft.currency}",
        worth_note=_("held back"),
        link=page or reverse("invoice", args=[draft.pk]),
        verb=kind[3] if page else _("Open the draft"),
    )


def _found(check: Check, customers: dict[str, int]) -> Finding:
    """A check as a finding."""
    titles = {
        "customer": (_("Something to know"), "", ""),
        "month": (_("Month not settled"), "", ""),
        "ledger": (_("Ledger does not add up"), "fleet", _("See the ledger")),
        "unobserved": (_("Unobserved hours"), "fleet", _("See hours")),
        "card conflicts": (_("Cards claimed by two nodes"), "nodes", _("See nodes")),
        "dead letters": (_("Dead letters"), "dead-letters", _("Review")),
        "unassigned": (_("Unassigned usage"), "bindings", _("Bind owners")),
        "change": (_("Notable change"), "", ""),
        "tax data": (_("Customers without tax number"), "customers", _("Complete")),
        "e-mail": (_("Customers without e-mail"), "customers", _("Complete")),
    }
    title, page, verb = titles.get(check.check, (check.check, "", ""))
    link = _page(page)
    if not link and check.customer in customers:
        link, verb = reverse("invoice", args=[customers[check.customer]]), _("Open the draft")
    hours = _("%(hours)s card-hours") % {"hours": check.card_hours} if check.card_hours else ""
    return Finding(
        blocking=check.severity == "blocking",
        title=title,
        what=check.what,
        do=check.do,
        worth=check.worth or hours,
        worth_note=hours if check.worth else "",
        link=link,
        verb=verb if link else "",
    )


def _fine(checks: Iterable[Check]) -> Iterable[str]:
    texts = {
        "customer": _("Every price and tax is known"),
        "ledger": _("The ledger adds up"),
        "dead letters": _("No dead letters"),
        "unassigned": _("All usage has its customer"),
        "change": _("No notable change"),
        "tax data": _("Tax numbers are complete"),
        "e-mail": _("Every customer can be mailed"),
    }
    return (texts.get(each.check, each.check) for each in checks if each.severity == "fine")


def _page(name: str) -> str:
    """Address of the page that shows what is to be mended."""
    if not name:
        return ""
    return reverse(name) if name == "fleet" else reverse("records", args=[name])
