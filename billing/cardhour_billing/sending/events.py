"""Events: what happened that somebody outside should hear of, told to a webhook until it is heard.

Owns the sequence of events and when each is tried again. Does not own what an event means (``prepaid.level``) nor the
message on the wire (``webhook``). Telling is at least once: the receiver knows a repetition by its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from msgspec import Struct

from cardhour_billing.models import Customer, Event, EventDelivery
from cardhour_billing.outgoing import WebhookSettings
from cardhour_billing.sending.webhook import Heard, tell
from cardhour_contract.clock import Clock
from cardhour_contract.moment import DAY_MS, HOUR_MS, MINUTE_MS

GIVE_UP_MS = 3 * DAY_MS
"""An event is tried by itself until it is so old: a receiver that is away for a weekend still hears of Friday."""

FIRST_WAIT_MS = MINUTE_MS
WAIT_MAX_MS = 6 * HOUR_MS
"""Each wait is twice the one before it, up to this."""

BATCH = 200
"""Events told in one go: a receiver that hangs for ten seconds each holds a scheduler's minute no longer than that."""


class Told(Struct, frozen=True, kw_only=True):
    """An event with its state. ``next_at_ms`` is ``None`` where it is not tried again by itself."""

    event: Event
    delivered: bool
    attempts: int
    outcome: str
    next_at_ms: int | None

    @property
    def state(self) -> str:
        if self.delivered:
            return "delivered"
        return "waiting" if self.next_at_ms is not None else "given up"


def last_event(customer: Customer, subject: str) -> Event | None:
    """The newest event of a customer's subject."""
    return Event.objects.filter(customer=customer, subject=subject).order_by("-sequence").first()


def raise_event(customer: Customer, subject: str, kind: str, detail: dict[str, Any], clock: Clock) -> Event:
    """Record an event after those there are. Its writer holds the customer's row, so that two do not race."""
    before = last_event(customer, subject)
    return Event.objects.create(
        customer=customer,
        subject=subject,
        sequence=before.sequence + 1 if before else 1,
        kind=kind,
        at_ms=clock.now_ms(),
        detail=detail,
    )


def told(events: Sequence[Event], now_ms: int) -> list[Told]:
    """Each event with what its deliveries have come to by now."""
    by_event: dict[int, list[EventDelivery]] = {}
    for row in EventDelivery.objects.filter(event__in=events).order_by("attempt"):
        by_event.setdefault(row.event_id, []).append(row)
    return [_told(each, by_event.get(each.pk, []), now_ms) for each in events]


def tell_due(settings: WebhookSettings, clock: Clock) -> list[Told]:
    """Tell every event that is due, oldest first; what became of each. Nothing, where no webhook is set."""
    if not settings.url:
        return []
    now_ms = clock.now_ms()
    young = Event.objects.filter(at_ms__gt=now_ms - GIVE_UP_MS).exclude(deliveries__delivered=True)
    waiting = told(list(young.select_related("customer").order_by("id")), now_ms)
    due = [each for each in waiting if each.next_at_ms is not None and each.next_at_ms <= now_ms]
    return [tell_now(each.event, settings, clock) for each in due[:BATCH]]


def tell_now(event: Event, settings: WebhookSettings, clock: Clock) -> Told:
    """Tell one event, whatever was tried before."""
    heard = tell(event, settings, clock)
    _record(event, heard, clock)
    return told([event], clock.now_ms())[0]


def _record(event: Event, heard: Heard, clock: Clock) -> None:
    last = EventDelivery.objects.filter(event=event).order_by("-attempt").values_list("attempt", flat=True).first()
    try:
        with transaction.atomic():
            EventDelivery.objects.create(
                event=event,
                attempt=(last or 0) + 1,
                at_ms=clock.now_ms(),
                status=heard.status,
                outcome=heard.outcome[:256],
                delivered=heard.delivered,
            )
    except IntegrityError:
        return  # another process told it at the same moment, and its record says what came of it


def _told(event: Event, deliveries: Sequence[EventDelivery], now_ms: int) -> Told:
    delivered = any(each.delivered for each in deliveries)
    next_at_ms: int | None = None
    if not delivered:
        next_at_ms = event.at_ms
        if deliveries:
            last = deliveries[-1]
            next_at_ms = last.at_ms + min(FIRST_WAIT_MS * 2 ** (last.attempt - 1), WAIT_MAX_MS)
        if max(next_at_ms, now_ms) >= event.at_ms + GIVE_UP_MS:
            next_at_ms = None
    return Told(
        event=event,
        delivered=delivered,
        attempts=len(deliveries),
        outcome=deliveries[-1].outcome if deliveries else "",
        next_at_ms=next_at_ms,
    )
