"""One change to the catalog, as it is shown before it is applied, and how changes are found.

Owns comparing the rows that a file asks for with those in force: what is new, what supersedes, which two say the same.
Does not own what any row means (``catalog_<noun>``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Literal, Protocol, TypeVar

from msgspec import Struct, structs

from cardhour_contract.moment import format_rfc3339


class CatalogRow(Protocol):
    """A bitemporal row as a plain Struct."""

    @property
    def id(self) -> int: ...
    @property
    def from_ms(self) -> int: ...
    @property
    def to_ms(self) -> int | None: ...


class Change(Struct, frozen=True, kw_only=True):
    """One row to write."""

    kind: str
    """The noun: ``price``."""
    action: Literal["add", "change"]
    subject: str
    detail: str
    """What differs, as ``field before → after``; for a new row, what it says."""
    fields: dict[str, Any] = {}
    """For what is edited in place (issuer, customer): the columns to set."""
    row: Any = None
    """For what is superseded: the row to record."""
    supersedes: int | None = None
    """Id of the row that ``row`` replaces."""


Row = TypeVar("Row", bound=Struct)


class RowPlan(Generic[Row]):
    """The rows of one noun: those in force, and those that a file asks for.

    ``key`` is what makes two rows the same one (all but what may be corrected); ``text`` gives subject and detail.
    """

    def __init__(
        self,
        kind: str,
        stored: Iterable[Row],
        *,
        key: Callable[[Row], tuple[Any, ...]],
        text: Callable[[Row], tuple[str, str]],
    ) -> None:
        self.kind = kind
        self.changes: list[Change] = []
        self.where: dict[int, str] = {}
        """Place in the file, by id of the row."""
        self._key, self._text = key, text
        self._stored = {key(row): row for row in stored}
        self._after: dict[tuple[Any, ...], Row] = dict(self._stored)

    def new_id(self) -> int:
        """An id for a row that is not stored yet: negative, so that none is taken for a stored one."""
        return -1 - len(self.where)

    def add(self, where: str, row: Row) -> Row | None:
        """Ask for ``row`` (whose id is ``new_id()``). The row in force that it changes, if it changes one."""
        self.where[_id(row)] = where
        key = self._key(row)
        known = self._stored.get(key)
        if known is not None and structs.replace(row, id=_id(known)) == known:
            self.where[_id(known)] = where
            return None
        twin = self._after.pop(key, None)
        if twin is not None and _id(twin) < 0:
            self._after[(*key, _id(twin))] = twin  # the same one twice in a file: leave both for the overlap check
        self._after[key] = row
        self.changes.append(self._change(row, known))
        return known

    @property
    def after(self) -> list[Row]:
        """All rows as they would stand afterwards."""
        return list(self._after.values())

    def overlap(self, one: Row, other: Row, sentence: str) -> str:
        """Words for two rows that hold at one time and may not."""
        by_age = sorted((_id(one), _id(other)), reverse=True)
        lines = [self.where[each] for each in by_age if each in self.where]
        stored: Any = next((row for row in (one, other) if _id(row) not in self.where), None)
        if stored is None:
            return f"{lines[-1]}: {sentence}; it overlaps with {lines[0]}: give the earlier one a to"
        since = format_rfc3339(stored.from_ms)
        return (
            f"{lines[-1]}: {sentence}; it overlaps with the {self.kind} in force from {since}: name that too, with a to"
        )

    def _change(self, row: Row, known: Row | None) -> Change:
        subject, detail = self._text(row)
        if known is None:
            return Change(kind=self.kind, action="add", subject=subject, detail=detail, row=row)
        detail = f"{self._text(known)[1]} → {detail}"
        return Change(kind=self.kind, action="change", subject=subject, detail=detail, row=row, supersedes=_id(known))


def party_change(
    kind: Literal["issuer", "customer"], subject: str, known: Mapping[str, Any] | None, wanted: dict[str, Any]
) -> Change | None:
    """The change from the stored columns to the wanted ones; ``None`` where they agree."""
    if known is None:
        shown = ", ".join(f"{key} {_shown(value)}" for key, value in wanted.items() if value)
        return Change(kind=kind, action="add", subject=subject, detail=shown, fields=wanted)
    differ = {key: value for key, value in wanted.items() if known[key] != value}
    if not differ:
        return None
    detail = ", ".join(f"{key} {_shown(known[key])} → {_shown(value)}" for key, value in differ.items())
    return Change(kind=kind, action="change", subject=subject, detail=detail, fields=differ)


def validity_text(row: CatalogRow) -> str:
    """``from … to …``."""
    ended = f" to {format_rfc3339(row.to_ms)}" if row.to_ms is not None else ""
    return f"from {format_rfc3339(row.from_ms)}{ended}"


def _id(row: Any) -> int:
    found: int = row.id
    return found


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value)
