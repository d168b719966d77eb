"""Documents a second: PDF, CSV and XML of an invoice of five lines, by one process and by two; and checking its XML.

Owns a document that stands for most. What issuing adds (the transaction that keeps the files) is not in it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from msgspec.structs import replace

from bench.figures import Figure, watched
from cardhour_billing.documents import invoice_csv, invoice_pdf
from cardhour_billing.einvoice import official, ubl
from cardhour_billing.frozen.document import (
    Bank,
    CustomerParty,
    DayShare,
    DocumentLine,
    InvoiceDocument,
    IssuerParty,
    Period,
    TaxRow,
)

PROCESSES = 2
CHUNK = 10
"""Documents that a process is handed at once."""


def measure(documents: int) -> list[Figure]:
    """Figures of ``documents`` of each."""
    of = f"{documents} invoices of five lines and 31 days"
    found = [*_rates("documents.pdf", documents, _pdf, of), *_rates("documents.pdf_csv_xml", documents, _all, of)]
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        list(pool.map(_all, range(PROCESSES * CHUNK), chunksize=CHUNK))  # each has its fonts
        with watched() as watch:
            list(pool.map(_all, range(documents), chunksize=CHUNK))
    found.append(Figure(name="documents.pdf_csv_xml_by_two_per_s", value=documents / watch.seconds, of=of))
    xml = [(str(at), ubl.render(_document(at))) for at in range(documents)]
    with watched() as watch:
        broken = [name for name, findings in official.check(xml) if findings]
    if broken:
        raise RuntimeError(f"not what was to be measured: {len(broken)} documents break a rule")
    return [*found, Figure(name="documents.checked_per_s", value=documents / watch.seconds, of=f"{of}, start and all")]


def _rates(name: str, documents: int, make: Callable[[int], int], of: str) -> list[Figure]:
    """By the clock, and by this process's own time, which other work on the machine does not change."""
    make(0)
    with watched() as watch:
        for at in range(documents):
            make(at)
    return [
        Figure(name=f"{name}_per_s", value=documents / watch.seconds, of=of),
        Figure(name=f"{name}_per_cpu_s", value=documents / watch.cpu_seconds, of=of),
    ]


def _pdf(at: int) -> int:
    return len(invoice_pdf.render(_document(at)))


def _all(at: int) -> int:
    document = _document(at)
    return sum(len(render(document)) for render in (invoice_pdf.render, invoice_csv.render, ubl.render))


def _document(at: int) -> InvoiceDocument:
    """Five lines of 100 card-hours at 22.84, and 6 % on them."""
    days = tuple(DayShare(day=f"2026-10-{day:02d}", quantity_us=1, amount="73.67") for day in range(1, 32))
    line = DocumentLine(
        position=1, model="A100-SXM4-80GB", first_day="2026-10-01", last_day="2026-10-31", quantity_us=360_000_000_000,
        printed_quantity="100.0000", unit_price="22.84", amount="2284.00", net="2284.00", tax_category="standard 6",
        days=days,
    )  # fmt: skip
    lines = tuple(_numbered(line, position) for position in range(1, 6))
    return InvoiceDocument(
        state="issued", number=f"EC-2026-{at:05d}", issue_date="2026-11-03", due_date="2026-12-03", terms_days=30,
        issuer=IssuerParty(
            name="示例算力", legal_name="示例算力科技有限公司", tax_id="91330100XXXXXXXX0X", country="CN",
            bank=Bank(account_name="示例算力", bank="示例银行", account="0000 1111 2222 3333"),
        ),
        customer=CustomerParty(
            id=f"c{at}", name=f"Customer {at} 客户", legal_name=f"Customer {at} Ltd. 客户有限公司", country="CN",
            tax_id="91310100XXXXXXXX1X",
        ),
        period=Period(
            first_day="2026-10-01", last_day="2026-10-31", timezone="Asia/Shanghai", started_at="2026-09-30T16:00:00Z",
            ended_at="2026-10-31T16:00:00Z",
        ),
        currency="CNY", decimals=2, lines=lines, net="11420.00",
        tax=(TaxRow(category="standard", rate_percent="6", net="11420.00", tax="685.20", code="S"),),
        total="12105.20", due="12105.20", digest="0123456789abcdef" * 4,
    )  # fmt: skip


def _numbered(line: DocumentLine, position: int) -> DocumentLine:
    return replace(line, position=position, model=f"{line.model} {position}")
