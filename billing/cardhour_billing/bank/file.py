"""A bank's statement as CSV: whatever encoding, columns, dates and figures, as plain lines.

Owns reading. Does not own keeping lines (``bank``) nor what they pay (``match``). Banks agree on nothing, so a map
says which column is what; without one, names that banks use in English and Chinese are recognised. A file is read whole
or refused with every problem and its row: half a statement looks like a whole one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import msgspec
from msgspec import Struct

from cardhour_billing.bank.figures import date_format_of, decimal_point_of, read_day, read_figure
from cardhour_billing.money import Money, exponent
from cardhour_contract.errors import Refuse
from cardhour_contract.settings import read_file

BYTES_MAX = 64 * 1024 * 1024
"""A statement of some hundred thousand lines; above it someone named the wrong file."""
HEADER_WITHIN = 40
"""Rows among which the header is looked for: banks put their letterhead above it."""
PROBLEMS_MAX = 20

KNOWN: dict[str, tuple[str, ...]] = {
    "date": (
        "value date", "booking date", "transaction date", "posting date", "date", "交易日期", "记账日期", "入账日期",
        "交易日", "交易时间", "日期", "buchungstag", "valuta",
    ),
    "amount": ("amount", "transaction amount", "交易金额", "发生额", "金额", "betrag"),
    "credit": ("credit", "credit amount", "money in", "贷方发生额", "贷方金额", "收入金额", "收入", "转入金额"),
    "debit": ("debit", "debit amount", "money out", "借方发生额", "借方金额", "支出金额", "支出", "转出金额"),
    "payer": (
        "payer", "counterparty", "counterparty name", "name", "remitter", "对方户名", "对方名称", "对方账户名称",
        "付款人名称", "付款人", "auftraggeber",
    ),
    "reference": (
        "reference", "remittance information", "payment reference", "details", "description", "narrative", "附言",
        "摘要", "用途", "备注", "交易附言", "verwendungszweck",
    ),
    "bank_id": ("transaction id", "bank reference", "流水号", "交易流水号", "交易流水", "核心流水号"),
    "currency": ("currency", "币种", "货币", "währung"),
}  # fmt: skip
"""Column names of statements, lower case, by what they are; the first that is there is taken, all of ``reference``."""

CURRENCY_NAMES = {"人民币": "CNY", "RMB": "CNY", "美元": "USD", "欧元": "EUR", "港币": "HKD", "日元": "JPY"}


class BankMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A map file: which column is what, and how figures are written. What is empty is recognised by itself."""

    encoding: str = ""
    delimiter: str = ""
    date: str = ""
    date_format: str = ""
    """As Python's ``strptime`` takes it: ``%d/%m/%Y``."""
    amount: str = ""
    """Money in is positive. Or ``credit`` and ``debit``."""
    credit: str = ""
    debit: str = ""
    decimal: str = ""
    """``.`` or ``,``."""
    currency: str = ""
    """A column."""
    payer: str = ""
    reference: tuple[str, ...] = ()
    bank_id: str = ""


class StatementLine(Struct, frozen=True, kw_only=True):
    """One line. Money in is positive."""

    row: int
    """Of the file, from 1."""
    day: date
    amount: Money
    payer: str
    reference: str
    bank_id: str


def read_map(path: Path) -> BankMap:
    """A map file (TOML)."""
    if not path.is_file():
        raise Refuse(f"there is no {path}")
    try:
        return msgspec.convert(read_file(path), BankMap)
    except msgspec.ValidationError as error:
        raise Refuse(f"{path}: {error}") from error


def read_statement(path: Path, columns: BankMap, currency: str) -> tuple[StatementLine, ...]:
    """The lines of a statement, in its order. ``currency`` is that of lines that name none."""
    rows = _rows(path, columns)
    header_at, names = _header(path, rows, columns)
    at = {name: names.index(column) for name, column in _single(names, columns).items()}
    references = [names.index(column) for column in _references(names, columns)]
    body = [
        (number, row)
        for number, row in enumerate(rows[header_at + 1 :], start=header_at + 2)
        # Without a day it is no transaction: a total, a page's foot, an empty row.
        if len(row) > at["date"] and row[at["date"]].strip()
    ]
    if not body:
        raise Refuse(f"{path}: no line below the header in row {header_at + 1}")
    days = [row[at["date"]] for _, row in body]
    figures = [row[at[name]] for _, row in body for name in ("amount", "credit", "debit") if name in at]
    how = columns.date_format or date_format_of(path, days), columns.decimal or decimal_point_of(figures)
    problems: list[str] = []
    lines: list[StatementLine] = []
    for number, row in body:
        cells = [*row, *[""] * (len(names) - len(row))]
        try:
            lines.append(_line(number, cells, at, references, how, currency))
        except Refuse as error:
            problems.append(f"{path}:{number}: {error}")
    if problems:
        more = len(problems) - PROBLEMS_MAX
        raise Refuse(*problems[:PROBLEMS_MAX], *([f"… and {more} more rows"] if more > 0 else []))
    return tuple(lines)


def _line(
    number: int,
    cells: Sequence[str],
    at: Mapping[str, int],
    references: Sequence[int],
    how: tuple[str, str],
    currency: str,
) -> StatementLine:
    def cell(name: str) -> str:
        return cells[at[name]].strip() if name in at else ""

    code = CURRENCY_NAMES.get(cell("currency").upper(), cell("currency").upper()) or currency
    exponent(code)
    if "amount" in at:
        amount = read_figure(cell("amount"), how[1], code)
    else:
        # Some banks write what goes out with a minus sign in its own column, some without.
        out = read_figure(cell("debit"), how[1], code)
        amount = read_figure(cell("credit"), how[1], code) - Money(amount=abs(out.amount), currency=code)
    texts = dict.fromkeys(" ".join(cells[each].split()) for each in references)
    return StatementLine(
        row=number,
        day=read_day(cell("date"), how[0]),
        amount=amount,
        payer=" ".join(cell("payer").split())[:256],
        reference=" ".join(text for text in texts if text),
        bank_id=cell("bank_id")[:256],
    )


def _rows(path: Path, columns: BankMap) -> list[list[str]]:
    try:
        if path.stat().st_size > BYTES_MAX:
            raise Refuse(f"{path} has more than {BYTES_MAX:,} bytes: is it a statement?")
        content = path.read_bytes()
    except OSError as error:
        raise Refuse(f"{path} cannot be read: {error.strerror}") from error
    text = _decoded(path, content, columns.encoding)
    first = "\n".join(text.splitlines()[:HEADER_WITHIN])
    delimiter = columns.delimiter or max(",;\t", key=first.count)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise Refuse(f"{path}: not CSV: {error}") from error


def _decoded(path: Path, content: bytes, encoding: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        tried: tuple[str, ...] = ("utf-16",)
    else:
        tried = (encoding,) if encoding else ("utf-8-sig", "gb18030")
    for each in tried:
        try:
            return content.decode(each)
        except LookupError as error:
            raise Refuse(f"encoding: '{each}' is none that is known") from error
        except UnicodeDecodeError:
            continue
    raise Refuse(f"{path} is not text in {' or '.join(tried)}: name its encoding in a map")


def _header(path: Path, rows: Sequence[Sequence[str]], columns: BankMap) -> tuple[int, list[str]]:
    for at, row in enumerate(rows[:HEADER_WITHIN]):
        names = [" ".join(cell.split()) for cell in row]
        found = _single(names, columns)
        if "date" in found and ("amount" in found or "credit" in found):
            return at, names
    widest = max(rows[:HEADER_WITHIN], key=len, default=[])
    raise Refuse(
        f"{path}: no row has a date and an amount that are known by their names; say in a map which of these they are: "
        + ", ".join(f"'{' '.join(cell.split())}'" for cell in widest if cell.strip())
    )


def _single(names: Sequence[str], columns: BankMap) -> dict[str, str]:
    """What each column of one cell is called here."""
    found: dict[str, str] = {}
    lower = {name.lower(): name for name in reversed(names)}
    for what in ("date", "amount", "credit", "debit", "payer", "bank_id", "currency"):
        named = getattr(columns, what)
        if named:
            if named in names:
                found[what] = named
        elif known := next((lower[each] for each in KNOWN[what] if each in lower), None):
            found[what] = known
    if "credit" in found and not columns.amount:
        found.pop("amount", None)
    return found


def _references(names: Sequence[str], columns: BankMap) -> list[str]:
    if columns.reference:
        return [name for name in names if name in columns.reference]
    return [name for name in names if name.lower() in KNOWN["reference"]]
