"""What a card-hour costs: the price of a model, in a currency, at an instant.

Owns finding the price that holds, and the contracts that say in which books to look. Does not own the rows (``models``)
nor arithmetic (``rate_scheme``, ``money``). A price is for an exact model, for every model that begins so (``A100*``),
or for a group of either, whose usage it then counts together. In one book an exact model beats a prefix, and a longer
prefix a shorter one; a contract's own (negotiated) prices beat its book, and that beats the list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

from msgspec import Struct

from cardhour_billing.money import UnitPrice, percent_text
from cardhour_billing.rating.binding import times_meet
from cardhour_billing.rating.rate_scheme import Band, Rate

LIST_BOOK = "list"
"""The price list of whoever has no contract."""

NEGOTIATED = "@"
"""What the name of a contract's own book begins with; no id that people choose does."""


class PriceRow(Rate, frozen=True, kw_only=True):
    """A current price, per card-hour. Valid ``[from_ms, to_ms)``; no end where ``to_ms`` is ``None``.

    Its own rate holds at all hours that no band covers.
    """

    id: int
    book: str = LIST_BOOK
    model: str
    """Exact, or a prefix ending in ``*``; where ``models`` are, the name of their group."""
    models: tuple[str, ...] = ()
    """The members of a group, each exact or a prefix."""
    currency: str
    from_ms: int
    to_ms: int | None = None
    includes_tax: bool = False
    """Whether the price has its tax in it."""
    bands: tuple[Band, ...] = ()

    @property
    def unit_price(self) -> UnitPrice:
        """The price of the first card-hour outside any band."""
        return UnitPrice(nano=self.nano, currency=self.currency)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The models it is for, exact or as prefixes."""
        return self.models or (self.model,)

    def rate(self, band: str) -> Rate:
        """The rate of a band by name; its own for none."""
        return next((each for each in self.bands if each.name == band), self)

    def holds_at(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms and (self.to_ms is None or at_ms < self.to_ms)


class ContractRow(Struct, frozen=True, kw_only=True):
    """A current contract: what one customer pays by. Valid ``[from_ms, to_ms)``."""

    id: int
    key: str
    customer: str
    book: str = LIST_BOOK
    discount_ppm: int = 0
    """Off every price but negotiated ones, in parts per million."""
    from_ms: int
    to_ms: int | None = None

    @property
    def own_book(self) -> str:
        """The book of its negotiated prices."""
        return NEGOTIATED + self.key

    @property
    def discount(self) -> str:
        """In percent: ``15``."""
        return percent_text(self.discount_ppm)

    def holds_at(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms and (self.to_ms is None or at_ms < self.to_ms)


class Prices:
    """Prices by book, model and currency."""

    def __init__(self, rows: Iterable[PriceRow]) -> None:
        self.rows = tuple(rows)
        self._by_pattern: dict[tuple[str, str, str], list[PriceRow]] = {}
        for row in self.rows:
            for pattern in row.patterns:
                self._by_pattern.setdefault((row.book, pattern, row.currency), []).append(row)
        prefixes = {len(pattern) - 1 for row in self.rows for pattern in row.patterns if pattern.endswith("*")}
        self._prefix_lengths = sorted(prefixes, reverse=True)
        self._found: dict[tuple[str, str, str], tuple[PriceRow, ...]] = {}

    def find(self, book: str, model: str, currency: str, at_ms: int) -> PriceRow | None:
        """The price that holds in one book at ``at_ms``."""
        key = (book, model, currency)
        rows = self._found.get(key)
        if rows is None:
            rows = self._found[key] = tuple(self._candidates(*key))
        for row in rows:
            if row.holds_at(at_ms):
                return row
        return None

    def find_under(self, contract: ContractRow | None, model: str, currency: str, at_ms: int) -> PriceRow | None:
        """The price that holds for a customer: negotiated, else of the contract's book, else of the list."""
        if contract is None:
            return self.find(LIST_BOOK, model, currency, at_ms)
        for book in (contract.own_book, contract.book, LIST_BOOK):
            if row := self.find(book, model, currency, at_ms):
                return row
        return None

    def _candidates(self, book: str, model: str, currency: str) -> Iterator[PriceRow]:
        for pattern in (model, *(f"{model[:n]}*" for n in self._prefix_lengths if n <= len(model))):
            yield from self._by_pattern.get((book, pattern, currency), ())


def price_overlaps(rows: Iterable[PriceRow]) -> Iterator[tuple[PriceRow, PriceRow, str]]:
    """Pairs of prices of one book that hold for the same model at one time, and the model."""
    groups: dict[tuple[str, str, str], list[PriceRow]] = {}
    for row in rows:
        for pattern in row.patterns:
            groups.setdefault((row.book, pattern, row.currency), []).append(row)
    for (_, pattern, _), group in groups.items():
        for one, other in combinations(group, 2):
            if times_meet(one.from_ms, one.to_ms, other.from_ms, other.to_ms):
                yield one, other, pattern


def contract_overlaps(rows: Iterable[ContractRow]) -> Iterator[tuple[ContractRow, ContractRow]]:
    """Pairs of contracts of one customer that hold at one time."""
    groups: dict[str, list[ContractRow]] = {}
    for row in rows:
        groups.setdefault(row.customer, []).append(row)
    for group in groups.values():
        for one, other in combinations(group, 2):
            if times_meet(one.from_ms, one.to_ms, other.from_ms, other.to_ms):
                yield one, other
