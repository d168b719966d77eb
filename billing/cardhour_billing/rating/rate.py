"""Rating: usage, bindings, contracts and prices in; lines, each rounded once, out.

Owns the line key and what happens to usage that nobody is bound to or that has no price: both are reported with their
quantity, neither is dropped. Does not own how sums become rounded lines (``lines``). Plain Python: knows no store, no
clock and no Django. Usage arrives as sums that are cut wherever a binding, a price, a band, a contract or a tax changes
and at each local midnight (``cuts.cuts_ms``), so that everything about a sum is decided by the instant at which its
segment begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

from msgspec import Struct

from cardhour_billing.money import Money, round_half_away
from cardhour_billing.month import BillingPeriod, zone
from cardhour_billing.rating.binding import BindingRow, Bindings
from cardhour_billing.rating.lines import Sums, finished
from cardhour_billing.rating.price import LIST_BOOK, ContractRow, PriceRow, Prices
from cardhour_billing.rating.rate_scheme import band_at
from cardhour_billing.rating.rated import LineKey, RatedLine, Unpriced, Untaxed, UsageSum
from cardhour_billing.rating.tax import TaxRules

RATING_VERSION = 1
"""Grows whenever the same inputs would give other figures; frozen into every issued document."""

NO_TAX = TaxRules(())
"""Where the catalog has no tax rule, documents say nothing of tax."""


class Terms(Struct, frozen=True, kw_only=True):
    """What rating must know of a customer. Without a contract it pays by the list."""

    customer: str
    currency: str
    contracts: tuple[ContractRow, ...] = ()

    def contract_at(self, at_ms: int) -> ContractRow | None:
        """The contract that holds at an instant."""
        return next((each for each in self.contracts if each.holds_at(at_ms)), None)


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


_Listed = dict[tuple[PriceRow, str] | None, int]
"""Card-microseconds by list price and its band; ``None`` where the list has no price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where usage goes. ``billed``: to one of the customers who are billed; with no line, it has no price."""

    billed: bool
    line: Sums | None = None
    day: date = date.min


@dataclass(slots=True, kw_only=True)
class _Month:
    """The usage of a month while it is being sorted: to a line, to what has no price, or to nobody."""

    period: BillingPeriod
    bindings: Bindings
    prices: Prices
    taxes: TaxRules
    terms: Mapping[str, Terms]
    list_currency: str
    local: ZoneInfo
    lines: dict[LineKey, Sums] = field(default_factory=dict)
    places: dict[tuple[int, str, int], _Place] = field(default_factory=dict)
    """By binding, model and segment's start: what decides where usage goes is decided once for each."""
    used: dict[str, set[int]] = field(default_factory=dict)
    unpriced: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """First instant and quantity, by customer and model."""
    untaxed: dict[tuple[str, str], int] = field(default_factory=dict)
    """First instant, by customer and model."""
    unassigned: dict[tuple[str, str], _Listed] = field(default_factory=dict)
    """By owner and model."""

    def add(self, row: UsageSum) -> None:
        at_ms = row.segment_start_ms
        binding = self.bindings.find(row.owner, row.cluster, row.node, row.card, at_ms)
        if binding is None:
            sums = self.unassigned.setdefault((row.owner, row.model), {})
            listed = self._listed(row.model, self.list_currency, at_ms)
            sums[listed] = sums.get(listed, 0) + row.billable_us
            return
        key = (binding.id, row.model, at_ms)
        place = self.places.get(key)
        if place is None:
            place = self.places[key] = self._place(binding, row.model, at_ms)
        if place.line is not None:
            place.line.add(row, place.day)
        elif place.billed:
            customer, model = binding.customer, row.model
            first_ms, quantity_us = self.unpriced.get((customer, model), (at_ms, 0))
            self.unpriced[customer, model] = min(first_ms, at_ms), quantity_us + row.billable_us

    def _place(self, binding: BindingRow, model: str, at_ms: int) -> _Place:
        """Where usage of a model under a binding goes from a segment's start on."""
        terms = self.terms.get(binding.customer)
        if terms is None:
            return _Place(billed=False)
        line = self._line(terms, model, at_ms)
        if line is None:
            return _Place(billed=True)
        self.used.setdefault(terms.customer, set()).add(binding.id)
        return _Place(billed=True, line=line, day=self.period.day_of(at_ms))

    def _line(self, terms: Terms, model: str, at_ms: int) -> Sums | None:
        """The line that usage of a segment belongs to; ``None`` where no price holds."""
        contract = terms.contract_at(at_ms)
        price = self.prices.find_under(contract, model, terms.currency, at_ms)
        if price is None:
            return None
        tax = self.taxes.find(terms.customer, model, at_ms)
        if tax is None and (self.taxes.rows or price.includes_tax):
            first_ms = self.untaxed.get((terms.customer, model), at_ms)
            self.untaxed[terms.customer, model] = min(first_ms, at_ms)
        key = LineKey(
            customer=terms.customer,
            contract=contract.key if contract else "",
            price=price.id,
            model=model,
            band=self._band(price, at_ms),
            tier="",
            tax_category=tax.key if tax else "",
        )
        if key not in self.lines:
            self.lines[key] = Sums(key=key, price=price, contract=contract)
        line = self.lines[key]
        if tax is not None:
            line.taxes[tax.id] = tax
        if price.book != LIST_BOOK:
            line.listed_at[at_ms] = self._listed(model, terms.currency, at_ms)
        return line

    def _band(self, price: PriceRow, at_ms: int) -> str:
        band = band_at(price.bands, at_ms, self.local) if price.bands else None
        return band.name if band else ""

    def _listed(self, model: str, currency: str, at_ms: int) -> tuple[PriceRow, str] | None:
        row = self.prices.find(LIST_BOOK, model, currency, at_ms)
        return (row, self._band(row, at_ms)) if row else None

    def finish(self) -> Rating:
        """Round every line, once."""
        by_customer: dict[str, list[Sums]] = {customer: [] for customer in self.terms}
        for line in self.lines.values():
            if line.quantity_us:
                by_customer[line.key.customer].append(line)
        return Rating(
            lines={customer: finished(sums) for customer, sums in by_customer.items()},
            bindings={customer: frozenset(self.used.get(customer, ())) for customer in self.terms},
            unpriced=tuple(self._unpriced(*found) for found in sorted(self.unpriced.items())),
            untaxed=tuple(
                Untaxed(customer=customer, model=model, first_at_ms=at_ms)
                for (customer, model), at_ms in sorted(self.untaxed.items())
            ),
            unassigned=tuple(
                self._unassigned(owner, model, sums) for (owner, model), sums in sorted(self.unassigned.items())
            ),
        )

    def _unpriced(self, key: tuple[str, str], found: tuple[int, int]) -> Unpriced:
        customer, model = key
        currency = self.terms[customer].currency
        return Unpriced(customer=customer, model=model, currency=currency, first_at_ms=found[0], quantity_us=found[1])

    def _unassigned(self, owner: str, model: str, sums: _Listed) -> Unassigned:
        value: Money | None = None
        if None not in sums:
            costs = [row.rate(band).cost(us, self.list_currency) for (row, band), us in _known(sums)]
            value = Money(amount=round_half_away(sum(costs, Fraction())), currency=self.list_currency)
        return Unassigned(owner=owner, model=model, quantity_us=sum(sums.values()), list_value=value)


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

    ``usage`` must be cut at ``cuts.cuts_ms``. ``list_currency`` is what unassigned usage is valued in.
    """
    month = _Month(
        period=period,
        bindings=bindings,
        prices=prices,
        taxes=taxes,
        terms=terms,
        list_currency=list_currency,
        local=zone(period.timezone),
    )
    for row in usage:
        if row.billable_us:
            month.add(row)
    return month.finish()


def _known(sums: _Listed) -> list[tuple[tuple[PriceRow, str], int]]:
    return [(listed, us) for listed, us in sums.items() if listed is not None]
