"""The mail that an invoice goes out with, in both languages, the customer's first.

Owns its words, and that only what is rendered is sent. Does not own sending (``mailing``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cardhour_billing.documents.rendering import kept_content
from cardhour_billing.figures import day_en, day_zh, grouped, month_en, month_zh
from cardhour_billing.frozen.document import InvoiceDocument, decode
from cardhour_billing.models import Customer, Invoice, RenderedDocument
from cardhour_billing.sending.mail import Attachment, Letter
from cardhour_contract.errors import Refuse

ATTACHED = {"pdf": "application/pdf", "xml": "application/xml"}
"""Kept files that go with the mail, with their types."""


def key_of(number: str) -> str:
    """What the mail of an invoice is called in the log."""
    return f"invoice {number}"


def addresses(customer: Customer) -> tuple[str, ...]:
    """Where a customer's mail goes."""
    return tuple(customer.email.splitlines())


def kept_xml(invoices: Iterable[Invoice]) -> Iterator[tuple[str, bytes]]:
    """The kept XML of those invoices that have one, by number."""
    kept = RenderedDocument.objects.filter(invoice__in=list(invoices), format="xml", absent_because="")
    for each in kept.select_related("invoice").order_by("pk"):
        yield str(each.invoice.number), bytes(each.content)


def invoice_letter(invoice: Invoice) -> Letter:
    """The letter of an issued invoice. Refuses one that is a draft, has no kept files, or nowhere to go."""
    number = invoice.number
    if invoice.state != Invoice.State.ISSUED or number is None:
        raise Refuse(f"the invoice of {invoice.customer.key} for {invoice.period} is a draft: it must be issued first")
    to = addresses(invoice.customer)
    if not to:
        raise Refuse(f"{number}: customer '{invoice.customer.key}' has no email in the catalog")
    kept = set(RenderedDocument.objects.filter(invoice=invoice, absent_because="").values_list("format", flat=True))
    if "pdf" not in kept:
        raise Refuse(f"{number} has no PDF yet: run cardhour close {invoice.period} --issue, which makes it")
    document = decode(bytes(invoice.frozen))
    files = tuple(
        Attachment(name=f"{number}.{form}", mime=mime, content=kept_content(invoice, form))
        for form, mime in ATTACHED.items()
        if form in kept
    )
    parts = [_english(document), _chinese(document)]
    if document.customer.language == "zh-hans":
        parts.reverse()
    subjects = [f"Invoice {number}, {month_en(document.period.first_day)}"]
    subjects.append(f"账单 {number}（{month_zh(document.period.first_day)}）")
    if document.customer.language == "zh-hans":
        subjects.reverse()
    return Letter(
        key=key_of(number),
        recipients=to,
        subject=f"{document.issuer.name}: {' / '.join(subjects)}",
        text="\n\n----\n\n".join(parts) + "\n",
        attachments=files,
    )


def _english(document: InvoiceDocument) -> str:
    bank = document.issuer.bank
    lines = [
        f"Dear {document.customer.name},",
        "",
        f"please find attached {document.number} for {month_en(document.period.first_day)}: "
        f"{grouped(document.total)} {document.currency}.",
    ]
    if document.due_date:
        lines.append(f"{grouped(document.due)} {document.currency} is due on {day_en(document.due_date)}.")
    if bank:
        lines.append(f"Please pay to {bank.account_name}, {bank.bank}, {bank.account}, and give {document.number}.")
    return "\n".join([*lines, "", document.issuer.legal_name])


def _chinese(document: InvoiceDocument) -> str:
    bank = document.issuer.bank
    lines = [
        f"{document.customer.legal_name}：",
        "",
        f"附件为 {month_zh(document.period.first_day)}账单 {document.number}，"
        f"金额 {grouped(document.total)} {document.currency}。",
    ]
    if document.due_date:
        lines.append(f"应付 {grouped(document.due)} {document.currency}，请于 {day_zh(document.due_date)}前付款。")
    if bank:
        lines.append(f"收款账户：{bank.account_name}，{bank.bank}，{bank.account}。付款时请注明 {document.number}。")
    return "\n".join([*lines, "", document.issuer.legal_name])
