"""The files of invoices, by number: found, and written to a folder.

Owns finding an invoice by what people call it, and file names. Does not own the bytes (``rendering``).
"""

from __future__ import annotations

from pathlib import Path

from cardhour_billing.models import Invoice
from cardhour_billing.rendering import RENDERERS, content_of
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
        for form in RENDERERS:
            file = folder / f"{invoice.number}.{form}"
            file.write_bytes(content_of(invoice, form, clock, who=who))
            written.append(file)
    except OSError as error:
        raise Refuse(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    return written
