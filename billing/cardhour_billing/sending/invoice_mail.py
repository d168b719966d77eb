"""The mail that an invoice goes out with, in both languages, the customer's first.

Owns its words, and that only what is rendered is sent. Does not own sending (``mailing``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cardhour_billing.documents.rendering import kept_content
from cardhour_billing.figures import day_en, day_zh, grouped, month_en, month_zh, negated
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
    return Letter(
        key=key_of(number),
        recipients=to,
        subject=f"{document.issuer.name}: {subject(document)}",
        text=text(document),
        attachments=files,
    )


def subject(document: InvoiceDocument) -> str:
    """What it is and of when, in both languages, the customer's first."""
    credits, number, month = document.kind == "credit-note", document.number, document.period.first_day
    english = f"{'Credit note' if credits else 'Invoice'} {number}, {month_en(month)}"
    chinese = f"{'贷项账单' if credits else '账单'} {number}（{month_zh(month)}）"
    return " / ".join((chinese, english) if document.customer.language == "zh-hans" else (english, chinese))


def text(document: InvoiceDocument) -> str:
    """What is owed and where to pay it, or what a credit note gives back: in both languages, the customer's first."""
    parts = [_english(document), _chinese(document)]
    if document.customer.language == "zh-hans":
        parts.reverse()
    return "\n\n----\n\n".join(parts) + "\n"


def _english(document: InvoiceDocument) -> str:
    number, month, currency = document.number, month_en(document.period.first_day), document.currency
    lines = [f"Dear {document.customer.name},", ""]
    if document.kind == "credit-note":
        given = grouped(negated(document.total))
        lines += [
            f"please find attached credit note {number} for {month}: {given} {currency} of {document.original}.",
            "It is set against what is open, or paid back on request.",
        ]
    else:
        lines.append(f"please find attached {number} for {month}: {grouped(document.total)} {currency}.")
        if not _owed(document):
            lines.append("It is paid with what you paid ahead; there is nothing to do.")
        elif document.due_date:
            lines.append(f"{grouped(document.due)} {currency} is due on {day_en(document.due_date)}.")
        if (bank := document.issuer.bank) and _owed(document):
            lines.append(f"Please pay to {bank.account_name}, {bank.bank}, {bank.account}, and give {number}.")
    return "\n".join([*lines, "", document.issuer.legal_name])


def _chinese(document: InvoiceDocument) -> str:
    number, month, currency = document.number, month_zh(document.period.first_day), document.currency
    lines = [f"{document.customer.legal_name}：", ""]
    if document.kind == "credit-note":
        given = grouped(negated(document.total))
        lines += [
            f"附件为 {month}贷项账单 {number}，冲减 {document.original}，金额 {given} {currency}。",
            "该金额用于抵减未付账款，或应要求退还。",
        ]
    else:
        lines.append(f"附件为 {month}账单 {number}，金额 {grouped(document.total)} {currency}。")
        if not _owed(document):
            lines.append("已由预付款抵扣，无需付款。")
        elif document.due_date:
            lines.append(f"应付 {grouped(document.due)} {currency}，请于 {day_zh(document.due_date)}前付款。")
        if (bank := document.issuer.bank) and _owed(document):
            lines.append(f"收款账户：{bank.account_name}，{bank.bank}，{bank.account}。付款时请注明 {number}。")
    return "\n".join([*lines, "", document.issuer.legal_name])


def _owed(document: InvoiceDocument) -> bool:
    """Whether anything is left to pay of what was charged."""
    return bool(document.due.strip("-0.") or not document.prepaid)
