"""``/payments``: money received and given back, and what it paid."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from ninja import Field, Router, Schema

from cardhour_billing.api.caller import ApiRequest, Key
from cardhour_billing.api.paging import LIMIT, Cursor, Limit, Paged, page_of
from cardhour_billing.api.words import CustomerKey, answers
from cardhour_billing.models import Allocation, Customer, Payment
from cardhour_billing.money import Money

router = Router(tags=["payments"])


class Paid(Schema):
    """A part of a payment, used for an invoice."""

    invoice: int
    number: str
    amount: str


class PaymentItem(Schema):
    """Money that came in, or (negative) went out again."""

    payment: str = Field(description="Such as `P12`.")
    kind: str = Field(description="`receipt`, `reversal` or `refund`.")
    day: str = Field(description="Value date.")
    reference: str
    currency: str
    amount: str = Field(description="What the bank credited.")
    fee: str = Field(description="What banks kept on the way.")
    write_off: str
    settles: str = Field(description="All three: what can pay invoices.")
    of: str | None = Field(description="The receipt that a reversal or refund takes back.")
    pays: list[Paid]


class Payments(Paged):
    items: list[PaymentItem]


@router.get(
    "/payments", auth=Key("payments:read"), response=answers(Payments), operation_id="list_payments", summary="Payments"
)
def list_payments(
    request: ApiRequest, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """Payments with what each pays at present, newest first."""
    return page_of("payments", _payments(request.auth.customer(customer)), _item, limit=limit, cursor=cursor)


def _payments(customer: Customer) -> QuerySet[Payment]:
    used = Prefetch("allocations", Allocation.objects.select_related("invoice"))
    return Payment.objects.filter(customer=customer).select_related("of").prefetch_related(used)


def _item(payment: Payment) -> PaymentItem:
    def text(amount: int) -> str:
        return str(Money(amount=amount, currency=payment.currency))

    sums: dict[int, int] = {}
    numbers: dict[int, str] = {}
    for each in payment.allocations.all():
        sums[each.invoice_id] = sums.get(each.invoice_id, 0) + each.amount
        numbers[each.invoice_id] = str(each.invoice.number)
    return PaymentItem(
        payment=payment.code, kind=payment.kind, day=payment.day.isoformat(), reference=payment.reference,
        currency=payment.currency, amount=text(payment.amount), fee=text(payment.fee),
        write_off=text(payment.write_off), settles=text(payment.settles), of=payment.of.code if payment.of else None,
        pays=[
            Paid(invoice=pk, number=numbers[pk], amount=text(amount)) for pk, amount in sorted(sums.items()) if amount
        ],
    )  # fmt: skip
