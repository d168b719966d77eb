"""The catalog as a file: TOML in, typed tables with their line numbers out.

Owns the shape of the file and what can be said of one table by itself. Does not own what the tables mean together or
against the store (``catalog_plan``). Every problem of the file is collected, each with its line.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from cardhour_billing.money import exponent, parse_price, parse_rate
from cardhour_billing.month import zone
from cardhour_billing.tax import RATED, Category
from cardhour_contract.errors import Refuse
from cardhour_contract.identity import NAME_BYTES_MAX
from cardhour_contract.moment import QUARTER_MS, ceil_to, floor_to, format_rfc3339, to_ms

T = TypeVar("T", bound=Struct)

FILE_BYTES_MAX = 64 * 1024 * 1024
"""A catalog of half a million tables; above it someone named the wrong file."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEADER = re.compile(r"\s*\[+\s*([A-Za-z_-]+)\s*\]+\s*(?:#.*)?$")


class BankTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``bank = { … }`` of the issuer."""

    account_name: str = ""
    bank: str = ""
    account: str = ""


class IssuerTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[issuer]``: the legal entity that bills."""

    name: str
    currency: str
    timezone: str
    id: str = "default"
    legal_name: str = ""
    address: str | list[str] = ""
    tax_id: str = ""
    bank: BankTable = BankTable()
    number_prefix: str = "INV"


class CustomerTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[customer]]``: who pays. Currency and time zone default to the issuer's."""

    id: str
    name: str
    legal_name: str = ""
    address: str | list[str] = ""
    tax_id: str = ""
    po_number: str = ""
    language: Literal["en", "zh-hans", "zh-Hans"] = "en"
    currency: str = ""
    timezone: str = ""
    terms_days: int = 30


class BindingTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[binding]]``: an owner, anywhere or in a named place, is a customer."""

    owner: str
    customer: str
    from_: datetime = msgspec.field(name="from")
    to: datetime | None = None
    project: str = ""
    cluster: str = ""
    node: str = ""
    card: str = ""


class PriceTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[price]]``: what one card-hour of a model costs. The currency defaults to the issuer's."""

    model: str
    per: Literal["card-hour"]
    amount: str
    from_: datetime = msgspec.field(name="from")
    to: datetime | None = None
    currency: str = ""
    includes_tax: bool = False


class TaxTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[tax]]``: how sales are taxed: of everything to everybody, of a model, to a customer."""

    category: Category
    rate: str = "0"
    from_: datetime = msgspec.field(name="from")
    to: datetime | None = None
    customer: str = ""
    model: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Located(Generic[T]):
    """A table and where it stands: ``where`` is ``file.toml:12``."""

    where: str
    table: T


@dataclass(slots=True, kw_only=True)
class CatalogFile:
    """The readable tables of a file, and everything found wrong so far."""

    path: Path
    issuer: Located[IssuerTable] | None = None
    customers: list[Located[CustomerTable]] = field(default_factory=list)
    bindings: list[Located[BindingTable]] = field(default_factory=list)
    prices: list[Located[PriceTable]] = field(default_factory=list)
    taxes: list[Located[TaxTable]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    """Ids of customers whose table has a problem, so that what names them is not called wrong as well."""


def read_catalog(path: Path) -> CatalogFile:
    """Read ``path``. Problems of single tables are in ``problems``; a file that is no TOML is refused at once."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise Refuse(f"{path} is larger than {FILE_BYTES_MAX} bytes: is it a catalog?")
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refuse(f"{path}: {error}") from error
    lines = _header_lines(text)
    file = CatalogFile(path=path)
    for name in content.keys() - {"issuer", "customer", "binding", "price", "tax"}:
        file.problems.append(f"{_where(path, lines, name, 0)}: [{name}] is not a table of a catalog")
    issuers = _tables(file, lines, content, "issuer", IssuerTable, many=False)
    file.issuer = issuers[0] if issuers else None
    file.customers = _tables(file, lines, content, "customer", CustomerTable)
    file.bindings = _tables(file, lines, content, "binding", BindingTable)
    file.prices = _tables(file, lines, content, "price", PriceTable)
    file.taxes = _tables(file, lines, content, "tax", TaxTable)
    everything: list[Located[Any]] = [*issuers, *file.customers, *file.bindings, *file.prices, *file.taxes]
    for located in everything:
        file.problems += [f"{located.where}: {problem}" for problem in _problems(located.table)]
    return file


def _header_lines(text: str) -> dict[str, list[int]]:
    """Line numbers of each table's headers, in order."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _HEADER.match(line):
            found.setdefault(match[1], []).append(number)
    return found


def _where(path: Path, lines: dict[str, list[int]], name: str, at: int) -> str:
    numbers = lines.get(name, [])
    return f"{path}:{numbers[at]}" if at < len(numbers) else str(path)


def _tables(
    file: CatalogFile,
    lines: dict[str, list[int]],
    content: dict[str, Any],
    name: str,
    kind: type[T],
    *,
    many: bool = True,
) -> list[Located[T]]:
    found: list[Located[T]] = []
    if name not in content:
        return found
    raw = content[name]
    if isinstance(raw, dict) == many:
        written = f"[[{name}]]" if many else f"[{name}]"
        file.problems.append(f"{_where(file.path, lines, name, 0)}: write {written}")
        return found
    tables = raw if many else [raw]
    if len(lines.get(name, ())) != len(tables):
        lines = {}  # inline tables, or text that looks like a header: better no line than a wrong one
    for at, values in enumerate(tables):
        where = _where(file.path, lines, name, at)
        try:
            found.append(Located(where=where, table=msgspec.convert(values, kind)))
        except msgspec.ValidationError as error:
            file.problems.append(f"{where}: [{name}] {_readable(error, values)}")
            if kind is CustomerTable and isinstance(values.get("id"), str):
                file.unreadable.add(values["id"])
    return found


def _readable(error: msgspec.ValidationError, values: dict[str, Any]) -> str:
    if isinstance(values.get("rate"), int | float):
        return 'rate: write the rate in quotes, such as "6": a bare number would be read as binary'
    if isinstance(values.get("amount"), int | float):
        return (
            'amount: write the price in quotes, such as "1.25": a bare number would be read as binary, and lose digits'
        )
    return re.sub(r" - at `\$\.?(.*)`$", r" (\1)", str(error)).replace("Object", "the table").replace(" ()", "")


def _problems(table: Struct) -> list[str]:
    match table:
        case IssuerTable():
            return _check(
                (_id, table.id),
                (_name, table.name),
                (exponent, table.currency),
                (zone, table.timezone),
                (_id, table.number_prefix),
            )
        case CustomerTable():
            found = _check((_id, table.id), (_name, table.name))
            found += _check((exponent, table.currency)) if table.currency else []
            found += _check((zone, table.timezone)) if table.timezone else []
            return found if 0 <= table.terms_days <= 3650 else [*found, "terms_days is from 0 to 3650"]
        case BindingTable():
            found = _check((_owner, table.owner), *((_id, each) for each in (table.project,) if each))
            found += _check(*((_name, each) for each in (table.cluster, table.node, table.card) if each))
            return found + _times(table.from_, table.to)
        case PriceTable():
            found = _check((_name, table.model))
            found += _check((exponent, table.currency)) if table.currency else []
            # USD only lends its decimals here; the plan parses again in the currency that the price ends up with.
            return (
                found
                + _check((lambda text: parse_price(text, table.currency or "USD"), table.amount))
                + _times(table.from_, table.to)
            )
        case TaxTable():
            return _tax_problems(table) + _times(table.from_, table.to)
    return []


def _tax_problems(table: TaxTable) -> list[str]:
    found = _check((parse_rate, table.rate))
    found += _check(*((_owner, each) for each in (table.model,) if each))
    if not found and (parse_rate(table.rate) > 0) != (table.category in RATED):
        wanted = "a rate above 0" if table.category in RATED else "no rate"
        found.append(f"rate: {table.category} has {wanted}")
    if table.category == "exempt" and not table.note:
        found.append("note: say why nothing is charged; a document must state the reason of an exemption")
    return found


def _check(*checks: tuple[Any, str]) -> list[str]:
    found: list[str] = []
    for check, value in checks:
        try:
            check(value)
        except Refuse as error:
            found += error.problems
    return found


def _id(text: str) -> None:
    if not _ID.fullmatch(text):
        raise Refuse(f"'{text}' is not an id: letters, digits, dot, dash and underscore, at most 64")


def _name(text: str) -> None:
    if not text or text.strip() != text or len(text.encode()) > NAME_BYTES_MAX:
        raise Refuse(f"'{text[:40]}' is not a name: 1 to {NAME_BYTES_MAX} bytes, no space around it")


def _owner(text: str) -> None:
    _name(text)
    if "*" in text[:-1]:
        raise Refuse(f"'{text}': a * may only stand at the end, and means every owner that begins so")


def _times(from_: datetime, to: datetime | None) -> list[str]:
    found: list[str] = []
    for key, at in (("from", from_), ("to", to)):
        if at is not None:
            try:
                at_ms = to_ms(at)
            except Refuse as error:
                found.append(f"{key}: {error}")
                continue
            if at_ms % QUARTER_MS:
                before, after = format_rfc3339(floor_to(at_ms, QUARTER_MS)), format_rfc3339(ceil_to(at_ms, QUARTER_MS))
                found.append(
                    f"{key}: {format_rfc3339(at_ms)} is off a quarter hour; the nearest are {before} and {after}"
                )
    if not found and to is not None and to <= from_:
        found.append("to: must be after from")
    return found
