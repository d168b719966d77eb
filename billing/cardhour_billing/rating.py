"""Rating: usage, bindings and prices in; lines, each rounded once, out.

Owns the line key and what happens to usage that nobody is bound to or that has no price: both are reported with their
quantity, neither is dropped. Plain Python: knows no store, no clock and no Django. Usage arrives as sums that are cut
wherever a binding or a price changes and at each local midnight (``cuts_ms``), so that everything about a sum is
decided by the instant at which its segment begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from msgspec import Struct

from cardhour_billing.binding import Bindings
from cardhour_billing.money import Money, printed_quantity
from cardhour_billing.month import BillingPeriod
from cardhour_billing.price import LIST_BOOK, PriceRow, Prices
from cardhour_billing.rated import LineKey, RatedLine, Share, Unpriced, Untaxed, UsageSum
from cardhour_billing.tax import TaxRule, TaxRules

RATING_VERSION = 1
"""Grows whenever the same inputs would give other figures; frozen into every issued document."""


NO_TAX = TaxRules(())
"""Where the catalog has no tax rule, documents say nothing of tax."""


class Terms(Struct, frozen=True, kw_only=True):
    """What rating must know of a customer."""

    customer: str
    currency: str
    book: str = LIST_BOOK
    contract: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unassigned:
    """Usage that no binding covers, with what it would cost at list price; ``None`` where the list has no price."""

    owner: str
    model: str
    quantity_us: int
    list_value: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """Lines by customer, in order of print, and what could not be billed. Bindings used, by customer, for freezing."""

    lines: dict[str, tuple[RatedLine, ...]]
    bindings: dict[str, frozenset[int]]
    unpriced: tuple[Unpriced, ...]
    untaxed: tuple[Untaxed, ...]
    unassigned: tuple[Unassigned, ...]


@dataclass(slots=True)
class _Sums:
    """A line while it is being summed."""

    quantity_us: int = 0
    days: dict[date, int] = field(default_factory=dict)
    cards: dict[tuple[str, str], int] = field(default_factory=dict)
    claims: list[UsageSum] = field(default_factory=list)
    taxes: dict[int, TaxRule] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Month:
    """The usage of a month while it is being sorted: to a line, to what has no price, or to nobody."""

    period: BillingPeriod
    bindings: Bindings
    prices: Prices
    taxes: TaxRules
    terms: Mapping[str, Terms]
    list_currency: str
    lines: dict[LineKey, _Sums] = field(default_factory=dict)
    used: dict[str, set[int]] = field(default_factory=dict)
    unpriced: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """First instant and quantity, by customer and model."""
    untaxed: dict[tuple[str, str], int] = field(default_factory=dict)
    """First instant, by customer and model."""
    unassigned: dict[tuple[str, str], dict[PriceRow | None, int]] = field(default_factory=dict)
    """Quantity by list price, by owner and model."""

    def add(self, row: UsageSum) -> None:
        at_ms = row.segment_start_ms
        binding = self.bindings.find(row.owner, row.cluster, row.node, row.card, at_ms)
        if binding is None:
            listed = self.prices.find(LIST_BOOK, row.model, self.list_currency, at_ms)
            sums = self.unassigned.setdefault((row.owner, row.model), {})
            sums[listed] = sums.get(listed, 0) + row.billable_us
        elif customer := self.terms.get(binding.customer):
            self._add_bound(customer, binding.id, row)

    def _add_bound(self, customer: Terms, binding: int, row: UsageSum) -> None:
        at_ms = row.segment_start_ms
        price = self.prices.find(customer.book, row.model, customer.currency, at_ms)
        if price is None:
            first_ms, quantity_us = self.unpriced.get((customer.customer, row.model), (at_ms, 0))
            found = min(first_ms, at_ms), quantity_us + row.billable_us
            self.unpriced[customer.customer, row.model] = found
        else:
            self.used.setdefault(customer.customer, set()).add(binding)
            tax = self.taxes.find(customer.customer, row.model, at_ms)
            if tax is None and (self.taxes.rows or price.includes_tax):
                first_ms = self.untaxed.get((customer.customer, row.model), at_ms)
                self.untaxed[customer.customer, row.model] = min(first_ms, at_ms)
            line = self.lines.setdefault(_key(customer, price, tax), _Sums())
            _add(line, row, self.period.day_of(at_ms))
            if tax is not None:
                line.taxes[tax.id] = tax

    def finish(self) -> Rating:
        """Round every line, once."""
        by_customer: dict[str, list[LineKey]] = {customer: [] for customer in self.terms}
        for key in self.lines:
            by_customer[key.customer].append(key)
        by_id = {row.id: row for row in self.prices.rows}
        return Rating(
            lines={customer: _finish(keys, self.lines, by_id) for customer, keys in by_customer.items()},
            bindings={customer: frozenset(self.used.get(customer, ())) for customer in self.terms},
            unpriced=tuple(self._unpriced(*found) for found in sorted(self.unpriced.items())),
            untaxed=tuple(
                Untaxed(customer=customer, model=model, first_at_ms=at_ms)
                for (customer, model), at_ms in sorted(self.untaxed.items())
            ),
            unassigned=tuple(_unassigned(key, sums) for key, sums in sorted(self.unassigned.items())),
        )

    def _unpriced(self, key: tuple[str, str], found: tuple[int, int]) -> Unpriced:
        customer, model = key
        currency = self.terms[customer].currency
        return Unpriced(customer=customer, model=model, currency=currency, first_at_ms=found[0], quantity_us=found[1])


def cuts_ms(period: BillingPeriod, bindings: Bindings, prices: Prices, taxes: TaxRules = NO_TAX) -> tuple[int, ...]:
    """Instants at which usage must be cut: local midnights, and where a binding, a price or a tax begins or ends."""
    ends: list[tuple[int, int | None]] = [(row.from_ms, row.to_ms) for row in bindings.rows]
    ends += [(row.from_ms, row.to_ms) for row in prices.rows]
    ends += [(row.from_ms, row.to_ms) for row in taxes.rows]
    cuts = {*period.day_starts_ms, *(at_ms for pair in ends for at_ms in pair if at_ms is not None)}
    return tuple(sorted(at_ms for at_ms in cuts if period.start_ms <= at_ms < period.end_ms))


def rate(
    usage: Iterable[UsageSum],
    *,
    period: BillingPeriod,
    bindings: Bindings,
    prices: Prices,
    terms: Mapping[str, Terms],
    list_currency: str,
    taxes: TaxRules = NO_TAX,
) -> Rating:
    """Rate the usage of ``period`` for the customers in ``terms``; usage of other customers is theirs, and left out.

    ``usage`` must be cut at ``cuts_ms``. ``list_currency`` is what unassigned usage is valued in.
    """
    month = _Month(
        period=period, bindings=bindings, prices=prices, taxes=taxes, terms=terms, list_currency=list_currency
    )
    for row in usage:
        if row.billable_us:
            month.add(row)
    return month.finish()


def _key(customer: Terms, price: PriceRow, tax: TaxRule | None) -> LineKey:
    return LineKey(customer.customer, customer.contract, price.id, price.model, "", "", tax.key if tax else "")


def _add(line: _Sums, row: UsageSum, day: date) -> None:
    line.quantity_us += row.billable_us
    line.days[day] = line.days.get(day, 0) + row.billable_us
    card = (row.card, row.node)
    line.cards[card] = line.cards.get(card, 0) + row.billable_us
    line.claims.append(row)


def _finish(
    keys: Iterable[LineKey], sums: Mapping[LineKey, _Sums], prices: Mapping[int, PriceRow]
) -> tuple[RatedLine, ...]:
    in_order = sorted(keys, key=lambda key: (key.model, prices[key.price].from_ms, key))
    return tuple(_line(key, sums[key], prices[key.price]) for key in in_order)


def _line(key: LineKey, sums: _Sums, price: PriceRow) -> RatedLine:
    amount = price.unit_price.charge(sums.quantity_us)  # the only rounding of the line
    days, cards = sorted(sums.days), sorted(sums.cards)
    return RatedLine(
        key=key,
        price=price,
        quantity_us=sums.quantity_us,
        printed_quantity=printed_quantity(sums.quantity_us, price.unit_price),
        amount=amount,
        days=dict(zip(days, _shares(amount, [sums.days[day] for day in days]), strict=True)),
        cards=dict(zip(cards, _shares(amount, [sums.cards[card] for card in cards]), strict=True)),
        claims=tuple(sums.claims),
        taxes=tuple(sums.taxes[at] for at in sorted(sums.taxes)),
    )


def _shares(amount: Money, quantities: Sequence[int]) -> list[Share]:
    return [Share(us, part) for us, part in zip(quantities, amount.allocate(quantities), strict=True)]


def _unassigned(key: tuple[str, str], sums: Mapping[PriceRow | None, int]) -> Unassigned:
    owner, model = key
    value: Money | None = None
    if None not in sums:
        parts = [price.unit_price.charge(us) for price, us in sums.items() if price is not None]
        value = sum(parts[1:], parts[0])
    return Unassigned(owner=owner, model=model, quantity_us=sum(sums.values()), list_value=value)
