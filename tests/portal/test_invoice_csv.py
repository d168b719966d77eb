"""The CSV opens in a spreadsheet as it stands: right letters, real numbers, no formulas."""

from __future__ import annotations

import csv
import io

import pytest
from msgspec.structs import replace

from cardhour_billing.documents.invoice_csv import COLUMNS, render
from tests.portal import sample


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_one_row_a_line_with_plain_decimals() -> None:
    rows = rows_of(render(sample.ISSUED))
    assert len(rows) == len(sample.ISSUED.lines)
    assert rows[0] == {
        "number": "EC-2026-0424", "state": "issued", "customer": "qinghe", "customer_name": "清禾智能科技有限公司",
        "period_first_day": "2026-10-01", "period_last_day": "2026-10-31", "timezone": "Asia/Shanghai",
        "position": "1", "kind": "usage", "source": "", "model": "A100-SXM4-80GB", "description": "", "band": "",
        "tier": "",
        "first_day": "2026-10-01", "last_day": "2026-10-31", "quantity": "3287.7723", "unit": "card-hour",
        "unit_price": "22.84", "amount": "75092.72", "currency": "CNY", "quantity_us": "11835980280000",
        "tax_category": "", "net": "75092.72",
    }  # fmt: skip
    assert rows[-1]["amount"] == "-144.75"


def test_excel_reads_it_as_utf8_with_windows_line_ends() -> None:
    content = render(sample.ISSUED)
    assert content.startswith(b"\xef\xbb\xbfnumber,")
    assert content.count(b"\r\n") == content.count(b"\n") == 1 + len(sample.ISSUED.lines)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_a_name_cannot_become_a_formula(start: str) -> None:
    name = f'{start}HYPERLINK("http://example.invalid","pay")'
    customer = replace(sample.ISSUED.customer, name=name, id=name)
    lines = (replace(sample.ISSUED.lines[0], model=name, description=name, band=name, tier=name),)
    [row] = rows_of(render(replace(sample.ISSUED, customer=customer, lines=lines)))
    for column in ("customer", "customer_name", "model", "description", "band", "tier"):
        assert row[column] == f"'{name}"


def test_commas_quotes_and_line_breaks_stay_inside_their_cell() -> None:
    name = 'Long, "Quoted"\nLtd.'
    rows = rows_of(render(replace(sample.ISSUED, customer=replace(sample.ISSUED.customer, name=name))))
    assert {row["customer_name"] for row in rows} == {name}
    assert all(set(row) == set(COLUMNS) for row in rows)


def test_a_month_without_usage_is_a_head_without_rows() -> None:
    assert rows_of(render(sample.EMPTY)) == []
