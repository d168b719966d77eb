"""A customer's usage between two times, by any grouping, as the ledger has it now.

Owns which usage is whose at each moment: a span is cut where a binding begins or ends, and each piece is given to whom
its bindings say. Does not own what usage costs (``rating``) nor the ledger's sums (ingest's ``warehouse.usage``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct

from cardhour_billing.catalog.current import current_bindings
from cardhour_billing.models import Customer
from cardhour_billing.rating.binding import BindingRow, Bindings
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import DAY_MS, QUARTER_MS, ceil_to

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.client import Warehouse

GROUPS = ("day", "project", "model", "workload", "owner", "cluster", "node", "card")
PLACES = ("cluster", "node", "card")

DAYS_MAX = 400
"""A year and a bit: a request that asks for more is asking for an export."""
PIECES_MAX = 400
"""Times at which bindings change within a span: each piece is a question of its own."""


class UsedBy(Struct, frozen=True, kw_only=True):
    """Usage of one group, in card-microseconds."""

    group: dict[str, str]
    held_us: int
    billable_us: int
    active_us: int | None
    """Time in which the cards computed; ``None`` where nothing of it was measured."""


def customer_usage(
    warehouse: Warehouse, customer: Customer, from_ms: int, to_ms: int, by: Sequence[str]
) -> list[UsedBy]:
    """Usage of ``customer`` in ``[from_ms, to_ms)``, sorted by the group. Days are those of the customer's zone."""
    _check(from_ms, to_ms, by)
    rows = current_bindings()
    owners = _owners(warehouse, [row for row in rows if row.customer == customer.key])
    if not owners:
        return []
    concerned = [row for row in rows if any(_matches(row, owner) for owner in owners)]
    sums: dict[tuple[str, ...], list[int | None]] = {}
    for piece in _pieces(concerned, from_ms, to_ms):
        for group, used in _of_piece(warehouse, customer, piece, by, concerned, owners):
            kept = sums.setdefault(group, [0, 0, None])
            sums[group] = [_plus(one, other) for one, other in zip(kept, used, strict=True)]
    return [
        UsedBy(group=dict(zip(by, group, strict=True)), held_us=held or 0, billable_us=billable or 0, active_us=active)
        for group, (held, billable, active) in sorted(sums.items())
    ]


def _of_piece(
    warehouse: Warehouse,
    customer: Customer,
    piece: tuple[int, int],
    by: Sequence[str],
    concerned: Sequence[BindingRow],
    owners: Sequence[str],
) -> Iterable[tuple[tuple[str, ...], tuple[int, int, int | None]]]:
    """Within ``piece`` no binding changes, so where and whose something is decides whose it is."""
    from cardhour_ingest.warehouse.usage import usage

    places = {place for row in concerned for place in PLACES if getattr(row, place)}
    asked = sorted({"owner", *places, *(each for each in by if each != "project")})
    bindings = Bindings(concerned)
    for row in usage(warehouse, *piece, by=asked, timezone=customer.timezone, owners=owners):
        cluster, node, card = (row.get(place, "") for place in PLACES)
        found = bindings.find(row["owner"], cluster, node, card, piece[0])
        if found is not None and found.customer == customer.key:
            group = tuple(found.project if each == "project" else row[each] for each in by)
            yield group, (row["held_us"], row["billable_us"], row["active_us"])


def _owners(warehouse: Warehouse, own: Sequence[BindingRow]) -> list[str]:
    """Every owner that a binding of the customer has ever meant."""
    named = {row.owner for row in own if not row.owner.endswith("*")}
    prefixed = [row for row in own if row.owner.endswith("*")]
    if prefixed:
        from cardhour_ingest.warehouse.customer_data import known_owners

        named |= {owner for owner in known_owners(warehouse) if any(_matches(row, owner) for row in prefixed)}
    return sorted(named)


def _matches(row: BindingRow, owner: str) -> bool:
    return owner.startswith(row.owner[:-1]) if row.owner.endswith("*") else owner == row.owner


def _pieces(rows: Iterable[BindingRow], from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    """The span, cut at every quarter hour from which a binding holds or holds no more."""
    changes = (ceil_to(at_ms, QUARTER_MS) for row in rows for at_ms in (row.from_ms, row.to_ms) if at_ms is not None)
    cuts = sorted({from_ms, to_ms, *(at_ms for at_ms in changes if from_ms < at_ms < to_ms)})
    if len(cuts) > PIECES_MAX:
        raise Refuse(f"bindings change {len(cuts) - 2} times between those two times: ask for a shorter span")
    return list(pairwise(cuts))


def _check(from_ms: int, to_ms: int, by: Sequence[str]) -> None:
    problems = []
    if unknown := [each for each in by if each not in GROUPS]:
        problems.append(f"usage cannot be grouped by '{', '.join(unknown)}': use any of {', '.join(GROUPS)}")
    if not by:
        problems.append(f"say what to group by: any of {', '.join(GROUPS)}")
    if to_ms <= from_ms:
        problems.append("the span ends before it begins")
    if to_ms - from_ms > DAYS_MAX * DAY_MS:
        problems.append(f"the span is longer than {DAYS_MAX} days")
    if problems:
        raise Refuse(*problems)


def _plus(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other
