"""The checklist of a month as the page shows it: each finding with its worth and the way to its mend.

Owns titles, worth and links. Does not own the checks (``cardhour_billing.closing.checklist``). What holds a customer
back is read from its draft, which is what the next issuing looks at; the rest from the newest run over the whole
month.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from msgspec import Struct

from cardhour_billing.charges.finding import Finding, read_kept
from cardhour_billing.closing.checklist import Check, mend_of
from cardhour_billing.closing.unassigned import OwnerUse
from cardhour_billing.figures import grouped
from cardhour_billing.models import Invoice
from cardhour_billing.money import Money
from cardhour_billing.portal.closing import blocked_of, invoices_of
from cardhour_billing.portal.sentences import title_of, told, told_all

HELD_MAX = 50
"""Customers whose findings are listed; the others are counted, and stand in the table."""


class Line(Struct, frozen=True, kw_only=True):
    """One line of the checklist."""

    blocking: bool
    title: str
    what: str
    do: str
    worth: str = ""
    worth_note: str = ""
    link: str = ""
    verb: str = ""
    owners: tuple[OwnerUse, ...] = ()
    """Whose usage is to be bound, each with a form that has it filled in."""
    since: str = ""
    """The day from which those forms bind."""


class Findings(Struct, frozen=True, kw_only=True):
    """What the page lists; ``more`` customers are held back too."""

    blocking: tuple[Line, ...]
    warnings: tuple[Line, ...]
    fine: tuple[str, ...]
    more: int


def findings_of(month: str, checks: Sequence[Check], held: int, *, bill: bool) -> Findings:
    """What is found of ``month``, of which ``held`` are held back; ``checks`` are those of its newest whole run.

    bill: whoever asks may mend prices.
    """
    ordered = blocked_of(month).order_by("currency", "customer__name").defer("frozen", "inputs")
    drafts = list(ordered[:HELD_MAX]) if held else []
    customers = {each.customer.key: each.pk for each in drafts}
    own = [_held(draft, each, bill=bill) for draft in drafts for each in read_kept(draft.findings)]
    others = [each for each in checks if each.check != "customer" or each.severity == "warning"]
    shown = {severity: [each for each in others if each.severity == severity] for severity in ("blocking", "warning")}
    warned = {each.customer for each in shown["warning"] if each.customer}
    named = invoices_of(month).filter(customer__key__in=warned) if warned else Invoice.objects.none()
    for key, pk in named.values_list("customer__key", "pk"):
        customers.setdefault(key, pk)
    return Findings(
        blocking=(*own, *(_found(month, each, customers) for each in shown["blocking"])),
        warnings=tuple(_found(month, each, customers) for each in shown["warning"]),
        fine=tuple(_fine(checks)),
        more=held - len(drafts),
    )


def _held(draft: Invoice, finding: Finding, *, bill: bool) -> Line:
    """A finding that holds ``draft`` back."""
    pages = (
        ("no_price", "prices", _("Add price")),
        ("no_tax_id", "customers", _("Complete")),
        ("no_tax", "taxes", _("Add rule")),
        ("lease", "leases", _("Resolve")),
    )
    name, verb = next((each[1:] for each in pages if finding.kind.startswith(each[0])), ("", ""))
    page, mend = (_form(draft, finding) if bill else "") or _page(name), mend_of(finding)
    total = Money(amount=draft.total, currency=draft.currency)
    return Line(
        blocking=True,
        title=title_of(finding),
        what=told(finding.of(draft.customer.name)),
        do=told(mend) if mend else "",
        worth=f"{grouped(str(total))} {draft.currency}",
        worth_note=_("held back"),
        link=page or reverse("invoice", args=[draft.pk]),
        verb=verb if page else _("Open the draft"),
    )


def _form(draft: Invoice, finding: Finding) -> str:
    """Address of the form that mends it, filled in as far as the finding knows."""
    forms = {
        "no_price_from": ("price", ("model", "currency")),
        "no_tax_from": ("tax", ("model",)),
    }
    if finding.kind not in forms:
        return ""
    name, figures = forms[finding.kind]
    known = {each: finding.figures[each] for each in figures} | {"from": f"{draft.period}-01"}
    return f"{reverse('catalog-form', args=[name])}?{urlencode(known)}"


def _found(month: str, check: Check, customers: dict[str, int]) -> Line:
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
    return Line(
        blocking=check.severity == "blocking",
        title=title,
        what=told_all(check.said),
        do=told(check.mend) if check.mend else "",
        worth=check.worth or hours,
        worth_note=hours if check.worth else "",
        link=link,
        verb=verb if link else "",
        owners=check.owners,
        since=f"{month}-01" if check.owners else "",
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
