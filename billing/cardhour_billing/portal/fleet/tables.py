"""A month's margin and ledger as tables in which every row and every column adds up.

Owns choosing figures and their text. Does not own the arithmetic (``margin``) nor the rounding of money
(``margin.rows``). Hours of a row are shared by largest remainder; a sum row is the sum of what stands above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from cardhour_billing.figures import MINUS, grouped, negated
from cardhour_billing.margin.margin import Hours, Margin, together
from cardhour_billing.margin.month import MonthMargin
from cardhour_billing.margin.rows import figures
from cardhour_billing.money import Money, allocate, decimal_text, parse_amount, round_half_away
from cardhour_billing.portal.cards import scaled
from cardhour_billing.printed import minor_text
from cardhour_contract.moment import CARD_HOUR_US, MS_US

USUAL_CUTS = (5, 10, 15, 20)
"""Percentages of which the effect is always shown."""

TERMS = ("leased", "sold", "unsold", "idle", "faulted", "unobserved")
"""In stacking order; ``rounding`` is a matter of microseconds and is counted with ``idle``."""

HOUR_DECIMALS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyRow:
    """What a model earned and cost. Texts; ``—`` where nothing can be said."""

    name: str
    cards: str
    revenue: str
    rent: str
    per_hour: str
    depreciation: str
    hosting: str
    power: str
    gross: str
    percent: str
    loss: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CutCell:
    """Gross margin at some price: amount, percent of revenue."""

    gross: str
    percent: str
    loss: bool
    narrow: bool
    """Whether a narrow screen has room for it: today's prices, and the cut that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutRow:
    """A model at several prices, and what the chosen cut asks of it."""

    name: str
    sold: str
    cells: tuple[CutCell, ...]
    break_even: str
    to_keep: str
    points: str
    """How much more would have to be sold, in points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursRow:
    """Where a model's time went: one text for each of ``TERMS``, and their sum."""

    name: str
    cards: str
    terms: tuple[str, ...]
    capacity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Everything the page says of the month, but for pictures."""

    currency: str
    margins: tuple[Margin, ...]
    fleet: Margin
    money: tuple[MoneyRow, ...]
    money_sum: MoneyRow
    cost: str
    cuts: tuple[int | str, ...]
    chosen_cut: str
    cut_rows: tuple[CutRow, ...]
    cut_sum: tuple[CutCell, ...]
    hours: tuple[HoursRow, ...]
    hours_sum: HoursRow
    rounding: str
    """Card-hours of rounding that stand in ``idle``; empty where there is none."""
    without_cost: tuple[str, ...]
    losing: tuple[tuple[str, str], ...]
    """Models that lose money, and how much."""


def tables(month: MonthMargin, month_us: int, cut: Fraction) -> Tables:
    """The tables of ``month``, whose cards of the whole month have ``month_us``; ``cut`` is a part of one."""
    margins = month.margins
    fleet = together("", margins)
    money = [_money_row(each, month_us) for each in margins]
    cuts = _cuts(cut)
    parts = [Fraction(0), *(part for _, part in cuts)]
    cells = [[_cut_cell(each.cut(part), narrow=part in (0, cut)) for part in parts] for each in margins]
    hours = [_hours_units(each.hours) for each in margins]
    sums = [sum(column) for column in zip(*hours, strict=True)]
    gross = [(each.name, figures(each, None)["gross_margin"]) for each in margins]
    return Tables(
        currency=fleet.revenue.currency,
        margins=margins,
        fleet=fleet,
        money=tuple(money),
        money_sum=_money_sum(margins, fleet, month_us),
        cost=_summed("cost", margins, fleet.revenue.currency),
        cuts=tuple(name for name, _ in cuts),
        chosen_cut=_percent_name(cut),
        cut_rows=tuple(_cut_row(each, row, cut) for each, row in zip(margins, cells, strict=True)),
        cut_sum=tuple(_cut_sum([each.cut(part) for each in margins], narrow=part in (0, cut)) for part in parts),
        hours=tuple(
            _hours_row(each.name, each.hours, units, month_us) for each, units in zip(margins, hours, strict=True)
        ),
        hours_sum=_hours_row("", fleet.hours, sums, month_us),
        rounding=_plain(Fraction(fleet.hours.rounding_us, CARD_HOUR_US), 9) if fleet.hours.rounding_us else "",
        without_cost=tuple(each.name for each in margins if each.expense is None),
        losing=tuple((name, grouped(negated(text))) for name, text in gross if text and text.startswith("-")),
    )


def cards_text(capacity_us: int, month_us: int) -> str:
    """How many cards the time would be of the whole month: ``96``, ``95.5``."""
    return _plain(Fraction(capacity_us, month_us), 1).removesuffix(".0")


def percent_text(part: Fraction | None) -> str:
    """One decimal: ``43.5%``, ``−30.5%``."""
    if part is None:
        return "—"
    tenths = round_half_away(part * 1000)
    return f"{grouped(decimal_text(tenths, 1))}%"


def _money_row(margin: Margin, month_us: int) -> MoneyRow:
    row = figures(margin, None)
    cost = {name: grouped(negated(row[name])) if row[name] else "—" for name in ("depreciation", "hosting", "power")}
    return MoneyRow(
        name=margin.name,
        cards=cards_text(margin.hours.capacity_us, month_us),
        revenue=grouped(row["revenue"]),
        rent=grouped(row["rent"]) if margin.rent.amount else "—",
        per_hour=_per_hour(margin),
        gross=grouped(row["gross_margin"]) if row["gross_margin"] else "—",
        percent=percent_text(margin.gross_part),
        loss=bool(row["gross_margin"]) and row["gross_margin"].startswith("-"),
        **cost,
    )


def _money_sum(margins: Sequence[Margin], fleet: Margin, month_us: int) -> MoneyRow:
    """The fleet: printed parts added up, so that the column is its own proof."""
    currency = fleet.revenue.currency
    gross = _summed("gross_margin", margins, currency)
    cost = {name: _summed(name, margins, currency, negative=True) for name in ("depreciation", "hosting", "power")}
    return MoneyRow(
        name="",
        cards=cards_text(fleet.hours.capacity_us, month_us),
        revenue=_summed("revenue", margins, currency),
        rent=_summed("rent", margins, currency),
        per_hour=_per_hour(fleet),
        gross=gross,
        percent=percent_text(fleet.gross_part),
        loss=gross.startswith(MINUS),
        **cost,
    )


def _summed(name: str, margins: Iterable[Margin], currency: str, *, negative: bool = False) -> str:
    """The sum of a printed figure; ``—`` where a model has none."""
    texts = [figures(each, None)[name] for each in margins]
    if any(text is None for text in texts):
        return "—"
    whole = Money(amount=sum(parse_amount(text, currency).amount for text in texts), currency=currency)
    return grouped(str(-whole if negative else whole))


def _per_hour(margin: Margin) -> str:
    found = minor_text(margin.revenue_per_card_hour, margin.revenue.currency)
    return grouped(found) if found else "—"


def _cuts(chosen: Fraction) -> list[tuple[int | str, Fraction]]:
    """The usual cuts and the chosen one, in order."""
    parts = sorted({*(Fraction(each, 100) for each in USUAL_CUTS), chosen})
    return [(_percent_name(part), part) for part in parts]


def _percent_name(part: Fraction) -> str:
    return _plain(part * 100, 4).rstrip("0").rstrip(".")


def _cut_cell(margin: Margin, *, narrow: bool) -> CutCell:
    gross: str | None = figures(margin, None)["gross_margin"]
    return CutCell(
        gross=grouped(gross) if gross else "—",
        percent=percent_text(margin.gross_part),
        loss=bool(gross) and str(gross).startswith("-"),
        narrow=narrow,
    )


def _cut_sum(margins: Sequence[Margin], *, narrow: bool) -> CutCell:
    fleet = together("", margins)
    gross = _summed("gross_margin", margins, fleet.revenue.currency)
    return CutCell(gross=gross, percent=percent_text(fleet.gross_part), loss=gross.startswith(MINUS), narrow=narrow)


def _cut_row(margin: Margin, cells: Sequence[CutCell], cut: Fraction) -> CutRow:
    keep, now = margin.utilisation_to_keep(cut), margin.utilisation
    return CutRow(
        name=margin.name,
        sold=percent_text(now),
        cells=tuple(cells),
        break_even=percent_text(margin.cut(cut).break_even),
        to_keep=percent_text(keep),
        points=_plain((keep - now) * 100, 1) if keep is not None and now is not None else "",
    )


def hundredths(terms_us: Sequence[int]) -> list[int]:
    """Quantities in hundredths of a card-hour, which add up to their rounded sum."""
    scale = 10**HOUR_DECIMALS
    if any(term < 0 for term in terms_us) or not any(terms_us):
        return [round_half_away(Fraction(term * scale, CARD_HOUR_US)) for term in terms_us]
    return allocate(round_half_away(Fraction(sum(terms_us) * scale, CARD_HOUR_US)), terms_us)


def _hours_units(hours: Hours) -> list[int]:
    terms_us = [getattr(hours, f"{name}_us") for name in TERMS]
    terms_us[TERMS.index("idle")] += hours.rounding_us
    return hundredths(terms_us)


def _hours_row(name: str, hours: Hours, units: Sequence[int], month_us: int) -> HoursRow:
    return HoursRow(
        name=name,
        cards=f"{cards_text(hours.capacity_us, month_us)} × {month_us // CARD_HOUR_US} h",
        terms=tuple(scaled(each, HOUR_DECIMALS) for each in units),
        capacity=scaled(sum(units), HOUR_DECIMALS),
    )


def month_us(start_ms: int, end_ms: int) -> int:
    """The time of one card that is there all month."""
    return (end_ms - start_ms) * MS_US


def _plain(value: Fraction, decimals: int) -> str:
    return grouped(decimal_text(round_half_away(value * 10**decimals), decimals))
