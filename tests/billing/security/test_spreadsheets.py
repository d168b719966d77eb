"""No file that a spreadsheet opens can calculate: a name that a customer or a tenant chose stays a name."""

from __future__ import annotations

import csv
import io
import re

import openpyxl
import pytest
from msgspec import structs
from msgspec.structs import replace

from cardhour_billing.documents import invoice_csv, invoice_xlsx
from cardhour_billing.frozen.document import CustomerParty
from cardhour_billing.portal.csv_text import csv_chunks
from cardhour_billing.statements import csv as statement_csv
from cardhour_billing.statements.document import DayUse, StatedLine, StatedPayment, StatementDocument
from tests.portal.sample import MIXED
from tests.repository.tree import ROOT

HOSTILE = ("=cmd|'/C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "＝1+1", "－1", "＋1", "＠A1")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def assert_no_formula(content: bytes) -> None:
    """Every cell of a CSV is a plain number, or begins with nothing that a spreadsheet calculates."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert len(rows) > 1
    wrong = [cell for row in rows for cell in row if cell.startswith(STARTS) and not NUMBER.fullmatch(cell)]
    assert wrong == []


@pytest.mark.parametrize("word", HOSTILE)
def test_an_invoice_calculates_nothing(word: str) -> None:
    customer = replace(MIXED.customer, id=word, name=word, legal_name=word)
    lines = tuple(
        replace(each, model=word, description=word, band=word, tier=word, source=word and each.source and word)
        for each in MIXED.lines
    )
    document = replace(MIXED, customer=customer, lines=lines)
    content = invoice_csv.render(document)
    assert_no_formula(content)
    assert word.strip() in content.decode()
    workbook = openpyxl.load_workbook(io.BytesIO(invoice_xlsx.render(document)))
    kinds = {cell.data_type for sheet in workbook for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds


@pytest.mark.parametrize("word", HOSTILE)
def test_a_statement_and_a_table_calculate_nothing(word: str) -> None:
    line = StatedLine(
        position=1, document=word, line=1, name=word, first_day="2026-01-01", last_day="2026-01-31", amount="-1.00"
    )
    statement = StatementDocument(
        drawn_day="2026-02-01", revision=1, issuer=MIXED.issuer,
        customer=CustomerParty(**structs.asdict(replace(MIXED.customer, name=word))),
        first_day="2026-01-01", last_day="2026-01-31", timezone="UTC", currency="CNY", decimals=2, opening="0.00",
        lines=(line,), payments=(StatedPayment(day="2026-01-02", reference=word, amount="-1.00"),),
        usage=(DayUse(day="2026-01-03", model=word, quantity_us=1, amount="-1.00"),), charged="-1.00", paid="-1.00",
        closing="0.00",
    )  # fmt: skip
    assert_no_formula(statement_csv.render(statement))
    assert_no_formula(b"".join(csv_chunks(("name", "amount"), [(word, -1)])))


def test_whoever_writes_csv_guards_its_words() -> None:
    """A module that writes CSV for people has the guard; where it has not, here is why."""
    without = {
        "ingest/cardhour_ingest/bad_rows.py": "gives a file back for mending and importing, as it came",
        "agent/cardhour_agent/show.py": "prints on the terminal of whoever runs the node",
    }
    found = {
        str(path.relative_to(ROOT))
        for folder in ("agent", "billing", "contract", "ingest")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)\(", text := path.read_text("utf-8")) and "guarded(" not in text
    }
    assert found == without.keys()
