"""What a list is: a small description, from which one view and one template make the page.

Owns the shapes. Does not own any list: those stand in ``catalog_lists``, ``money_lists`` and ``fleet_lists``, and all
of them in ``nouns``. Texts are marked for translation where a noun is described.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet
from django.utils.functional import Promise

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.client import Warehouse

Words = str | Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a row is looked at: the zone of its times, and when now is (UTC milliseconds).

    beside: what was read for the rows of a page alone, by the key of each (``Noun.beside``).
    """

    timezone: str
    now_ms: int
    beside: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    key: name in files and in ``sort``.
    beside: the text is of what was read for the rows of a page alone: no list is sorted by it.
    text: what a row shows; ``small`` is a second, quieter line; ``narrow`` is one on a phone alone, where what a
      column of its own says on a wide page has no room.
    raw: what a file has, where that is not the text (exact integers, ISO times).
    order: what rows are sorted by, for the store; empty: not at all. Rows of the warehouse sort by ``raw`` or ``text``.
    pill: the text is a state, one of ``states.STATES``.
    leads: slug of the list whose page ``target`` (a row's id there) the text leads to.
    """

    key: str
    head: Words
    text: Callable[[Any, Look], str]
    small: Callable[[Any, Look], str] | None = None
    narrow: Callable[[Any, Look], str] | None = None
    raw: Callable[[Any, Look], Any] | None = None
    order: tuple[str, ...] = ()
    number: bool = False
    wide: bool = False
    mono: bool = False
    pill: bool = False
    beside: bool = False
    leads: str = ""
    target: Callable[[Any], Any] | None = None

    @property
    def classes(self) -> str:
        """How its cells are set."""
        return " ".join(each for each, so in (("number", self.number), ("wide-cell", self.wide)) if so)

    def value(self, row: Any, look: Look) -> Any:
        """What a file has."""
        return self.raw(row, look) if self.raw else self.text(row, look)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A choice that narrows the list. ``match`` gives the condition of a value, or a test of a row of the warehouse."""

    key: str
    label: Words
    choices: Callable[[], Sequence[tuple[str, Words]]]
    match: Callable[[str], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of a record's page; empty text is left out."""

    name: Words
    text: Callable[[Any, Look], str]
    mono: bool = False
    pill: bool = False
    """The text is one of ``states.STATES``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A list that a record's page leads to, narrowed to what concerns it."""

    slug: str
    query: Callable[[Any], dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A small table on a record's page, such as what a payment paid."""

    title: Words
    heads: tuple[Words, ...]
    rows: Callable[[Any, Look], Iterable[Sequence[str]]]
    numbers: frozenset[int] = frozenset()
    """Columns that are figures, from 0."""
    wide: frozenset[int] = frozenset()
    """Columns for which a phone has no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """One list.

    rows: the records, with what the columns need; or
    stored: the same of the warehouse, which come all at once.
    search: fields that the search looks into; of the warehouse, every column.
    same: the condition of a record's other versions; what has one is bitemporal, and has a history.
    """

    slug: str
    group: str
    """The section of the side bar: ``catalog``, ``money`` or ``fleet``."""
    title: Words
    one: Words
    """What one of them is called."""
    help: Words
    empty: Words
    columns: tuple[Column, ...]
    rows: Callable[[], QuerySet[Any]] | None = None
    stored: Callable[[Warehouse], Sequence[Any]] | None = None
    key: Callable[[Any], str] = field(default=lambda row: str(row.pk))
    search: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    order: str = ""
    """Column key, with a minus for the other way round."""
    same: Callable[[Any], Q] | None = None
    audited: Callable[[Any], str] | None = None
    """The subject under which the audit log has a record's changes."""
    facts: tuple[Fact, ...] = ()
    related: tuple[Related, ...] = ()
    parts: tuple[Part, ...] = ()
    ticked: str = ""
    """Name of the address that ticked rows are sent to, by whoever may bill."""
    tick: Callable[[Any], bool] = field(default=lambda row: True)
    """Whether a row may be ticked."""
    summary: Callable[[Sequence[Any]], Any] | None = None
    """What stands above the list of the warehouse, of all its rows (``parts/summary_<slug>.html``)."""
    beside: Callable[[Warehouse, Sequence[Any], int], Mapping[str, Any]] | None = None
    """What takes long to know of a row, so that it is read for those that are shown: of rows, now; by their keys."""
    texts: Callable[[Warehouse, Any], Sequence[tuple[Words, str]]] | None = None
    """Long texts of a record's page that are read for it alone."""
    changes: str = ""
    """The catalog's table that changes one, where people may: ``binding``."""

    @property
    def bitemporal(self) -> bool:
        return self.same is not None

    def column(self, key: str) -> Column | None:
        return next((each for each in self.columns if each.key == key), None)
