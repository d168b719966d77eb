"""``/statements``: statements of account (对账单) as they were sent, confirmed, or disputed line by line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema

from cardhour_billing.api.caller import ApiRequest, Key
from cardhour_billing.api.files import FILE_ANSWER, file_answer
from cardhour_billing.api.once import IdempotencyKey, once
from cardhour_billing.api.paging import LIMIT, Cursor, Limit, Paged, page_of
from cardhour_billing.api.words import PRINTABLE, CustomerKey, Id, answers
from cardhour_billing.models import Statement
from cardhour_billing.models.party import NAME_CHARS_MAX
from cardhour_billing.money import Money
from cardhour_billing.portal.access import statements_sent_to
from cardhour_billing.statements import csv as statement_csv
from cardhour_billing.statements import pdf as statement_pdf
from cardhour_billing.statements.document import StatedLine
from cardhour_billing.statements.statement import confirm, dispute, document_of
from cardhour_contract.clock import Clock, SystemClock
from cardhour_contract.moment import format_rfc3339

router = Router(tags=["statements"])
READ, WRITE = Key("statements:read"), Key("statements:write")
RENDERERS = {"pdf": statement_pdf.render, "csv": statement_csv.render}

LINES_MAX = 1_000


class Disputed(Schema):
    """A line that is not agreed to."""

    line: int | None
    reason: str
    at: str


class StatementItem(Schema):
    """A statement of account."""

    id: int
    first_day: str
    last_day: str
    revision: int
    state: str = Field(description="`sent`, `confirmed` or `disputed`.")
    currency: str
    opening: str
    closing: str
    drawn_at: str
    disputed: list[Disputed]


class Statements(Paged):
    items: list[StatementItem]


class StatementLine(Schema):
    """A line of a document that falls into the range, or its tax."""

    position: int
    document: str
    line: int | None
    name: str
    first_day: str
    last_day: str
    printed_quantity: str
    unit: str
    unit_price: str
    amount: str


class StatementPayment(Schema):
    day: str
    reference: str
    amount: str


class StatementWhole(StatementItem):
    """All that a statement says: `opening` + `charged` − `paid` = `closing`."""

    charged: str
    paid: str
    lines: list[StatementLine]
    payments: list[StatementPayment]


class Confirmation(Schema):
    """Who agrees to the statement."""

    by: str = Field(min_length=1, max_length=NAME_CHARS_MAX, pattern=PRINTABLE)


class Dispute(Schema):
    """Which lines are not agreed to, and why."""

    lines: list[Annotated[int, Field(ge=1, lt=2**31)]] = Field(min_length=1, max_length=LINES_MAX)
    reason: str = Field(min_length=1, max_length=2_000, pattern=PRINTABLE)


@router.get(
    "/statements", auth=READ, response=answers(Statements), operation_id="list_statements", summary="Statements"
)
def list_statements(
    request: ApiRequest, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """Statements that were sent, newest first."""
    rows = statements_sent_to(request.auth.customer(customer)).prefetch_related("events")
    return page_of("statements", rows, _item, limit=limit, cursor=cursor)


@router.get(
    "/statements/{statement_id}",
    auth=READ,
    response=answers(StatementWhole),
    operation_id="get_statement",
    summary="One statement",
)
def get_statement(request: ApiRequest, statement_id: Id, customer: CustomerKey = "") -> StatementWhole:
    """One statement with its lines and payments."""
    found = _statement(request, statement_id, customer)
    document = document_of(found)
    return StatementWhole(
        **_item(found).model_dump(),
        charged=document.charged,
        paid=document.paid,
        lines=[_line(each) for each in document.lines],
        payments=[
            StatementPayment(day=each.day, reference=each.reference, amount=each.amount) for each in document.payments
        ],
    )


@router.get(
    "/statements/{statement_id}/files/{format}",
    auth=READ,
    response=answers(None),
    operation_id="get_statement_file",
    summary="A file of a statement",
    openapi_extra=FILE_ANSWER,
)
def get_file(
    request: ApiRequest, statement_id: Id, format: Literal["pdf", "csv"], customer: CustomerKey = ""
) -> HttpResponse:
    """The statement to print, or as a table."""
    found = _statement(request, statement_id, customer)
    return file_answer(RENDERERS[format](document_of(found)), format, f"statement-{found.first_day}-{found.last_day}")


@router.post(
    "/statements/{statement_id}/confirm",
    auth=WRITE,
    response=answers(StatementItem, also=(409, 413)),
    operation_id="confirm_statement",
    summary="Confirm a statement",
)
def confirm_statement(
    request: ApiRequest, statement_id: Id, body: Confirmation, idempotency_key: IdempotencyKey
) -> HttpResponse:
    """Agree to it, disputed lines and all. 409 where it was confirmed already."""
    clock, who = SystemClock(), request.auth.who
    return _answered(request, statement_id, lambda found: confirm(found, body.by, clock=clock, who=who), clock)


@router.post(
    "/statements/{statement_id}/disputes",
    auth=WRITE,
    response=answers(StatementItem, also=(409, 413)),
    operation_id="dispute_statement",
    summary="Dispute lines of a statement",
)
def dispute_statement(
    request: ApiRequest, statement_id: Id, body: Dispute, idempotency_key: IdempotencyKey
) -> HttpResponse:
    """Say which lines are not agreed to. 409 where the statement has no such line, or was confirmed."""
    clock, who, lines = SystemClock(), request.auth.who, tuple(body.lines)
    return _answered(
        request, statement_id, lambda found: dispute(found, lines, body.reason, clock=clock, who=who), clock
    )


def _answered(
    request: ApiRequest, statement_id: int, answer: Callable[[Statement], object], clock: Clock
) -> HttpResponse:
    """What the customer answers to a statement, once, and how the statement stands then."""

    def act() -> StatementItem:
        answer(_statement(request, statement_id))
        return _item(_statement(request, statement_id))

    return once(request, act, clock)


def _statement(request: ApiRequest, statement_id: int, customer: str = "") -> Statement:
    return get_object_or_404(statements_sent_to(request.auth.customer(customer)), pk=statement_id)


def _item(found: Statement) -> StatementItem:
    events = sorted(found.events.all(), key=lambda each: each.pk)
    return StatementItem(
        id=found.pk,
        first_day=found.first_day.isoformat(),
        last_day=found.last_day.isoformat(),
        revision=found.revision,
        state=events[-1].kind,
        currency=found.currency,
        opening=str(Money(amount=found.opening, currency=found.currency)),
        closing=str(Money(amount=found.closing, currency=found.currency)),
        drawn_at=format_rfc3339(found.drawn_at_ms),
        disputed=[
            Disputed(line=each.line, reason=each.note, at=format_rfc3339(each.at_ms))
            for each in events
            if each.kind == "disputed"
        ],
    )


def _line(line: StatedLine) -> StatementLine:
    return StatementLine(
        position=line.position, document=line.document, line=line.line, name=line.name, first_day=line.first_day,
        last_day=line.last_day, printed_quantity=line.printed_quantity, unit=line.unit, unit_price=line.unit_price,
        amount=line.amount,
    )  # fmt: skip
