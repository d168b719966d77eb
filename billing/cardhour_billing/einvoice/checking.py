"""Checking what was issued, what would be, and what others wrote.

Owns which XML is checked: the kept bytes of an issued document; of a draft, what it would be if it were issued today.
Does not own the rules (``official``, ``arithmetic``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from cardhour_billing.einvoice import official, ubl
from cardhour_billing.einvoice.finding import Finding
from cardhour_billing.frozen.document import decode
from cardhour_billing.models import Invoice, RenderedDocument
from cardhour_billing.month import local_day, parse_month
from cardhour_contract.clock import Clock, SystemClock
from cardhour_contract.errors import Refuse

FILE_BYTES_MAX = 64 * 1024 * 1024
"""A document of a hundred thousand lines; above it someone named the wrong file."""


def checked(
    numbers: Sequence[str], month: str, files: Sequence[Path], clock: Clock | None = None
) -> Iterator[official.Checked]:
    """What the rules find in each document: those that cannot be said at all first, then the rest, in order."""
    written: list[tuple[str, bytes]] = [(str(file), _read(file)) for file in files]
    for invoice in _invoices(numbers, month):
        name = invoice.number or f"draft {invoice.customer.key} {invoice.period}"
        try:
            written.append((name, _xml(invoice, clock or SystemClock())))
        except Refuse as error:
            yield name, [Finding(rule="CH-WORDS", severity="fatal", text=each) for each in error.problems]
    if written:
        yield from official.check(written)


def _invoices(numbers: Sequence[str], month: str) -> Iterator[Invoice]:
    every = Invoice.objects.select_related("customer", "issuer").order_by("period", "number", "customer__key")
    for number in numbers:
        found = every.filter(number=number).first()
        if found is None:
            raise Refuse(f"there is no invoice '{number}': cardhour invoice list shows those there are")
        yield found
    if month:
        yield from every.filter(period=str(parse_month(month)))


def _xml(invoice: Invoice, clock: Clock) -> bytes:
    kept = RenderedDocument.objects.filter(invoice=invoice, format=RenderedDocument.Format.XML).first()
    if kept is not None and not kept.absent_because:
        return bytes(kept.content)
    document = decode(bytes(invoice.frozen))
    if invoice.state != Invoice.State.ISSUED:
        today = local_day(clock.now_ms(), invoice.issuer.timezone).isoformat()
        document = replace(document, number="DRAFT", issue_date=today, due_date=today)
    return ubl.render(document)


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise Refuse(f"{file} is larger than {FILE_BYTES_MAX} bytes, so it is no invoice")
        return file.read_bytes()
    except OSError as error:
        raise Refuse(f"{file} cannot be read: {error.strerror}") from error
