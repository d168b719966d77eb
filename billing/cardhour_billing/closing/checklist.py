"""The checklist of a close: what blocks, what a person should look at, and what was checked and is fine.

Owns the checks, their severity, and what each says to do. Does not own what they look at (``close``, ``ledger``) nor
printing. Everything that could make a bill wrong, and that can be known before it is sent, has a line here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Literal

from msgspec import Struct, structs

from cardhour_billing.charges.finding import Finding, hours_said, joined, noted
from cardhour_billing.closing.list_value import list_value
from cardhour_billing.closing.unassigned import OwnerUse, by_owner
from cardhour_billing.closing.zone_close import ClosedInvoice
from cardhour_billing.figures import grouped
from cardhour_billing.frozen.document import InvoiceDocument
from cardhour_billing.models import Customer, Invoice, TaxRule
from cardhour_billing.money import Money, parse_amount, round_half_away
from cardhour_billing.month import BillingPeriod
from cardhour_billing.rating.rate import Unassigned
from cardhour_billing.usage.ledger import Coverage
from cardhour_contract.moment import HOUR_MS, ceil_to, floor_to, format_rfc3339

Severity = Literal["blocking", "warning", "fine"]
SEVERITIES: tuple[Severity, ...] = ("blocking", "warning", "fine")

NAMES_SHOWN = 5
"""Customers named in one line: the rest are counted."""

MENDS = {
    "no_price": "do_price", "no_price_from": "do_price", "no_tax": "do_tax", "no_tax_from": "do_tax",
    "no_tax_line": "do_tax", "no_tax_commitment": "do_tax", "no_tax_id_customer": "do_tax_id",
    "no_tax_id_issuer": "do_tax_id",
}  # fmt: skip
"""What to do about findings that do not say it themselves."""


def mend_of(finding: Finding) -> Finding | None:
    """What to do about what holds a draft back, where it does not say so itself."""
    return noted(MENDS[finding.kind]) if finding.kind in MENDS else None


class Check(Struct, frozen=True, kw_only=True):
    """One line of the checklist: parts of one sentence, and what is to be done, if anything."""

    severity: Severity
    check: str
    said: tuple[Finding, ...]
    mend: Finding | None = None
    customer: str = ""
    """Id of the customer that it is about, where it is about one."""
    worth: str = ""
    """What it is worth, such as ``4,853.50 CNY``; empty where nobody can say."""
    card_hours: str = ""
    """How much time it is about."""
    owners: tuple[OwnerUse, ...] = ()
    """Of usage that is nobody's: whose it is, most of it first."""

    @property
    def what(self) -> str:
        """What was found, in English."""
        return joined(self.said)

    @property
    def do(self) -> str:
        return str(self.mend) if self.mend else ""


class Closed(Struct, frozen=True, kw_only=True):
    """What a close knows when it has ended."""

    period: BillingPeriod
    currency: str
    """What usage that is nobody's is valued in."""
    invoices: Sequence[ClosedInvoice]
    warnings: Sequence[Finding]
    unassigned: Sequence[Unassigned]
    coverage: Coverage | None
    notable_percent: int


def checklist(closed: Closed) -> tuple[Check, ...]:
    """Every check, blocking ones first."""
    found = [*_customers(closed), *_ledger(closed), *_changes(closed), *_parties(closed)]
    return tuple(sorted(found, key=lambda each: SEVERITIES.index(each.severity)))


def _check(
    severity: Severity, check: str, *said: Finding, mend: Finding | None = None, customer: str = "", worth: str = "",
    card_hours: str = "",
) -> Check:  # fmt: skip
    return Check(
        severity=severity, check=check, said=said, mend=mend, customer=customer, worth=worth, card_hours=card_hours
    )


def _customers(closed: Closed) -> Iterator[Check]:
    for each in closed.invoices:
        for finding in each.findings:
            said = finding.of(each.customer)
            yield _check("blocking", "customer", said, mend=mend_of(finding), customer=each.customer)
        for warning in each.warnings:
            yield _check("warning", "customer", warning.of(each.customer), customer=each.customer)
    if not any(each.findings for each in closed.invoices):
        yield _check("fine", "customer", noted("all_priced"))
    for warning in closed.warnings:
        yield _check("warning", "month", warning, mend=noted("do_wait"))


def _ledger(closed: Closed) -> Iterator[Check]:
    seen = closed.coverage
    if seen is None:
        return
    span = _span(closed.period)
    if seen.breached_pages:
        what = noted("breached", pages=f"{seen.breached_pages:,}")
        yield _check("blocking", "ledger", what, mend=noted("do_rebuild", span=span))
    else:
        yield _check("fine", "ledger", noted("ledger_fine", cards=f"{seen.cards:,}"))
    if seen.unobserved_us:
        hours = hours_said(seen.unobserved_us)
        what = noted("unobserved", hours=hours)
        yield _check("warning", "unobserved", what, mend=noted("do_balance", span=span), card_hours=hours)
    if seen.conflict_cards:
        hours = hours_said(seen.conflict_us)
        what = noted("conflicts", cards=f"{seen.conflict_cards:,}", hours=hours)
        yield _check("warning", "card conflicts", what, mend=noted("do_move", span=span), card_hours=hours)
    yield _letters(closed, seen) if seen.dead_letters else _check("fine", "dead letters", noted("none_unread"))
    yield _usage(closed)


def _letters(closed: Closed, seen: Coverage) -> Check:
    value, unpriced = list_value(seen.unread_us, closed.period, closed.currency)
    hours = hours_said(sum(seen.unread_us.values())) if seen.unread_us else ""
    said = [noted("unread", letters=f"{seen.dead_letters:,}")]
    if hours:
        said.append(noted("unread_hours", hours=hours))
        said += _valued(value, bool(unpriced)) if value else [noted("list_value_none")]
    if seen.unreadable:
        said.append(noted("unread_mute", letters=f"{seen.unreadable:,}"))
    worth = _text(value) if value else ""
    return _check("warning", "dead letters", *said, mend=noted("do_replay"), worth=worth, card_hours=hours)


def _valued(value: Money | None, in_part: bool) -> Iterator[Finding]:
    """What it is worth, and whether some of it cannot be valued."""
    if value:
        yield noted("list_value", value=_text(value))
    if in_part:
        yield noted("list_value_part")


def _usage(closed: Closed) -> Check:
    if not closed.unassigned:
        return _check("fine", "unassigned", noted("none_unassigned"))
    values = [each.list_value for each in closed.unassigned if each.list_value]
    value = sum(values[1:], values[0]) if values else None
    hours = hours_said(sum(each.quantity_us for each in closed.unassigned))
    owners = len({each.owner for each in closed.unassigned})
    said = [noted("unassigned", hours=hours, owners=f"{owners:,}")]
    said += _valued(value, len(values) < len(closed.unassigned))
    worth = _text(value) if value else ""
    found = _check("warning", "unassigned", *said, mend=noted("do_bind"), worth=worth, card_hours=hours)
    return structs.replace(found, owners=by_owner(closed.unassigned))


def _changes(closed: Closed) -> Iterator[Check]:
    earlier = Invoice.objects.filter(period=str(closed.period.month.minus(1)), kind="invoice")
    before: dict[tuple[str, str], int] = {}
    for customer, currency, net in earlier.values_list("customer__key", "currency", "net"):
        before[customer, currency] = before.get((customer, currency), 0) + net
    notable = [found for each in closed.invoices if (found := _change(each, before, closed.notable_percent))]
    yield from notable
    if before and not notable:
        yield _check("fine", "change", noted("none_changed", percent=closed.notable_percent))


def _change(each: ClosedInvoice, before: Mapping[tuple[str, str], int], percent: int) -> Check | None:
    document: InvoiceDocument = each.document
    then = before.get((each.customer, document.currency), 0)
    now = parse_amount(document.net, document.currency).amount
    if document.state != "draft" or then <= 0 or abs(now - then) * 100 < percent * then:
        return None
    share = round_half_away(Fraction(100 * (now - then), then))
    was, more = (Money(amount=amount, currency=document.currency) for amount in (then, now - then))
    what = noted("changed", percent=f"{share:+,}", before=_text(was), now=grouped(document.net)).of(each.customer)
    return _check("warning", "change", what, mend=noted("do_look"), customer=each.customer, worth=_text(more))


def _parties(closed: Closed) -> Iterator[Check]:
    keys = {each.customer for each in closed.invoices}
    billed = [each for each in Customer.objects.all() if each.key in keys]
    if TaxRule.objects.exists():
        yield _lacking("tax data", "tax_id", [each.key for each in billed if not each.tax_id])
    yield _lacking("e-mail", "email", [each.key for each in billed if not each.email])


def _lacking(check: str, what: str, keys: Sequence[str]) -> Check:
    if not keys:
        return _check("fine", check, noted("none_lacking"))
    names, rest = ", ".join(sorted(keys)[:NAMES_SHOWN]), len(keys) - NAMES_SHOWN
    kind = f"without_{what}"
    said = noted(f"{kind}_more", customers=names, more=f"{rest:,}") if rest > 0 else noted(kind, customers=names)
    return _check("warning", check, said, mend=noted(f"do_add_{what}"))


def _span(period: BillingPeriod) -> str:
    """The month as options, in whole hours."""
    from_, to = floor_to(period.start_ms, HOUR_MS), ceil_to(period.end_ms, HOUR_MS)
    return f"--from {format_rfc3339(from_)} --to {format_rfc3339(to)}"


def _text(money: Money) -> str:
    return f"{grouped(str(money))} {money.currency}"
