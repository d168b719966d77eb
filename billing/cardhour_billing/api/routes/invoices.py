"""``/invoices``: invoices and credit notes, their lines, and their files byte for byte as they were issued."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema

from cardhour_billing.api.caller import ApiRequest, Key
from cardhour_billing.api.files import FILE_ANSWER, file_answer
from cardhour_billing.api.paging import LIMIT, Cursor, Limit, Paged, page_of, page_of_sorted
from cardhour_billing.api.problem import Problem
from cardhour_billing.api.words import CustomerKey, Id, Period, Word, answers
from cardhour_billing.documents import invoice_xlsx
from cardhour_billing.documents.rendering import content_of
from cardhour_billing.frozen.document import DocumentLine, decode
from cardhour_billing.models import Invoice
from cardhour_billing.money import Money
from cardhour_billing.portal.access import issued_to
from cardhour_billing.receivables.standing import in_state, standing, today, with_standing
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import format_rfc3339

router = Router(tags=["invoices"])
SCOPE = Key("invoices:read")

Format = Literal["pdf", "csv", "xml", "xlsx"]
Standing = Literal["open", "part-paid", "paid", "overdue", "void"]


class InvoiceItem(Schema):
    """An invoice or a credit note, with how it stands today."""

    id: int
    number: str
    kind: Literal["invoice", "credit-note"]
    original: int | None = Field(description="The invoice that a credit note gives back of.")
    reason: str = Field(description="Why it does, such as `correction`.")
    period: str = Field(description="`YYYY-MM` in the customer's zone.")
    period_start: str
    period_end: str = Field(description="Exclusive.")
    issue_date: str
    due_date: str
    currency: str
    net: str
    tax: str
    total: str = Field(description="Negative in a credit note.")
    state: Standing
    settled: str = Field(description="Paid; or, of a credit note, used or paid back.")
    left: str
    days_overdue: int


class Invoices(Paged):
    items: list[InvoiceItem]


class DayPart(Schema):
    """What one day gave to a line."""

    day: str
    quantity_us: int
    amount: str


class CardPart(Schema):
    """What one card gave to a line."""

    card: str
    node: str
    quantity_us: int
    amount: str


class Line(Schema):
    """One line, as it is printed."""

    position: int
    kind: str = Field(description="`usage`, or a kind of charge such as `lease`.")
    model: str
    description: str
    first_day: str
    last_day: str
    band: str
    tier: str
    quantity_us: int = Field(description="0 for a charge that counts no card-hours.")
    printed_quantity: str
    unit: str
    unit_price: str
    amount: str
    net: str
    tax_category: str
    days: list[DayPart] = Field(description="With `detail=days`; they sum to the line.")
    cards: list[CardPart] = Field(
        description="With `detail=cards`; they sum to the line. Empty where there are too many."
    )


class Lines(Paged):
    items: list[Line]


@router.get("/invoices", auth=SCOPE, response=answers(Invoices), operation_id="list_invoices", summary="Invoices")
def list_invoices(
    request: ApiRequest,
    customer: CustomerKey = "",
    kind: Literal["", "invoice", "credit-note"] = "",
    period: Annotated[Period | Literal[""], Query()] = "",
    state: Standing | Literal[""] = "",
    number: Word = "",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> dict[str, Any]:
    """Issued invoices and credit notes, newest first. Drafts are no statement to anyone."""
    day = today(SystemClock())
    found = with_standing(issued_to(request.auth.customer(customer))).defer("frozen", "inputs")
    wanted = {"kind": kind, "period": period, "number": number}
    found = found.filter(**{name: value for name, value in wanted.items() if value})
    found = in_state(found, state, day) if state else found
    return page_of("invoices", found, lambda each: _item(each, day), limit=limit, cursor=cursor)


@router.get(
    "/invoices/{invoice_id}",
    auth=SCOPE,
    response=answers(InvoiceItem),
    operation_id="get_invoice",
    summary="One invoice",
)
def get_invoice(request: ApiRequest, invoice_id: Id, customer: CustomerKey = "") -> InvoiceItem:
    """One invoice or credit note."""
    found = with_standing(issued_to(request.auth.customer(customer)))
    return _item(get_object_or_404(found, pk=invoice_id), today(SystemClock()))


@router.get(
    "/invoices/{invoice_id}/lines",
    auth=SCOPE,
    response=answers(Lines),
    operation_id="list_invoice_lines",
    summary="Lines of an invoice",
)
def list_lines(
    request: ApiRequest,
    invoice_id: Id,
    customer: CustomerKey = "",
    detail: Literal["none", "days", "cards"] = "none",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> dict[str, Any]:
    """Lines in the order of print. They sum to `net`; with the tax in the price, to `total`."""
    invoice = _invoice(request, invoice_id, customer)
    lines = [_line(each, detail) for each in decode(bytes(invoice.frozen)).lines]
    name = f"lines of {invoice.pk}"
    return page_of_sorted(name, lines, lambda line: [f"{line.position:09d}"], limit=limit, cursor=cursor)


@router.get(
    "/invoices/{invoice_id}/files/{format}",
    auth=SCOPE,
    response=answers(None),
    operation_id="get_invoice_file",
    summary="A file of an invoice",
    openapi_extra=FILE_ANSWER,
)
def get_file(request: ApiRequest, invoice_id: Id, format: Format, customer: CustomerKey = "") -> HttpResponse:
    """The file as it was issued, byte for byte; `xlsx` is made anew. 404 where the format cannot say the document."""
    invoice = _invoice(request, invoice_id, customer)
    if format == "xlsx":
        content = invoice_xlsx.render(decode(bytes(invoice.frozen)))
    else:
        try:
            content = content_of(invoice, format, SystemClock(), who=request.auth.who)
        except Refuse as error:
            raise Problem("not_found", " ".join(error.problems)) from error
    return file_answer(content, format, str(invoice.number))


def _invoice(request: ApiRequest, invoice_id: int, customer: str) -> Invoice:
    return get_object_or_404(issued_to(request.auth.customer(customer)), pk=invoice_id)


def _item(invoice: Invoice, day: Any) -> InvoiceItem:
    stands = standing(invoice, day)

    def text(amount: int) -> str:
        return str(Money(amount=amount, currency=invoice.currency))

    return InvoiceItem.model_validate(
        {
            "id": invoice.pk,
            "number": invoice.number,
            "kind": invoice.kind,
            "original": invoice.original_id,
            "reason": invoice.reason,
            "period": invoice.period,
            "period_start": format_rfc3339(invoice.period_start_ms),
            "period_end": format_rfc3339(invoice.period_end_ms),
            "issue_date": str(invoice.issue_date),
            "due_date": str(invoice.due_date),
            "currency": invoice.currency,
            "net": text(invoice.net),
            "tax": text(invoice.tax),
            "total": text(invoice.total),
            "state": stands.state,
            "settled": str(stands.settled),
            "left": str(stands.left),
            "days_overdue": stands.days_overdue,
        }
    )


def _line(line: DocumentLine, detail: str) -> Line:
    days = line.days if detail == "days" else ()
    cards = line.cards if detail == "cards" else ()
    return Line(
        position=line.position, kind=line.kind, model=line.model, description=line.description,
        first_day=line.first_day, last_day=line.last_day, band=line.band, tier=line.tier, quantity_us=line.quantity_us,
        printed_quantity=line.printed_quantity, unit=line.unit, unit_price=line.unit_price, amount=line.amount,
        net=line.net or line.amount, tax_category=line.tax_category,
        days=[DayPart(day=each.day, quantity_us=each.quantity_us, amount=each.amount) for each in days],
        cards=[
            CardPart(card=each.card, node=each.node, quantity_us=each.quantity_us, amount=each.amount)
            for each in cards
        ],
    )  # fmt: skip
