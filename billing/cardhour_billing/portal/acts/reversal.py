"""The reversal of a payment as its page has it: what would be open again. Reversing itself is ``payments``'."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from cardhour_billing.figures import grouped
from cardhour_billing.models import Payment
from cardhour_billing.money import Money, total
from cardhour_billing.receivables.allocating import open_of, parts_of
from cardhour_billing.receivables.payments import reverse
from cardhour_billing.rehearsal import rehearsed
from cardhour_contract.clock import Clock


class Frees(Struct, frozen=True, kw_only=True):
    """What a reversal does: grouped amounts. ``parts`` are invoices with what is no longer paid, and open after."""

    whole: str
    parts: tuple[tuple[str, str, str], ...]
    unused: str
    """What paid no invoice; empty where all of it did."""


def preview(payment: Payment, *, day: date, clock: Clock, who: str) -> Frees:
    """What reversing would do, done and taken back. Refuses as that does."""
    paid = parts_of(payment)

    def look(_reversal: Payment) -> Frees:
        whole = Money(amount=payment.settles, currency=payment.currency)
        unused = whole + -total((part.amount for part in paid), payment.currency)
        return Frees(
            whole=grouped(str(whole)),
            parts=tuple(
                (str(part.invoice.number), grouped(str(part.amount)), grouped(str(open_of(part.invoice))))
                for part in paid
            ),
            unused=grouped(str(unused)) if unused.amount else "",
        )

    return rehearsed(lambda: reverse(payment, day=day, reason="", clock=clock, who=who), look)
