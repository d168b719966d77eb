"""The workbook opens with numbers that add up, days that are days, and words that are never formulas."""

from __future__ import annotations

import datetime
import hashlib
import io
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from msgspec.structs import replace

from cardhour_billing.documents.invoice_xlsx import render
from cardhour_billing.frozen.document import CardShare, DayShare, InvoiceDocument
from tests.portal import sample

ROOT = Path(__file__).parents[2]

DETAILED = replace(
    sample.DINAR,
    lines=(
        replace(
            sample.DINAR.lines[0],
            days=(
                DayShare(day="2026-10-01", quantity_us=360_000_000_000, amount="91.235"),
                DayShare(day="2026-10-02", quantity_us=444_240_000, amount="0.112"),
            ),
            cards=(CardShare(card="GPU-0", node="=cmd()", quantity_us=360_444_240_000, amount="91.347"),),
        ),
    ),
)


def opened(document: InvoiceDocument) -> Any:
    return openpyxl.load_workbook(io.BytesIO(render(document)))


def rows(document: InvoiceDocument, sheet: str) -> list[tuple[Any, ...]]:
    return list(opened(document)[sheet].iter_rows(min_row=2, values_only=True))


def test_amounts_are_numbers_that_add_up_to_the_net() -> None:
    lines = rows(sample.ISSUED, "Lines 明细")
    assert [line[0] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert sum(Decimal(str(line[10])) for line in lines) == Decimal(sample.ISSUED.net)
    assert (lines[0][7], lines[0][9], lines[0][10]) == (3287.7723, 22.84, 75092.72)
    assert lines[5][10] == -144.75


def test_days_are_days() -> None:
    assert rows(sample.ISSUED, "Lines 明细")[0][5] == datetime.datetime.fromisoformat("2026-10-01")
    assert opened(sample.ISSUED)["Lines 明细"]["F2"].number_format == "yyyy-mm-dd"


def test_amounts_show_the_decimals_of_their_currency() -> None:
    shown = {name: opened(document)["Lines 明细"]["K2"].number_format for name, document in (
        ("CNY", sample.ISSUED), ("JPY", sample.YEN), ("KWD", DETAILED))}  # fmt: skip
    assert shown == {"CNY": "#,##0.00", "JPY": "#,##0", "KWD": "#,##0.000"}


def test_every_day_and_card_of_a_line_has_its_row() -> None:
    assert [row[2:] for row in rows(DETAILED, "Cards 卡")] == [("GPU-0", "=cmd()", 100.1234, 91.347)]
    assert [row[3:] for row in rows(DETAILED, "Days 每日")] == [(100, 91.235), (0.1234, 0.112)]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "http://x.example", "{=1}"])
def test_a_name_is_never_a_formula_nor_a_link(name: str) -> None:
    cell = opened(replace(sample.ISSUED, lines=(replace(sample.ISSUED.lines[0], model=name),)))["Lines 明细"]["B2"]
    assert (cell.value, cell.data_type, cell.hyperlink) == (name, "s", None)


def test_a_figure_with_more_digits_than_a_cell_holds_loses_none() -> None:
    [line] = rows(
        replace(sample.ISSUED, lines=(replace(sample.ISSUED.lines[0], amount="12345678901234567.89"),)), "Lines 明细"
    )
    assert line[10] == "12345678901234567.89"


def test_the_summary_has_the_sums_and_a_row_for_each_rate() -> None:
    summary = {row[0]: row[1:] for row in opened(sample.LONG)["Summary 摘要"].iter_rows(values_only=True)}
    assert summary["Net 未税合计"][0] == 180
    assert summary["standard 6%: net, tax 未税、税额"] == (100, 6)
    assert summary["reduced 13%: net, tax 未税、税额"] == (80, 10.4)
    assert summary["Due 应付"][0] == 196.4


def test_equal_documents_are_equal_files_in_another_process_at_another_time() -> None:
    program = (
        "import hashlib; from tests.portal import sample; from cardhour_billing.documents.invoice_xlsx import render; "
        "print(hashlib.sha256(render(sample.LONG)).hexdigest())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={"TZ": "Asia/Tokyo"}, check=True, capture_output=True, text=True
    )
    assert elsewhere.stdout.strip() == hashlib.sha256(render(sample.LONG)).hexdigest()
