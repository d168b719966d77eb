"""The files of invoices, by number: found, and written to a folder.

Owns finding an invoice by what people call it, and file names. Does not own the bytes (``rendering``). A workbook is
made anew each time: equal documents give equal ones, and it is for working with, not for keeping.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cardhour_billing.documents import invoice_xlsx
from cardhour_billing.documents.rendering import content_of, keep
from cardhour_billing.frozen.document import decode
from cardhour_billing.models import Invoice, RenderedDocument
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse


def find_invoice(number: str) -> Invoice:
    """The issued invoice of that number."""
    found = Invoice.objects.select_related("customer", "issuer").filter(number=number).first()
    if found is None:
        raise Refuse(f"there is no invoice '{number}': cardhour invoice list shows those there are")
    return found


def save_files(invoice: Invoice, folder: Path, clock: Clock, *, who: str) -> list[Path]:
    """Write every file of an issued invoice into ``folder``, replacing older copies; their paths."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for form, content in _contents(invoice, clock, who):
            file = folder / f"{invoice.number}.{form}"
            file.write_bytes(content)
            written.append(file)
    except OSError as error:
        raise Refuse(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    return written


def absent(invoice: Invoice) -> dict[str, str]:
    """Formats that the invoice has no file of, each with why."""
    rows = RenderedDocument.objects.filter(invoice=invoice).exclude(absent_because="")
    return dict(rows.order_by("format").values_list("format", "absent_because"))


def _contents(invoice: Invoice, clock: Clock, who: str) -> Iterator[tuple[str, bytes]]:
    keep(invoice, clock, who=who)
    there = RenderedDocument.objects.filter(invoice=invoice, absent_because="").order_by("pk")
    for form in there.values_list("format", flat=True):
        yield form, content_of(invoice, form, clock, who=who)
    yield "xlsx", invoice_xlsx.render(decode(bytes(invoice.frozen)))
