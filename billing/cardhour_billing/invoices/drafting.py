"""Drafts: rated lines and charges as a document that may still change.

Owns the translation from lines and charges to ``InvoiceDocument`` and the draft's row, which is recomputed at will.
Does not own issuing (``issuing``). A month without lines has no invoice: its draft goes away, it takes no number.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Literal

from django.db import transaction
from django.db.models import Max
from msgspec import Struct

from cardhour_billing.charges.finding import Finding, kept
from cardhour_billing.frozen.document import (
    CardShare,
    DayShare,
    DocumentLine,
    InvoiceDocument,
    Period,
    TaxRow,
    encode,
)
from cardhour_billing.frozen.parties import customer_party, issuer_party
from cardhour_billing.models import Customer, Invoice, InvoiceLine
from cardhour_billing.money import Money, exponent
from cardhour_billing.month import BillingPeriod
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.content import Content
from cardhour_billing.rating.rated import RatedLine
from cardhour_billing.rating.tax import CODES, TaxSum
from cardhour_billing.receivables.credit import payable_from_prepaid
from cardhour_contract.clock import Clock
from cardhour_contract.moment import format_rfc3339

RECURRING = ("lease", "add-on")
"""Kinds of line that come back every month, used or not."""
CARDS_MAX = 256
"""Cards listed in a document. A line over more cards says so by listing none: a document is for reading."""


class IssueFacts(Struct, frozen=True, kw_only=True):
    """What a document gains when it is issued."""

    number: str
    issue_date: date
    due_date: date
    digest: str


class Credited(Struct, frozen=True, kw_only=True):
    """What a credit note credits, and why."""

    number: str
    reason: str


def kind_of(total: Money) -> Literal["invoice", "credit-note"]:
    """A negative total is a credit note, and never a negative invoice."""
    return "credit-note" if total.amount < 0 else "invoice"


def compose(
    customer: Customer,
    period: BillingPeriod,
    content: Content,
    issued: IssueFacts | None = None,
    credits: Credited | None = None,
) -> InvoiceDocument:
    """The document of ``content``: a draft, or issued with ``issued``; a credit note for what ``credits`` names."""
    tax = content.assess(customer.currency)
    # Under the lock of whoever saves this document: what it says of prepaid is what is then taken.
    prepaid = payable_from_prepaid(customer, tax.total)
    return InvoiceDocument(
        kind=kind_of(tax.total),
        original=credits.number if credits else "",
        reason=credits.reason if credits else "",
        state="issued" if issued else "draft",
        number=issued.number if issued else None,
        issue_date=issued.issue_date.isoformat() if issued else None,
        due_date=issued.due_date.isoformat() if issued else None,
        digest=issued.digest if issued else None,
        terms_days=customer.terms_days,
        issuer=issuer_party(customer.issuer),
        customer=customer_party(customer),
        period=Period(
            first_day=period.month.first_day.isoformat(),
            last_day=period.last_day.isoformat(),
            timezone=period.timezone,
            started_at=format_rfc3339(period.start_ms),
            ended_at=format_rfc3339(period.end_ms),
        ),
        currency=customer.currency,
        decimals=exponent(customer.currency),
        lines=tuple(
            _line(at, line, net) if isinstance(line, RatedLine) else _charge(at, line, net)
            for at, (line, net) in enumerate(zip(content.all, tax.nets, strict=True), start=1)
        ),
        net=str(tax.net),
        tax=tuple(_tax_row(row) for row in tax.rows),
        total=str(tax.total),
        due=str(tax.total - prepaid),
    )


def save_draft(
    customer: Customer, period: BillingPeriod, content: Content, findings: Sequence[Finding], clock: Clock
) -> Invoice | None:
    """Replace the draft of ``customer`` for ``period``; an issued one is returned untouched. ``None`` for no lines."""
    with transaction.atomic():
        Customer.objects.select_for_update().get(pk=customer.pk)  # one close of a customer at a time
        known = invoice_of(customer, period)
        if known and known.state == Invoice.State.ISSUED:
            return known
        if not content and not findings:
            if known:
                known.delete()
            return None
        invoice = known or new_document(customer, period)
        net, at_ms = (known.net, known.computed_at_ms) if known else (None, None)
        write(invoice, period, content, compose(customer, period, content), clock.now_ms())
        if net is not None and net != invoice.net:
            invoice.net_before, invoice.before_at_ms = net, at_ms
        invoice.hold(kept(findings))
        invoice.save()
        write_lines(invoice, content, in_place_of_others=known is not None)
        return invoice


def invoice_of(customer: Customer, period: BillingPeriod) -> Invoice | None:
    """What bills ``period`` to ``customer``, draft or issued: the latest revision; a credit note where negative."""
    found = Invoice.objects.filter(customer=customer, period=str(period.month), original__isnull=True)
    return found.order_by("-revision").first()


def invoices_of(customers: Collection[Customer], period: BillingPeriod) -> dict[int, Invoice]:
    """``invoice_of`` many customers, by their key in the store."""
    found = Invoice.objects.filter(customer__in=customers, period=str(period.month), original__isnull=True)
    return {each.customer_id: each for each in found.select_related("customer").order_by("revision")}


def new_document(customer: Customer, period: BillingPeriod) -> Invoice:
    """The next document of ``customer`` for ``period``, not saved. The customer must be locked."""
    known = Invoice.objects.filter(customer=customer, period=str(period.month)).aggregate(last=Max("revision"))["last"]
    return Invoice(
        issuer=customer.issuer,
        customer=customer,
        period=str(period.month),
        revision=0 if known is None else known + 1,
    )


def write(
    invoice: Invoice, period: BillingPeriod, content: Content, document: InvoiceDocument, computed_at_ms: int
) -> None:
    """Set the figures of ``invoice``. Saves nothing."""
    tax = content.assess(document.currency)
    invoice.period_start_ms = period.start_ms
    invoice.period_end_ms = period.end_ms
    invoice.currency = document.currency
    invoice.kind = document.kind
    invoice.net, invoice.tax, invoice.total = tax.net.amount, tax.tax.amount, tax.total.amount
    by_kind: dict[str, int] = {}
    for line, net in zip(document.lines, tax.nets, strict=True):
        by_kind[line.kind] = by_kind.get(line.kind, 0) + net.amount
    invoice.usage_net = by_kind.get("usage", 0)
    invoice.recurring_net = sum(by_kind.get(kind, 0) for kind in RECURRING)
    invoice.frozen = encode(document)
    invoice.computed_at_ms = computed_at_ms


def write_lines(invoice: Invoice, content: Content, *, in_place_of_others: bool = True) -> None:
    """Write the lines of a saved draft, in place of those that it may have; such as say the same stay."""
    usage = [_usage_row(invoice, at, line) for at, line in enumerate(content.lines, start=1)]
    charges = [_charge_row(invoice, at, each) for at, each in enumerate(content.charges, start=len(usage) + 1)]
    rows = usage + charges
    if in_place_of_others:
        known = list(invoice.lines.order_by("position"))
        if list(map(_said, known)) == list(map(_said, rows)):
            return
        invoice.lines.all().delete()
    InvoiceLine.objects.bulk_create(rows)


def _said(row: InvoiceLine) -> list[object]:
    """All that a line says, but for its id."""
    return [getattr(row, each.attname) for each in InvoiceLine._meta.concrete_fields if not each.primary_key]


def _usage_row(invoice: Invoice, position: int, line: RatedLine) -> InvoiceLine:
    return InvoiceLine(
        invoice=invoice,
        position=position,
        price_id=line.price.id,
        model=line.key.model,
        band=line.key.band,
        tier=line.key.tier,
        tax_category=line.key.tax_category,
        quantity_us=line.quantity_us,
        unit_nano=line.unit_price.nano,
        amount=line.amount.amount,
    )


def _charge_row(invoice: Invoice, position: int, charge: Charge) -> InvoiceLine:
    return InvoiceLine(
        invoice=invoice,
        position=position,
        kind=charge.kind,
        source=charge.source,
        model=charge.model,
        unit=charge.unit,
        tax_category=charge.tax_category,
        quantity_us=charge.quantity_us,
        amount=charge.amount.amount,
    )


def _line(position: int, line: RatedLine, net: Money) -> DocumentLine:
    days = tuple(
        DayShare(day=day.isoformat(), quantity_us=share.quantity_us, amount=str(share.amount))
        for day, share in line.days.items()
    )
    cards = tuple(
        CardShare(card=card, node=node, quantity_us=share.quantity_us, amount=str(share.amount))
        for (card, node), share in line.cards.items()
    )
    return DocumentLine(
        position=position,
        contract=line.key.contract,
        model=line.key.model,
        description=" · ".join(note for note in (line.note, _included(line)) if note),
        first_day=days[0].day,
        last_day=days[-1].day,
        band=line.key.band,
        tier=line.key.tier,
        tax_category=line.key.tax_category,
        includes_tax=line.price.includes_tax,
        net=str(net),
        quantity_us=line.quantity_us,
        printed_quantity=line.printed_quantity,
        unit_price=str(line.unit_price),
        amount=str(line.amount),
        contracted_price=str(line.costs.contracted_price),
        contracted_amount=str(line.costs.contracted),
        list_price=_or_empty(line.costs.list_price),
        list_amount=_or_empty(line.costs.listed),
        days=days,
        cards=cards if len(cards) <= CARDS_MAX else (),
    )


def _charge(position: int, charge: Charge, net: Money) -> DocumentLine:
    return DocumentLine(
        position=position,
        kind=charge.kind,
        source=charge.source,
        model=charge.model,
        description=charge.description,
        first_day=charge.first_day.isoformat(),
        last_day=charge.last_day.isoformat(),
        tax_category=charge.tax_category,
        includes_tax=charge.includes_tax,
        net=str(net),
        quantity_us=charge.quantity_us,
        printed_quantity=charge.printed_quantity,
        unit=charge.unit,
        unit_price=charge.unit_price,
        amount=str(charge.amount),
        contracted_price=charge.unit_price,
        contracted_amount=str(charge.amount),
        list_price=charge.unit_price,
        list_amount=str(charge.amount),
    )


def _or_empty(value: object) -> str:
    return "" if value is None else str(value)


def _included(line: RatedLine) -> str:
    """What the reader of a price must know of the tax in it."""
    if not line.price.includes_tax or not line.taxes:
        return ""
    return f"incl. {line.taxes[0].percent}% tax 含税 {line.taxes[0].percent}%"


def _tax_row(row: TaxSum) -> TaxRow:
    return TaxRow(
        category=row.rule.category,
        rate_percent=row.rule.percent,
        net=str(row.net),
        tax=str(row.tax),
        code=CODES[row.rule.category],
        notes=row.notes,
    )
