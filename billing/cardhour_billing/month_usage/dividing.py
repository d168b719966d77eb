"""Dividing the lines of a month among days, projects, holders and workloads, so that every level adds up to its lines.

Owns the order: a line's net is shared among its days, a day's among projects and holders, theirs among workloads, each
time by quantity and largest remainder. So days agree with the printed document, and what stands below sums to what
stands above. Plain Python: knows no store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from cardhour_billing.leases.cover import Covered
from cardhour_billing.money import allocate
from cardhour_billing.month_usage.content import Cell, CellKind, Work
from cardhour_billing.rating.rated import UsageSum


class Line(NamedTuple):
    """A line of usage: what it bills, without tax, and the usage that it bills a share of."""

    model: str
    quantity_us: int
    net: int
    rows: Sequence[UsageSum]


class Group(NamedTuple):
    """Whose usage it is on one local day."""

    day: str
    project: str
    owner: str
    model: str
    kind: CellKind


class Used(NamedTuple):
    """What a group, or a workload of it, comes to."""

    quantity_us: int
    net: int


Place = Callable[[UsageSum], tuple[str, str]]
"""Local day and project of a sum of usage."""

Running = Mapping[tuple[str, str, str, str], Mapping[str, tuple[int, int, int]]]
"""Billable, busy and measured time by workload, of a day, project, owner and model."""


def cells_of(lines: Iterable[Line], covered: Iterable[Covered], place: Place) -> tuple[Cell, ...]:
    """The cells of a month, in order."""
    found: dict[Group, Used] = {}
    for line in lines:
        for group, used in _shared(line, place):
            _add(found, group, used)
    for each in covered:
        day, project = place(each.usage)
        group = Group(day, project, each.usage.owner, each.usage.model, "leased")
        _add(found, group, Used(each.covered_us, 0))
    return tuple(Cell(**group._asdict(), **used._asdict()) for group, used in sorted(found.items()))


def _shared(line: Line, place: Place) -> Iterable[tuple[Group, Used]]:
    by_day: dict[str, dict[Group, int]] = {}
    for row in line.rows:
        day, project = place(row)
        groups = by_day.setdefault(day, {})
        group = Group(day, project, row.owner, line.model, "usage")
        groups[group] = groups.get(group, 0) + row.billable_us
    days = sorted(by_day)
    weights = [sum(by_day[day].values()) for day in days]
    for day, net, quantity_us in zip(
        days, allocate(line.net, weights), allocate(line.quantity_us, weights), strict=True
    ):
        groups = by_day[day]
        names, own = sorted(groups), [groups[name] for name in sorted(groups)]
        for group, us, part in zip(names, allocate(quantity_us, own), allocate(net, own), strict=True):
            yield group, Used(us, part)


def works_of(cells: Iterable[Cell], running: Running) -> tuple[Work, ...]:
    """The same usage by workload, largest first. What is covered by leases counts no money, here as there."""
    found: dict[tuple[str, str, str, str], list[int]] = {}
    for cell in cells:
        inside = running.get((cell.day, cell.project, cell.owner, cell.model)) or {"": (cell.quantity_us or 1, 0, 0)}
        names = sorted(inside)
        weights = [inside[name][0] for name in names]
        whole = sum(weights)
        shares = zip(names, allocate(cell.quantity_us, weights), allocate(cell.net, weights), strict=True)
        for name, us, net in shares:
            sums = found.setdefault((cell.project, cell.owner, name, cell.model), [0, 0, 0, 0])
            _, active_us, measured_us = inside[name]
            # Of a group that a lease covers in part, each part has its share of what was busy.
            for at, part in enumerate(
                (us, net, active_us * cell.quantity_us // whole, measured_us * cell.quantity_us // whole)
            ):
                sums[at] += part
    works = [
        Work(
            project=project, owner=owner, workload=name, model=model, quantity_us=sums[0], net=sums[1],
            active_us=sums[2], measured_us=sums[3],
        )
        for (project, owner, name, model), sums in found.items()
    ]  # fmt: skip
    return tuple(sorted(works, key=lambda work: (-work.net, -work.quantity_us, work.owner, work.workload, work.model)))


def _add(found: dict[Group, Used], group: Group, used: Used) -> None:
    before = found.get(group, Used(0, 0))
    found[group] = Used(before.quantity_us + used.quantity_us, before.net + used.net)
