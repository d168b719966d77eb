"""Whose usage is it: the most specific binding that covers an owner, somewhere, at an instant.

Owns matching and what counts as an overlap. Does not own the rows (``models``) nor what usage costs
(``rating``). Card beats node beats cluster beats everywhere; then an exact owner beats a prefix, and a longer prefix a
shorter one. Two bindings that are equally specific may not cover the same usage at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

from msgspec import Struct

Scope = tuple[str, str]
"""The most specific place a binding names: ``("card" | "node" | "cluster" | "all", its name)``."""


class BindingRow(Struct, frozen=True, kw_only=True):
    """A current binding. Valid ``[from_ms, to_ms)`` in UTC milliseconds; no end where ``to_ms`` is ``None``."""

    id: int
    customer: str
    project: str = ""
    owner: str
    """Exact, or a prefix ending in ``*``."""
    cluster: str = ""
    node: str = ""
    card: str = ""
    from_ms: int
    to_ms: int | None = None

    @property
    def scope(self) -> Scope:
        for level in ("card", "node", "cluster"):
            if name := getattr(self, level):
                return level, name
        return "all", ""

    def holds_at(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms and (self.to_ms is None or at_ms < self.to_ms)

    def covers(self, cluster: str, node: str, card: str) -> bool:
        """Whether every place it names is this one."""
        return self.cluster in ("", cluster) and self.node in ("", node) and self.card in ("", card)


class Bindings:
    """Bindings, indexed so that finding a customer does not depend on how many there are."""

    def __init__(self, rows: Iterable[BindingRow]) -> None:
        self.rows = tuple(rows)
        self._by_place: dict[tuple[Scope, str], list[BindingRow]] = {}
        for row in self.rows:
            self._by_place.setdefault((row.scope, row.owner), []).append(row)
        prefixes = {len(row.owner) - 1 for row in self.rows if row.owner.endswith("*")}
        self._prefix_lengths = sorted(prefixes, reverse=True)
        self._found: dict[tuple[str, str, str, str], tuple[BindingRow, ...]] = {}

    def find(self, owner: str, cluster: str, node: str, card: str, at_ms: int) -> BindingRow | None:
        """The binding that decides at ``at_ms``; ``None`` where the usage is unassigned."""
        place = (owner, cluster, node, card)
        rows = self._found.get(place)
        if rows is None:
            rows = self._found[place] = tuple(self._candidates(*place))
        for row in rows:  # asked once for every sum of usage
            if row.from_ms <= at_ms and (row.to_ms is None or at_ms < row.to_ms):
                return row
        return None

    def _candidates(self, owner: str, cluster: str, node: str, card: str) -> Iterator[BindingRow]:
        """Bindings that could cover the place at some time, most specific first."""
        patterns = [owner, *(f"{owner[:n]}*" for n in self._prefix_lengths if n <= len(owner))]
        for scope in (("card", card), ("node", node), ("cluster", cluster), ("all", "")):
            for pattern in patterns:
                for row in self._by_place.get((scope, pattern), ()):
                    if row.covers(cluster, node, card):
                        yield row


def overlaps(rows: Iterable[BindingRow]) -> Iterator[tuple[BindingRow, BindingRow]]:
    """Pairs of equally specific bindings that cover the same usage at the same time."""
    groups: dict[tuple[Scope, str], list[BindingRow]] = {}
    for row in rows:
        groups.setdefault((row.scope, row.owner), []).append(row)
    for group in groups.values():
        for one, other in combinations(group, 2):
            same_place = all(
                not one_name or not other_name or one_name == other_name
                for one_name, other_name in ((one.cluster, other.cluster), (one.node, other.node))
            )
            if same_place and times_meet(one.from_ms, one.to_ms, other.from_ms, other.to_ms):
                yield one, other


def times_meet(from_ms: int, to_ms: int | None, other_from_ms: int, other_to_ms: int | None) -> bool:
    """Whether two half-open validities share an instant; ``None`` is without end."""
    return (to_ms is None or other_from_ms < to_ms) and (other_to_ms is None or from_ms < other_to_ms)
