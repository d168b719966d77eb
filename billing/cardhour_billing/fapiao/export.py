"""Fapiao requests as the tax bureau's system or an accountant takes them: 开票申请 as CSV, XLSX or JSON.

Owns the columns, which have the names that the form has. Does not own requests (``fapiao``). Every request line is a
row; a fapiao is all rows of one 申请编号.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import xlsxwriter

from cardhour_billing.fapiao.requests import CURRENCY
from cardhour_billing.models import FapiaoRequest
from cardhour_billing.money import Money
from cardhour_billing.spreadsheet import guarded

COLUMNS = (
    "申请编号", "发票类型", "购方名称", "统一社会信用代码", "项目名称", "商品和服务税收分类编码", "税率", "不含税金额",
    "税额", "价税合计", "备注",
)  # fmt: skip
AMOUNTS = ("不含税金额", "税额", "价税合计")
_WIDTHS = {"购方名称": 36, "统一社会信用代码": 24, "项目名称": 28, "商品和服务税收分类编码": 24, "备注": 40}
_FIXED = datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None)
"""When every workbook says it was made: equal requests are equal files."""

Row = dict[str, str]


def rows(requests: Iterable[FapiaoRequest]) -> list[Row]:
    """One row for each line of each request, in order."""
    return [
        {
            "申请编号": str(each.pk),
            "发票类型": "增值税专用发票" if each.special else "普通发票",
            "购方名称": each.buyer_name,
            "统一社会信用代码": each.buyer_tax_id,
            "项目名称": line.item,
            "商品和服务税收分类编码": line.code,
            "税率": f"{line.rate_percent}%",
            "不含税金额": _text(line.net),
            "税额": _text(line.tax),
            "价税合计": _text(line.gross),
            "备注": each.remark,
        }
        for each in requests
        for line in each.lines.all()
    ]


def as_csv(table: Sequence[Row]) -> bytes:
    """UTF-8 with a byte order mark, for Excel and WPS. Codes of many digits stay text there by a leading tab."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([row[name] if name in AMOUNTS else _words(row[name]) for name in COLUMNS] for row in table)
    return text.getvalue().encode("utf-8-sig")


def as_json(table: Sequence[Row]) -> bytes:
    """A list of objects; amounts are decimal strings."""
    return msgspec.json.format(msgspec.json.encode(list(table)), indent=2) + b"\n"


def as_xlsx(table: Sequence[Row]) -> bytes:
    """A workbook in which amounts are numbers and codes are text."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"constant_memory": True}) as workbook:
        workbook.set_properties({"title": "开票申请", "created": _FIXED})
        sheet: Any = workbook.add_worksheet("开票申请")
        head = workbook.add_format({"bold": True})
        money, words = workbook.add_format({"num_format": "0.00"}), workbook.add_format({"num_format": "@"})
        sheet.freeze_panes(1, 0)
        for at, name in enumerate(COLUMNS):
            sheet.set_column(at, at, _WIDTHS.get(name, 14))
            sheet.write_string(0, at, name, head)
        for number, row in enumerate(table, start=1):
            for at, name in enumerate(COLUMNS):
                if name in AMOUNTS:
                    sheet.write_number(number, at, float(row[name]), money)  # shown, never computed with
                else:
                    sheet.write_string(number, at, row[name], words)
    return content.getvalue()


FORMS = {"csv": as_csv, "xlsx": as_xlsx, "json": as_json}


def _text(minor: int) -> str:
    return str(Money(amount=minor, currency=CURRENCY))


def _words(text: str) -> str:
    """Excel reads 19 digits as a number and drops the last four, unless something before them says text."""
    return f"\t{text}" if text.isdigit() and len(text) > 11 else guarded(text)
