"""What the catalog knows how to do with one kind of table, such as ``[[price]]``: the shape that each noun fills in.

Owns the shapes that the nouns share: the file as it was read, what a plan knows, what a noun is. Does not own any noun:
each has a module of its own, ``<noun>``, and stands in the one list, ``nouns``. A noun is
- ``table``: the msgspec Struct that a table of the file is read into (unknown keys are refused),
- ``problems``: what is wrong with one table by itself,
- ``changes``: what applying the file's tables would change in the store, with problems for what cannot be,
- ``write``: how one of those changes is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct

from cardhour_billing.catalog.change import Change

if TYPE_CHECKING:
    from cardhour_billing.models import Issuer

T = TypeVar("T", bound=Struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Located(Generic[T]):
    """A table and where it stands: ``where`` is ``file.toml:12``."""

    where: str
    table: T


@dataclass(slots=True, kw_only=True)
class CatalogFile:
    """The readable tables of a file, and everything found wrong so far."""

    path: Path
    tables: dict[type[Struct], list[Located[Any]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    """Ids of tables that have a problem, so that what names them is not called wrong as well."""

    def of(self, table: type[T]) -> list[Located[T]]:
        """The tables of one noun, in the order of the file."""
        return self.tables.get(table, [])


@dataclass(slots=True, kw_only=True)
class Planning:
    """What a noun is given to compare its tables with the store. Problems go to ``problems``, each with its place."""

    file: CatalogFile
    issuers: Mapping[str, Issuer]
    """Who bills, by id, as they would stand afterwards; not saved."""
    customers: set[str]
    """Ids of customers, known and in the file."""
    problems: list[str]
    simulated: bool = False
    """Nothing will be written, so what issued documents rest on may change."""
    correct: bool = False
    """What issued documents rest on may change: what they billed is computed again, and adjusted."""

    @property
    def issuer(self) -> Issuer:
        """The first issuer: of all that names none."""
        return next(iter(self.issuers.values()))

    def rests_on(self, located: Located[Any], problems: Iterable[str]) -> None:
        """Complain about a change to what was billed, unless it is meant to correct that."""
        if not (self.simulated or self.correct):
            self.problems += [
                f"{located.where}: {each}; if it was wrong, cardhour catalog apply --correct corrects it"
                for each in problems
            ]

    def known_customer(self, located: Located[Any], customer: str) -> None:
        """Complain about a customer that is neither in the file nor in the store."""
        if customer not in self.customers:
            self.problems.append(f"{located.where}: customer '{customer}' is not in this file nor known")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun(Generic[T]):
    """One kind of table."""

    name: str
    """As the file writes it: ``price`` for ``[[price]]``."""
    table: type[T]
    problems: Callable[[T], list[str]]
    changes: Callable[[Planning], Iterable[Change]]
    write: Callable[[Change, int], None]
    """Write one change, recorded at an instant in UTC milliseconds."""
    text: Callable[[Any], tuple[str, str]] = lambda row: ("", "")
    """How a row reads, as a change of it is shown and audited: subject and detail."""
    alone: bool = False
    """Whether a file that has one of them may write ``[issuer]`` for ``[[issuer]]``."""
