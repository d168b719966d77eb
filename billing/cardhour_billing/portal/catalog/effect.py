"""What a change of the catalog would do: the rows it would write, and what a month would come to for each customer.

Owns choosing the month and the texts. Does not own planning (``catalog.plan``) nor rating twice (``simulation``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cardhour_billing.catalog.applying import digest_of
from cardhour_billing.catalog.change import Change
from cardhour_billing.catalog.file import parse_catalog
from cardhour_billing.catalog.noun import CatalogFile
from cardhour_billing.catalog.plan import plan
from cardhour_billing.charges.finding import Finding
from cardhour_billing.effects.simulation import Bill, Simulated, difference, simulate
from cardhour_billing.figures import grouped
from cardhour_billing.models import Customer, Invoice
from cardhour_billing.money import Money
from cardhour_billing.month import Month, local_day, month_of
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse

TEXT_BYTES_MAX = 1024 * 1024
"""About eight thousand tables: what is larger is applied with ``cardhour catalog apply``."""
ROWS_MAX = 200
"""Customers named one by one, largest difference first; the sums are of all."""
CHANGES_MAX = 500
MONTHS_BEFORE, MONTHS_AFTER = 3, 2

NAME = Path("catalog")
"""What problems of a text call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """One customer's month. Empty text where there is nothing."""

    customer: str
    name: str
    currency: str
    now: str
    then: str
    difference: str
    more: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A month before and after. ``sums``: currency, before, after, difference, whether it is more."""

    month: str
    rows: tuple[EffectRow, ...]
    unchanged: int
    hidden: int
    sums: tuple[tuple[str, str, str, str, bool], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A text that can be applied, and what it would change."""

    file: CatalogFile
    changes: tuple[Change, ...]
    digest: str


def read(text: str) -> CatalogFile:
    """The catalog that a text says. Raises Refuse where it is no TOML or too long."""
    if len(text.encode()) > TEXT_BYTES_MAX:
        raise Refuse(f"the text has more than {TEXT_BYTES_MAX} bytes: apply it with cardhour catalog apply")
    return parse_catalog(text, NAME)


def planned(text: str) -> Planned:
    """What ``text`` would change. Raises Refuse with every problem and its line."""
    file = read(text)
    changes = plan(file)
    return Planned(file=file, changes=changes, digest=digest_of(changes))


def months(changes: Sequence[Change], timezone: str, now_ms: int) -> tuple[str, list[str]]:
    """The month that tells most, and those to choose from: the running one, unless all changes begin later, or one
    begins in the month before, whose drafts are not issued yet."""
    running = month_of(local_day(now_ms, timezone))
    starts = [each.row.from_ms for each in changes if each.row is not None]
    first = month_of(local_day(min(starts), timezone)) if starts else running
    shown = max(first, running) if len(starts) == len(changes) else running
    if first < running and Invoice.objects.filter(period=str(running.minus(1)), state=Invoice.State.DRAFT).exists():
        shown = running.minus(1)
    offered = {running.minus(each) for each in range(MONTHS_BEFORE + 1)} | {shown}
    later = running
    for _ in range(MONTHS_AFTER):
        later = later.next
        offered.add(later)
    return str(shown), [str(each) for each in sorted(offered)]


def effect(file: CatalogFile, month: Month, *, ledger: Ledger, clock: Clock) -> Effect:
    """What every customer's ``month`` comes to now, and under ``file``. Nothing is written."""
    found = simulate(file, month, ledger=ledger, clock=clock).customers
    names = dict(Customer.objects.values_list("key", "name"))
    changed = [each for each in found if _changed(each)]
    changed.sort(key=lambda each: (-abs(difference(each).amount), each.customer))
    return Effect(
        month=str(month),
        rows=tuple(_row(each, names.get(each.customer, each.customer)) for each in changed[:ROWS_MAX]),
        unchanged=len(found) - len(changed),
        hidden=max(0, len(changed) - ROWS_MAX),
        sums=tuple(_sums(found)),
    )


def _changed(each: Simulated) -> bool:
    return bool(difference(each).amount) or (each.then is not None and each.now is None) or _findings(each) != ()


def _findings(each: Simulated) -> tuple[Finding, ...]:
    """What is wrong afterwards and was not before."""
    before = each.now.findings if each.now else ()
    return tuple(one for one in each.then.findings if one not in before) if each.then else ()


def _row(each: Simulated, name: str) -> EffectRow:
    more = difference(each)
    return EffectRow(
        customer=each.customer,
        name=name,
        currency=more.currency,
        now=_total(each.now),
        then=_total(each.then),
        difference=_signed(more),
        more=more.amount > 0,
        findings=_findings(each),
    )


def _sums(found: Sequence[Simulated]) -> list[tuple[str, str, str, str, bool]]:
    """One for each currency; currencies are never added."""
    by_currency: dict[str, list[Simulated]] = {}
    for each in found:
        by_currency.setdefault(difference(each).currency, []).append(each)
    sums = []
    for currency, group in sorted(by_currency.items()):
        zero = Money(amount=0, currency=currency)
        now = then = zero
        for each in group:
            now += each.now.total if each.now and each.now.total.currency == currency else zero
            then += each.then.total if each.then else zero
        sums.append((currency, grouped(str(now)), grouped(str(then)), _signed(then - now), then.amount > now.amount))
    return sums


def _total(bill: Bill | None) -> str:
    return grouped(str(bill.total)) if bill else ""


def _signed(money: Money) -> str:
    return f"+{grouped(str(money))}" if money.amount > 0 else grouped(str(money))
