"""Where a prepaid customer stands, and the event of each crossing: low, exhausted, resumed, restored.

Owns the levels and what is said when one turns into another: once a crossing, however often it is looked at and by how
many processes. Does not own what is available (``provisional``) nor how it is told (``events``).
"""

from __future__ import annotations

from typing import Literal

from django.db import transaction

from cardhour_billing.models import Customer, Event, ProvisionalCharge
from cardhour_billing.money import Money
from cardhour_billing.receivables.credit import prepaid_of
from cardhour_billing.sending.events import last_event, raise_event
from cardhour_contract.clock import Clock

Level = Literal["ok", "low", "exhausted"]

CROSSINGS: dict[tuple[str, str], str] = {
    ("ok", "low"): "credit.low",
    ("ok", "exhausted"): "credit.exhausted",
    ("low", "exhausted"): "credit.exhausted",
    ("exhausted", "low"): "credit.resumed",
    ("exhausted", "ok"): "credit.resumed",
    ("low", "ok"): "credit.restored",
}
"""``credit.exhausted`` says to suspend the customer, ``credit.resumed`` that it may go on."""


def level(available: Money, low_below: int | None) -> Level:
    """``low_below`` in minor units; ``None``: there is no low, only nothing left."""
    if available.amount <= 0:
        return "exhausted"
    return "low" if low_below is not None and available.amount < low_below else "ok"


def look(customer: Customer, clock: Clock) -> Event | None:
    """Compare what is available with what was said last; the event, where a level was crossed.

    Available is what is prepaid now, less what was unbilled at the last hour that was looked at.
    """
    if not customer.prepaid:
        return None
    with transaction.atomic():
        # Held to the end, so that of two processes the second sees what the first said.
        held = Customer.objects.select_for_update().get(pk=customer.pk)
        last = ProvisionalCharge.objects.filter(customer=held, currency=held.currency).order_by("-hour_ms").first()
        prepaid = prepaid_of(held, held.currency)
        unbilled = Money(amount=last.unbilled if last else 0, currency=held.currency)
        available = prepaid - unbilled
        subject = f"credit {held.currency}"
        said = last_event(held, subject)
        before = said.detail["level"] if said else "ok"
        now = level(available, held.low_balance)
        if now == before:
            return None
        detail = {
            "level": now,
            "currency": held.currency,
            "prepaid": str(prepaid),
            "unbilled": str(unbilled),
            "available": str(available),
        }
        return raise_event(held, subject, CROSSINGS[before, now], detail, clock)
