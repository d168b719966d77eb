"""Money received: recorded, reversed, paid back. Facts, each a row; nothing is edited.

Owns what may be recorded. Does not own what it is used for (``allocating``) nor where it comes from (a person, a bank's
statement). A reference is recorded once for each customer, so that a statement read twice records nothing twice.
"""

from __future__ import annotations

from datetime import date

from django.db import transaction
from msgspec import Struct

from cardhour_billing.audit.log import audit
from cardhour_billing.models import Customer, Invoice, Payment
from cardhour_billing.models.payment import REFERENCE_CHARS_MAX
from cardhour_billing.money import Money, exponent
from cardhour_billing.receivables.allocating import Source, left_of, locked, name_of, parts_of, release
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse


class Receipt(Struct, frozen=True, kw_only=True):
    """Money that came in: what the bank credited, what banks kept on the way, and what we let go."""

    customer: Customer
    amount: Money
    day: date
    """Value date."""
    reference: str
    fee: Money
    write_off: Money
    note: str = ""

    @property
    def settles(self) -> Money:
        """What can be used for invoices."""
        return self.amount + self.fee + self.write_off


def record(receipt: Receipt, *, write_off_max: int, clock: Clock, who: str) -> Payment:
    """Record a receipt. ``write_off_max`` is in units of its currency."""
    with transaction.atomic():
        locked(receipt.customer)
        _check(receipt, write_off_max)
        payment = Payment.objects.create(
            customer=receipt.customer,
            kind=Payment.Kind.RECEIPT,
            reference=receipt.reference,
            day=receipt.day,
            currency=receipt.amount.currency,
            amount=receipt.amount.amount,
            fee=receipt.fee.amount,
            write_off=receipt.write_off.amount,
            note=receipt.note,
            recorded_at_ms=clock.now_ms(),
            who=who,
        )
        audit(clock, who, "payment.record", payment.code, _told(payment))
        return payment


def reverse(payment: Payment, *, day: date, reason: str, clock: Clock, who: str) -> Payment:
    """The receipt came to nothing. What it paid is open again."""
    with transaction.atomic():
        locked(payment.customer)
        if payment.kind != Payment.Kind.RECEIPT:
            raise Refuse(f"{payment.code} is a {payment.kind}: only money received is reversed")
        if payment.takings.filter(kind=Payment.Kind.REVERSAL).exists():
            raise Refuse(f"{payment.code} is reversed already")
        if payment.takings.exists():
            raise Refuse(f"a part of {payment.code} was paid back: what is left cannot be reversed as a whole")
        # What it paid is released first: nothing is ever paid with money that is not there.
        release(parts_of(payment), payment, clock=clock, who=who)
        reversal = Payment.objects.create(
            customer=payment.customer,
            kind=Payment.Kind.REVERSAL,
            reference=payment.reference,
            day=day,
            currency=payment.currency,
            amount=-payment.amount,
            fee=-payment.fee,
            write_off=-payment.write_off,
            of=payment,
            note=reason,
            recorded_at_ms=clock.now_ms(),
            who=who,
        )
        audit(clock, who, "payment.reverse", payment.code, {"reason": reason, "day": day.isoformat()})
        return reversal


def refund(source: Source, amount: Money, *, day: date, reference: str, note: str, clock: Clock, who: str) -> Payment:
    """Pay back a part of a receipt or of a credit note that nothing is paid with."""
    with transaction.atomic():
        locked(source.customer)
        left = left_of(source)
        if amount.currency != left.currency or not 0 < amount.amount <= left.amount:
            raise Refuse(f"{left} {left.currency} of {name_of(source)} is not used: {amount} cannot be paid back")
        _check_reference(reference)
        given = {"of": source} if isinstance(source, Payment) else {"of_credit": source}
        paid_back = Payment.objects.create(
            customer=source.customer,
            kind=Payment.Kind.REFUND,
            reference=reference,
            day=day,
            currency=amount.currency,
            amount=-amount.amount,
            note=note,
            recorded_at_ms=clock.now_ms(),
            who=who,
            **given,
        )
        audit(clock, who, "payment.refund", name_of(source), _told(paid_back))
        return paid_back


def find_payment(code: str) -> Payment:
    """The payment that ``cardhour payment list`` calls so."""
    digits = code.removeprefix("P")
    found = Payment.objects.select_related("customer").filter(pk=int(digits)).first() if digits.isdecimal() else None
    if found is None:
        raise Refuse(f"there is no payment '{code}': cardhour payment list shows those there are")
    return found


def find_source(code: str) -> Source:
    """A receipt by its code, or a credit note by its number."""
    note = Invoice.objects.select_related("customer").filter(number=code, kind="credit-note").first()
    return note or find_payment(code)


def _check(receipt: Receipt, write_off_max: int) -> None:
    currency = receipt.amount.currency
    billed = {receipt.customer.currency, *receipt.customer.invoices.values_list("currency", flat=True).distinct()}
    if currency not in billed:
        raise Refuse(f"{receipt.customer.key} is billed in {', '.join(sorted(billed))}, and this is {currency}")
    if receipt.amount.amount <= 0:
        raise Refuse("a receipt is more than nothing; what goes out is a refund or a reversal")
    if receipt.fee.amount < 0 or receipt.write_off.amount < 0:
        raise Refuse("a bank fee and a write-off are zero or more")
    if receipt.write_off.amount > write_off_max * 10 ** exponent(currency):
        raise Refuse(
            f"a write-off of {receipt.write_off} {currency} is above write_off_max in [billing], {write_off_max}: "
            "credit the invoice instead (cardhour credit-note)"
        )
    _check_reference(receipt.reference)
    known = Payment.objects.filter(
        customer=receipt.customer, reference=receipt.reference, kind=Payment.Kind.RECEIPT
    ).first()
    if known:
        raise Refuse(f"'{receipt.reference}' of {receipt.customer.key} is recorded already, as {known.code}")


def _check_reference(reference: str) -> None:
    if not reference.strip() or len(reference) > REFERENCE_CHARS_MAX:
        raise Refuse(f"a payment needs its bank reference, of at most {REFERENCE_CHARS_MAX} characters")


def _told(payment: Payment) -> dict[str, str]:
    def text(amount: int) -> str:
        return str(Money(amount=amount, currency=payment.currency))

    return {
        "customer": payment.customer.key,
        "reference": payment.reference,
        "day": payment.day.isoformat(),
        "currency": payment.currency,
        "amount": text(payment.amount),
        "fee": text(payment.fee),
        "write_off": text(payment.write_off),
    }
