"""An invoice as a workbook: what it says, its lines, and each line's days and cards, as numbers that add up.

Owns the sheets and the formats of their cells. Does not own the figures (``document``). Numbers are numbers, days are
days, and words are only ever words, so no cell is a formula. A figure with more digits than a spreadsheet can hold (15)
stays text rather than lose one. Equal documents give equal bytes.
"""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import xlsxwriter

from cardhour_billing.frozen.document import DocumentLine, InvoiceDocument
from cardhour_billing.money import card_hours

DIGITS_MAX = 15
"""A cell is a double: of more digits the last ones would be invented."""
TEXT_MAX = 32_767
"""Characters a cell can hold."""

Kind = Literal["text", "day", "whole", "money", "price", "quantity", "hours"]


class Column(NamedTuple):
    """A column: what stands in its head, how wide it is, and what its cells are."""

    name: str
    width: int
    kind: Kind


LINES = (
    Column("No. 序号", 8, "whole"),
    Column("Model 型号", 26, "text"),
    Column("Description 说明", 34, "text"),
    Column("Band 时段", 12, "text"),
    Column("Tier 阶梯", 12, "text"),
    Column("First day 首日", 13, "day"),
    Column("Last day 末日", 13, "day"),
    Column("Quantity 数量", 16, "quantity"),
    Column("Unit 单位", 13, "text"),
    Column("Price 单价", 16, "price"),
    Column("Amount 金额", 16, "money"),
    Column("Net 未税金额", 16, "money"),
    Column("Tax 税", 20, "text"),
)
DAYS = (
    Column("No. 序号", 8, "whole"),
    Column("Model 型号", 26, "text"),
    Column("Day 日期", 13, "day"),
    Column("Card-hours 卡时", 18, "hours"),
    Column("Amount 金额", 16, "money"),
)
CARDS = (
    Column("No. 序号", 8, "whole"),
    Column("Model 型号", 26, "text"),
    Column("Card 卡", 42, "text"),
    Column("Node 节点", 20, "text"),
    Column("Card-hours 卡时", 18, "hours"),
    Column("Amount 金额", 16, "money"),
)


def render(document: InvoiceDocument) -> bytes:
    """The workbook."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"constant_memory": True}) as workbook:
        book = _Book(workbook, document)
        book.summary()
        book.sheet("Lines 明细", LINES, map(_line, document.lines))
        book.sheet("Days 每日", DAYS, _days(document.lines))
        book.sheet("Cards 卡", CARDS, _cards(document.lines))
    return content.getvalue()


def _line(line: DocumentLine) -> tuple[str, ...]:
    return (
        str(line.position), line.model, line.description, line.band, line.tier, line.first_day, line.last_day,
        line.printed_quantity, line.unit, line.unit_price, line.amount, line.net or line.amount, line.tax_category,
    )  # fmt: skip


def _days(lines: Iterable[DocumentLine]) -> Iterator[tuple[str, ...]]:
    for line in lines:
        for day in line.days:
            yield str(line.position), line.model, day.day, card_hours(day.quantity_us), day.amount


def _cards(lines: Iterable[DocumentLine]) -> Iterator[tuple[str, ...]]:
    for line in lines:
        for card in line.cards:
            yield str(line.position), line.model, card.card, card.node, card_hours(card.quantity_us), card.amount


class _Book:
    """A workbook being written, top to bottom: no row is touched again."""

    def __init__(self, workbook: Any, document: InvoiceDocument) -> None:
        self.workbook, self.document = workbook, document
        made = datetime.date.fromisoformat(document.issue_date or document.period.last_day)
        # A fixed time, not that of writing: equal documents are equal files.
        workbook.set_properties({
            "title": document.number or "draft", "author": document.issuer.legal_name,
            "created": datetime.datetime(made.year, made.month, made.day, tzinfo=datetime.UTC).replace(tzinfo=None),
        })  # fmt: skip
        decimals = "." + "0" * document.decimals if document.decimals else ""
        formats = {
            "text": "@",
            "day": "yyyy-mm-dd",
            "whole": "0",
            "money": f"#,##0{decimals}",
            "price": f"#,##0{decimals}" + "#" * (9 - document.decimals) if decimals else "#,##0.#########",
            "quantity": "#,##0.0000#####",
            "hours": "#,##0.000000000",
        }
        self.formats = {kind: workbook.add_format({"num_format": text}) for kind, text in formats.items()}
        self.head = workbook.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.strong = workbook.add_format({"bold": True})

    def sheet(self, name: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        """A table with a head that stays in sight and can be filtered."""
        sheet = self.workbook.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for at, column in enumerate(columns):
            sheet.set_column(at, at, column.width)
            sheet.write_string(0, at, column.name, self.head)
        last = 0
        for last, row in enumerate(rows, start=1):
            for at, (column, value) in enumerate(zip(columns, row, strict=True)):
                self._cell(sheet, last, at, column.kind, value)
        sheet.autofilter(0, 0, last, len(columns) - 1)

    def summary(self) -> None:
        """Who, what, when, and the sums."""
        document = self.document
        sheet = self.workbook.add_worksheet("Summary 摘要")
        sheet.set_column(0, 0, 30)
        sheet.set_column(1, 1, 44)
        sheet.set_column(2, 2, 18)
        for row, (name, kind, value, beside) in enumerate(_summary(document)):
            sheet.write_string(row, 0, name, self.strong)
            self._cell(sheet, row, 1, kind, value)
            if beside:
                self._cell(sheet, row, 2, "money", beside)

    def _cell(self, sheet: Any, row: int, at: int, kind: Kind, value: str) -> None:
        if not value:
            return
        if kind == "day":
            sheet.write_datetime(row, at, datetime.date.fromisoformat(value), self.formats[kind])
        elif kind == "text" or len(value.strip("-0.").replace(".", "")) > DIGITS_MAX:
            sheet.write_string(row, at, value[:TEXT_MAX], self.formats["text"])
        else:
            # What a cell holds is a double, and shows these digits exactly; nothing is computed with it here.
            sheet.write_number(row, at, float(value), self.formats[kind])


def _summary(document: InvoiceDocument) -> Iterator[tuple[str, Kind, str, str]]:
    """Name, what the value is, value, and the tax beside a net."""
    yield "Document 文件", "text", document.number or "Draft 草稿", ""
    yield "From 出具方", "text", document.issuer.legal_name, ""
    yield "To 客户", "text", document.customer.legal_name, ""
    yield "Customer id 客户编号", "text", document.customer.id, ""
    yield "PO number 采购单号", "text", document.customer.po_number, ""
    yield "First day 首日", "day", document.period.first_day, ""
    yield "Last day 末日", "day", document.period.last_day, ""
    yield "Time zone 时区", "text", document.period.timezone, ""
    yield "Issue date 出账日", "day", document.issue_date or "", ""
    yield "Due date 到期日", "day", document.due_date or "", ""
    yield "Currency 币种", "text", document.currency, ""
    yield "Net 未税合计", "money", document.net, ""
    for row in document.tax:
        yield f"{row.category} {row.rate_percent}%: net, tax 未税、税额", "money", row.net, row.tax
    yield "Total 合计", "money", document.total, ""
    yield "Due 应付", "money", document.due, ""
