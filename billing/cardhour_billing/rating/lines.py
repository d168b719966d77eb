"""From sums to lines: each rounded once, with its shares by day and card, and what it would have cost otherwise.

Owns slicing by tier, the discount, and the three costs of a line: at the list, as contracted, and what is billed. Does
not own which line a usage belongs to (``rating``). Plain Python.

Tiers count a customer's whole month of one price (and band): where that is for several models, or under several tax
rules, the lines fill the tiers one after the other, in order of print. A graduated price gives a line for each tier;
the first of them claims the usage and the others are later slices of the same. A volume price gives one line, at the
price of the tier that the whole quantity reaches, so its tier is in a note and not in its key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from cardhour_billing.money import Money, UnitPrice, allocate, printed_quantity, round_half_away
from cardhour_billing.rating.price import LIST_BOOK, NEGOTIATED, ContractRow, PriceRow
from cardhour_billing.rating.rate_scheme import Slice, discounted
from cardhour_billing.rating.rated import Costs, LineKey, RatedLine, Share, UsageSum
from cardhour_billing.rating.tax import TaxRule

Listed = tuple[PriceRow, str]
"""A list price and its band."""


@dataclass(slots=True, kw_only=True)
class Sums:
    """The usage of one line key, without its tier, while it is being summed."""

    key: LineKey
    price: PriceRow
    contract: ContractRow | None
    quantity_us: int = 0
    days: dict[date, int] = field(default_factory=dict)
    cards: dict[tuple[str, str], int] = field(default_factory=dict)
    claims: list[UsageSum] = field(default_factory=list)
    taxes: dict[int, TaxRule] = field(default_factory=dict)
    listed_at: dict[int, Listed | None] = field(default_factory=dict)
    """The list's price from a segment's start; empty where the line itself is at list price."""

    def add(self, row: UsageSum, day: date) -> None:
        us, days, cards, card = row.billable_us, self.days, self.cards, (row.card, row.node)
        self.quantity_us += us
        days[day] = days.get(day, 0) + us
        cards[card] = cards.get(card, 0) + us
        self.claims.append(row)

    @property
    def tiers_with(self) -> tuple[str, int, str]:
        """What is counted together for tiers: contract, price, band."""
        return self.key.contract, self.key.price, self.key.band

    @property
    def discount_ppm(self) -> int:
        """The contract's discount, which negotiated prices do not have."""
        if self.contract is None or self.price.book.startswith(NEGOTIATED):
            return 0
        return self.contract.discount_ppm

    def listed(self) -> dict[Listed | None, int]:
        """Card-microseconds by list price."""
        found: dict[Listed | None, int] = {}
        for claim in self.claims:
            listed = self.listed_at[claim.segment_start_ms]
            found[listed] = found.get(listed, 0) + claim.billable_us
        return found


def finished(sums: Iterable[Sums]) -> tuple[RatedLine, ...]:
    """The lines of one customer, in order of print: by model, then by the start of the price, band and tier."""
    in_order = sorted(sums, key=lambda each: (each.key.model, each.price.from_ms, each.key))
    together: dict[tuple[str, int, str], list[Sums]] = {}
    for each in in_order:
        together.setdefault(each.tiers_with, []).append(each)
    pieces: dict[LineKey, list[Slice]] = {}
    for group in together.values():
        pieces |= _pieces(group)
    listed = _list_costs(in_order)
    return tuple(line for each in in_order for line in _lines(each, pieces[each.key], listed[each.key]))


def _pieces(group: Sequence[Sums]) -> dict[LineKey, list[Slice]]:
    """The slices of each line of a group, which fill the tiers one after the other."""
    rate = group[0].price.rate(group[0].key.band)
    slices = list(rate.slices(sum(each.quantity_us for each in group)))
    if len(slices) == 1:
        return {each.key: [slices[0]._replace(quantity_us=each.quantity_us)] for each in group}
    found: dict[LineKey, list[Slice]] = {}
    for each in group:
        left_us, own = each.quantity_us, found.setdefault(each.key, [])
        while left_us:
            taken_us = min(left_us, slices[0].quantity_us)
            own.append(slices[0]._replace(quantity_us=taken_us))
            left_us -= taken_us
            slices[0] = slices[0]._replace(quantity_us=slices[0].quantity_us - taken_us)
            if not slices[0].quantity_us:
                del slices[0]
    return found


@dataclass(frozen=True, slots=True)
class _ListCost:
    """What a line's whole quantity would have cost at the list. ``rows``: the list prices; none where it is at them."""

    cost: Fraction | None
    rows: tuple[PriceRow, ...] = ()
    price: UnitPrice | None = None


def _list_costs(sums: Sequence[Sums]) -> Mapping[LineKey, _ListCost | None]:
    """By line key; ``None`` for a line that is at list price itself. A tiered list price counts the whole month."""
    by_line = {each.key: each.listed() for each in sums if each.price.book != LIST_BOOK}
    wholes: dict[Listed, int] = {}
    for listed in by_line.values():
        for at, us in listed.items():
            if at is not None:
                wholes[at] = wholes.get(at, 0) + us
    costs = {(row, band): row.rate(band).cost(us, row.currency) for (row, band), us in wholes.items()}
    found: dict[LineKey, _ListCost | None] = {}
    for each in sums:
        parts = by_line.get(each.key)
        if parts is None:
            found[each.key] = None
        elif None in parts:
            found[each.key] = _ListCost(None)
        else:
            known = [(at, us) for at, us in parts.items() if at is not None]
            rates = {row.rate(band) for (row, band), _ in known}
            nano = next(iter(rates)).nano if len(rates) == 1 and not next(iter(rates)).tiers else None
            found[each.key] = _ListCost(
                sum((costs[at] * us / wholes[at] for at, us in known), Fraction()),
                tuple(sorted({row for (row, _), _ in known}, key=lambda row: row.id)),
                None if nano is None else UnitPrice(nano=nano, currency=each.price.currency),
            )
    return found


def _lines(sums: Sums, pieces: Sequence[Slice], at_list: _ListCost | None) -> Iterator[RatedLine]:
    currency, graduated = sums.price.currency, sums.price.rate(sums.key.band).kind == "graduated"
    listed: list[Money | None] = [None] * len(pieces)
    if at_list is not None and at_list.cost is not None:
        whole = Money(amount=round_half_away(at_list.cost), currency=currency)
        listed = list(whole.allocate([piece.quantity_us for piece in pieces]))
    days, cards = sorted(sums.days), sorted(sums.cards)
    weights = [sums.days[day] for day in days], [sums.cards[card] for card in cards]
    lead: LineKey | None = None
    for piece, list_amount in zip(pieces, listed, strict=True):
        key = sums.key._replace(tier=piece.tier if graduated else "")
        contracted = UnitPrice(nano=piece.nano, currency=currency)
        price = UnitPrice(nano=discounted(piece.nano, sums.discount_ppm), currency=currency)
        amount = price.charge(piece.quantity_us)  # the only rounding of the line
        before = contracted.charge(piece.quantity_us)
        yield RatedLine(
            key=key,
            price=sums.price,
            unit_price=price,
            quantity_us=piece.quantity_us,
            printed_quantity=printed_quantity(piece.quantity_us, price),
            amount=amount,
            costs=Costs(
                contracted_price=contracted,
                contracted=before,
                list_price=contracted if at_list is None else at_list.price,
                listed=before if at_list is None else list_amount,
                list_rows=() if at_list is None else at_list.rows,
            ),
            note=_note(sums, piece, graduated),
            days=dict(zip(days, _shares(amount, piece.quantity_us, weights[0]), strict=True)),
            cards=dict(zip(cards, _shares(amount, piece.quantity_us, weights[1]), strict=True)),
            claims=() if lead else tuple(sums.claims),
            taxes=tuple(sums.taxes[at] for at in sorted(sums.taxes)),
            lead=lead,
        )
        lead = lead or key


def _note(sums: Sums, piece: Slice, graduated: bool) -> str:
    """What must be known to read the price, in both languages."""
    notes = []
    if piece.tier and not graduated:
        notes.append(f"volume 用量档 {piece.tier}")
    if sums.discount_ppm and sums.contract is not None:
        notes.append(f"less {sums.contract.discount}% 折扣")
    return " · ".join(notes)


def _shares(amount: Money, quantity_us: int, weights: Sequence[int]) -> list[Share]:
    """A line shared by weights; where they are its own quantities, those stay as they are."""
    quantities = allocate(quantity_us, weights)
    return [Share(us, part) for us, part in zip(quantities, amount.allocate(weights), strict=True)]
