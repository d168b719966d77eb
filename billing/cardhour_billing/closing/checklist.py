"""The checklist of a close: what blocks, what a person should look at, and what was checked and is fine.

Owns the checks, their severity, and what each says to do. Does not own what they look at (``close``, ``ledger``) nor
printing. Everything that could make a bill wrong, and that can be known before it is sent, has a line here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Literal

from msgspec import Struct

from cardhour_billing.catalog.current import current_prices
from cardhour_billing.closing.zone_close import ClosedInvoice
from cardhour_billing.figures import grouped
from cardhour_billing.frozen.document import InvoiceDocument
from cardhour_billing.models import Customer, Invoice, TaxRule
from cardhour_billing.money import Money, card_hours, parse_amount, round_half_away
from cardhour_billing.month import BillingPeriod
from cardhour_billing.rating.binding import Bindings
from cardhour_billing.rating.price import Prices
from cardhour_billing.rating.rate import Unassigned, rate
from cardhour_billing.usage.ledger import Coverage
from cardhour_contract.moment import HOUR_MS, ceil_to, floor_to, format_rfc3339
from cardhour_ingest.warehouse.usage import BillableUsage

Severity = Literal["blocking", "warning", "fine"]
SEVERITIES: tuple[Severity, ...] = ("blocking", "warning", "fine")

NAMES_SHOWN = 5
"""Customers named in one line: the rest are counted."""

ADVICE = (
    ("have no price", "add its [[price]] to the catalog, apply it, and close again"),
    ("no tax rule", "add a [[tax]] rule to the catalog, apply it, and close again"),
    ("reverse charge", "add the tax_id to the catalog, apply it, and close again"),
)
"""What to do about findings that do not say it themselves, by a word of theirs."""


class Check(Struct, frozen=True, kw_only=True):
    """One line of the checklist. ``do`` is empty where nothing is to be done."""

    severity: Severity
    check: str
    what: str
    do: str = ""
    customer: str = ""
    """Id of the customer that it is about, where it is about one."""
    worth: str = ""
    """What it is worth, such as ``4,853.50 CNY``; empty where nobody can say."""
    card_hours: str = ""
    """How much time it is about."""


class Closed(Struct, frozen=True, kw_only=True):
    """What a close knows when it has ended."""

    period: BillingPeriod
    currency: str
    """What usage that is nobody's is valued in."""
    invoices: Sequence[ClosedInvoice]
    warnings: Sequence[str]
    unassigned: Sequence[Unassigned]
    coverage: Coverage | None
    notable_percent: int


def checklist(closed: Closed) -> tuple[Check, ...]:
    """Every check, blocking ones first."""
    found = [*_customers(closed), *_ledger(closed), *_usage(closed), *_changes(closed), *_parties(closed)]
    return tuple(sorted(found, key=lambda each: SEVERITIES.index(each.severity)))


def _customers(closed: Closed) -> Iterator[Check]:
    for each in closed.invoices:
        for finding in each.findings:
            advice = next((do for word, do in ADVICE if word in finding), "")
            yield Check(
                severity="blocking",
                check="customer",
                what=f"{each.customer}: {finding}",
                do=advice,
                customer=each.customer,
            )
        for warning in each.warnings:
            yield Check(
                severity="warning", check="customer", what=f"{each.customer}: {warning}", customer=each.customer
            )
    if not any(each.findings for each in closed.invoices):
        yield Check(severity="fine", check="customer", what="all usage and charges have their price and their tax")
    for warning in closed.warnings:
        yield Check(severity="warning", check="month", what=warning, do="close again when it is settled")


def _ledger(closed: Closed) -> Iterator[Check]:
    seen = closed.coverage
    if seen is None:
        return
    span = _span(closed.period)
    if seen.breached_pages:
        what = f"{seen.breached_pages:,} pages do not add up, so nothing of this month can be issued"
        yield Check(severity="blocking", check="ledger", what=what, do=f"cardhour ledger rebuild {span}")
    else:
        yield Check(severity="fine", check="ledger", what=f"the pages of {seen.cards:,} cards add up")
    if seen.unobserved_us:
        what = f"{_hours(seen.unobserved_us)} card-hours were not observed, and are billed to nobody"
        do = f"cardhour balance {span} names the longest"
        yield Check(severity="warning", check="unobserved", what=what, do=do, card_hours=_hours(seen.unobserved_us))
    if seen.conflict_cards:
        what = (
            f"{seen.conflict_cards:,} cards were claimed by nodes where they are not at home: "
            f"{_hours(seen.conflict_us)} card-hours that do not count"
        )
        do = f"cardhour ledger conflicts {span}, then cardhour card move"
        hours = _hours(seen.conflict_us)
        yield Check(severity="warning", check="card conflicts", what=what, do=do, card_hours=hours)
    if seen.dead_letters:
        yield _letters(closed, seen)
    else:
        yield Check(severity="fine", check="dead letters", what="no message waits to be read")


def _letters(closed: Closed, seen: Coverage) -> Check:
    value, unpriced = _list_value(closed, seen.unread_us)
    parts = [f"{seen.dead_letters:,} messages could not be read"]
    if seen.unread_us:
        parts.append(f"they speak of up to {_hours(sum(seen.unread_us.values()))} card-hours of this month")
        parts.append(f"{_text(value)} at list price" if value else "without a list price")
        if value and unpriced:
            parts.append("some of it without a list price")
    if seen.unreadable:
        parts.append(f"{seen.unreadable:,} say nothing that can be valued")
    do = "cardhour dead-letters list; mend the cause, then cardhour dead-letters replay"
    return Check(
        severity="warning",
        check="dead letters",
        what="; ".join(parts),
        do=do,
        worth=_text(value) if value else "",
        card_hours=_hours(sum(seen.unread_us.values())) if seen.unread_us else "",
    )


def _usage(closed: Closed) -> Iterator[Check]:
    if closed.coverage is None:
        return
    if not closed.unassigned:
        yield Check(severity="fine", check="unassigned", what="all usage has its customer")
        return
    whole = sum(each.quantity_us for each in closed.unassigned)
    values = [each.list_value for each in closed.unassigned if each.list_value]
    owners = len({each.owner for each in closed.unassigned})
    parts = [f"{_hours(whole)} card-hours have no customer (owners: {owners:,})"]
    if values:
        parts.append(f"{_text(sum(values[1:], values[0]))} at list price")
    if len(values) < len(closed.unassigned):
        parts.append("some of it without a list price")
    yield Check(
        severity="warning",
        check="unassigned",
        what="; ".join(parts),
        do="add a [[binding]] for each owner below, or leave what is your own",
        worth=_text(sum(values[1:], values[0])) if values else "",
        card_hours=_hours(whole),
    )


def _changes(closed: Closed) -> Iterator[Check]:
    earlier = Invoice.objects.filter(period=str(closed.period.month.minus(1)), kind="invoice")
    before: dict[tuple[str, str], int] = {}
    for customer, currency, net in earlier.values_list("customer__key", "currency", "net"):
        before[customer, currency] = before.get((customer, currency), 0) + net
    notable = [found for each in closed.invoices if (found := _change(each, before, closed.notable_percent))]
    yield from notable
    if before and not notable:
        what = f"no customer's bill is {closed.notable_percent} % above or below the month before"
        yield Check(severity="fine", check="change", what=what)


def _change(each: ClosedInvoice, before: Mapping[tuple[str, str], int], percent: int) -> Check | None:
    document: InvoiceDocument = each.document
    then = before.get((each.customer, document.currency), 0)
    now = parse_amount(document.net, document.currency).amount
    if document.state != "draft" or then <= 0 or abs(now - then) * 100 < percent * then:
        return None
    share = round_half_away(Fraction(100 * (now - then), then))
    was = Money(amount=then, currency=document.currency)
    return Check(
        severity="warning",
        check="change",
        what=f"{each.customer}: {share:+,} %, {_text(was)} last month, {grouped(document.net)} now",
        do="look at its lines before it is issued",
        customer=each.customer,
        worth=_text(Money(amount=now - then, currency=document.currency)),
    )


def _parties(closed: Closed) -> Iterator[Check]:
    keys = {each.customer for each in closed.invoices}
    billed = [each for each in Customer.objects.all() if each.key in keys]
    if TaxRule.objects.exists():
        yield from _lacking(
            [each.key for each in billed if not each.tax_id],
            "tax data",
            "without tax_id",
            "add it to [[customer]], unless they have none",
        )
    yield from _lacking(
        [each.key for each in billed if not each.email],
        "e-mail",
        "cardhour send cannot reach, for want of email",
        "add it to [[customer]]",
    )


def _lacking(keys: Sequence[str], check: str, what: str, do: str) -> Iterator[Check]:
    if not keys:
        yield Check(severity="fine", check=check, what="given for every customer that is billed")
        return
    names, rest = ", ".join(sorted(keys)[:NAMES_SHOWN]), len(keys) - NAMES_SHOWN
    whose = f"{names} and {rest:,} more" if rest > 0 else names
    yield Check(severity="warning", check=check, what=f"{what}: {whose}", do=do)


def _list_value(closed: Closed, held_us: Mapping[str, int]) -> tuple[Money | None, bool]:
    """What usage of a month is worth at list price, and whether some of it has none."""
    usage = [
        BillableUsage(
            owner="", cluster="", node="", card="", model=model, segment_start_ms=closed.period.start_ms, held_us=us,
            billable_us=us,
        )
        for model, us in held_us.items()
    ]  # fmt: skip
    rated = rate(
        usage,
        period=closed.period,
        bindings=Bindings(()),
        prices=Prices(current_prices()),
        terms={},
        list_currency=closed.currency,
    )
    values = [each.list_value for each in rated.unassigned if each.list_value]
    return (sum(values[1:], values[0]) if values else None), len(values) < len(rated.unassigned)


def _span(period: BillingPeriod) -> str:
    """The month as options, in whole hours."""
    from_, to = floor_to(period.start_ms, HOUR_MS), ceil_to(period.end_ms, HOUR_MS)
    return f"--from {format_rfc3339(from_)} --to {format_rfc3339(to)}"


def _hours(quantity_us: int) -> str:
    return grouped(card_hours(quantity_us, decimals=2))


def _text(money: Money) -> str:
    return f"{grouped(str(money))} {money.currency}"
