"""A month of usage as a customer's page shows it: figures and tables, each of which adds up where it stands.

Owns what is grouped, in which order, and how parts are rounded so that they sum. Does not own the figures
(``month_usage``) nor pictures (``usage_chart``). Amounts and hours are grouped text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from cardhour_billing.figures import MINUS, grouped
from cardhour_billing.money import Money, allocate, decimal_text, round_half_away
from cardhour_billing.month_usage.content import Cell, MonthUsage, Work
from cardhour_billing.portal.cards import scaled
from cardhour_contract.moment import CARD_HOUR_US

MODELS_MAX = 3
"""Models that have a column of their own in the table of projects; the others share one."""
WORKLOADS_MAX = 10
BAR_WIDTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRow:
    """A project's usage. ``hours`` by model in the order of the columns; ``leased`` of it cost nothing more."""

    name: str
    owners: str
    hours: tuple[str, ...]
    net: str
    percent: str
    bar: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectTable:
    """Projects by model. ``columns`` are models; the last may be ``others``."""

    columns: tuple[str, ...]
    rows: tuple[ProjectRow, ...]
    hours: tuple[str, ...]
    net: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatRow:
    """A model by the card-hour, or a charge. ``days`` is the span of a charge."""

    kind: str
    name: str
    first_day: str
    last_day: str
    hours: str
    net: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatTable:
    """Everything that the month comes to so far."""

    rows: tuple[WhatRow, ...]
    hours: str
    net: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRow:
    """A workload, or the rest of them (``others`` counts them)."""

    name: str
    owner: str
    busy: str
    """Percent of measured time in which the card computed; empty where nothing was measured."""
    hours: str
    net: str
    others: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkTable:
    """Workloads by what they cost."""

    rows: tuple[WorkRow, ...]
    hours: str
    net: str


def text_of(amount: int, currency: str) -> str:
    """Minor units as grouped text."""
    return grouped(str(Money(amount=amount, currency=currency)))


def signed_percent(now: int, before: int) -> str:
    """The change from before, such as ``+22.6%``; empty where there was nothing."""
    if before <= 0:
        return ""
    permille = round_half_away(Fraction((now - before) * 1000, before))
    return f"{'+' if permille >= 0 else MINUS}{decimal_text(abs(permille), 1)}%"


def part_percent(part: int, whole: int) -> str:
    """A part of a whole, such as ``79.1%``; empty where there is no whole."""
    return f"{decimal_text(round_half_away(Fraction(part * 1000, whole)), 1)}%" if whole > 0 else ""


def hours_of(us: int) -> str:
    """Card-hours of two decimals."""
    return scaled(_hundredths(us), 2)


def hours_parts(parts_us: Sequence[int], whole: int | None = None) -> list[str]:
    """Card-hours of two decimals that sum to those of the whole; ``whole`` hundredths, where the page shows those."""
    shown = _hundredths(sum(parts_us)) if whole is None else whole
    return [scaled(each, 2) for each in _parts(parts_us, shown)]


def project_table(usage: MonthUsage, others: str) -> ProjectTable:
    """Usage by the card-hour by project; ``others`` heads the models that have no column of their own."""
    cells = [cell for cell in usage.cells if cell.kind == "usage"]
    by_model = _sums((cell.model, cell.quantity_us) for cell in cells)
    models = sorted(by_model, key=lambda model: (-by_model[model], model))
    columns = models if len(models) <= MODELS_MAX else [*models[: MODELS_MAX - 1], others]
    nets = _sums((cell.project, cell.net) for cell in cells)
    names = sorted(nets, key=lambda name: (-nets[name], name))
    of_model = _hours_of_models(by_model)
    of_column = [of_model.get(column, 0) for column in columns]
    if columns != models:
        of_column[-1] = sum(of_model[model] for model in models[MODELS_MAX - 1 :])
    texts = [
        hours_parts(_column(cells, names, column, columns, others), shown)
        for column, shown in zip(columns, of_column, strict=True)
    ]
    whole = sum(nets.values())
    shares = allocate(1000, [max(0, nets[name]) for name in names]) if whole > 0 else [0] * len(names)
    rows = tuple(
        ProjectRow(
            name=name,
            owners=_owners(cell.owner for cell in cells if cell.project == name),
            hours=tuple(text[at] for text in texts),
            net=text_of(nets[name], usage.currency),
            percent=f"{decimal_text(shares[at], 1)}%" if whole > 0 else "",
            bar=shares[at] * BAR_WIDTH // 1000,
        )
        for at, name in enumerate(names)
    )
    return ProjectTable(
        columns=tuple(columns),
        rows=rows,
        hours=tuple(scaled(each, 2) for each in of_column),
        net=text_of(whole, usage.currency),
    )


def what_table(usage: MonthUsage) -> WhatTable:
    """Models by the card-hour, then every charge, to the last known day."""
    cells = [cell for cell in usage.cells if cell.kind == "usage"]
    us, nets = _sums((cell.model, cell.quantity_us) for cell in cells), _sums((cell.model, cell.net) for cell in cells)
    models = sorted(us, key=lambda model: (-nets[model], model))
    hours = _hours_of_models(us)
    rows = [
        WhatRow(
            kind="usage",
            name=model,
            first_day="",
            last_day="",
            hours=scaled(hours[model], 2),
            net=text_of(nets[model], usage.currency),
        )
        for model in models
    ]
    rows += [
        WhatRow(
            kind=charge.kind, name=charge.name, first_day=charge.first_day,
            last_day=min(charge.last_day, usage.last_day) if charge.days else charge.last_day,
            hours="", net=text_of(usage.charged(charge), usage.currency),
        )
        for charge in usage.charges
        if not charge.days or charge.days[0][0] <= usage.last_day
    ]  # fmt: skip
    return WhatTable(rows=tuple(rows), hours=hours_of(sum(us.values())), net=text_of(usage.to_date, usage.currency))


def work_table(usage: MonthUsage) -> WorkTable:
    """The dearest workloads, and the others as one."""
    merged: dict[tuple[str, str], list[Work]] = {}
    for work in usage.works:
        merged.setdefault((work.owner, work.workload), []).append(work)
    groups = sorted(merged.items(), key=lambda item: (-sum(each.net for each in item[1]), item[0]))
    shown, rest = groups[:WORKLOADS_MAX], groups[WORKLOADS_MAX:]
    lots = [(owner, name, works, 0) for (owner, name), works in shown]
    if rest:
        lots.append(("", "", [work for _, works in rest for work in works], len(rest)))
    hours = hours_parts([sum(work.quantity_us for work in works) for *_, works, _ in lots])
    rows = tuple(
        WorkRow(
            name=name, owner=owner, others=others, hours=text,
            busy=_busy(works), net=text_of(sum(work.net for work in works), usage.currency),
        )
        for (owner, name, works, others), text in zip(lots, hours, strict=True)
    )  # fmt: skip
    return WorkTable(
        rows=rows,
        hours=hours_of(sum(work.quantity_us for work in usage.works)),
        net=text_of(sum(work.net for work in usage.works), usage.currency),
    )


def _column(cells: Iterable[Cell], names: Sequence[str], column: str, columns: Sequence[str], others: str) -> list[int]:
    own = [cell for cell in cells if cell.model == column or (column == others and cell.model not in columns)]
    sums = _sums((cell.project, cell.quantity_us) for cell in own)
    return [sums.get(name, 0) for name in names]


def _owners(owners: Iterable[str]) -> str:
    names = sorted(set(owners) - {""})
    return ", ".join(names[:2]) + (f" +{len(names) - 2}" if len(names) > 2 else "")


def _busy(works: Iterable[Work]) -> str:
    rows = list(works)
    measured = sum(work.measured_us for work in rows)
    if not measured:
        return ""
    return f"{round_half_away(Fraction(sum(work.active_us for work in rows) * 100, measured))}%"


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, amount in pairs:
        found[name] = found.get(name, 0) + amount
    return found


def _hours_of_models(by_model: Mapping[str, int]) -> dict[str, int]:
    """Hundredths of card-hours of each model, which sum to those of all: the same in every table of the page."""
    models = sorted(by_model)
    parts_us = [by_model[model] for model in models]
    return dict(zip(models, _parts(parts_us, _hundredths(sum(parts_us))), strict=True))


def _parts(parts_us: Sequence[int], whole: int) -> list[int]:
    return allocate(whole, parts_us) if any(parts_us) else [0] * len(parts_us)


def _hundredths(us: int) -> int:
    return round_half_away(Fraction(us * 100, CARD_HOUR_US))
