"""A customer's own webhook: its events as signed requests, tried again until they are heard, with a log of every try.

Owns which events are due and where they may go. Does not own the message nor its signature (``webhook``). The address
is the customer's word: unless the settings allow it, no request goes to an address inside our own network, and it goes
to the very address that was looked at, so that a name cannot mean another a moment later.
"""

from __future__ import annotations

import base64
import ipaddress
import secrets
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from msgspec import Struct

from cardhour_billing.audit.log import audit
from cardhour_billing.models import Customer, CustomerWebhook, Event, WebhookDelivery
from cardhour_billing.outgoing import WebhookSettings
from cardhour_billing.sending.events import BATCH, FIRST_WAIT_MS, GIVE_UP_MS, WAIT_MAX_MS, raise_event
from cardhour_billing.sending.webhook import Heard, tell
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse
from cardhour_contract.settings import Secret

TOLD = ("budget.threshold", "budget.balance", "credit.low", "credit.exhausted", "credit.resumed", "credit.restored")
"""Kinds of event that are the customer's own business, and tests of its webhook."""
TEST = "webhook.test"

URL_CHARS_MAX = 1000


class Told(Struct, frozen=True, kw_only=True):
    """An event in the log. ``next_at_ms`` is ``None`` where it is not tried again."""

    event: Event
    delivered: bool
    attempts: int
    status: int | None
    outcome: str
    at_ms: int | None
    next_at_ms: int | None


def set_webhook(customer: Customer, url: str, settings: WebhookSettings, *, clock: Clock, who: str) -> CustomerWebhook:
    """Tell the customer's events to ``url`` from now on, with a new secret."""
    check_url(url, settings)
    with transaction.atomic():
        webhook, _ = CustomerWebhook.objects.update_or_create(
            customer=customer,
            defaults={"url": url, "secret": f"whsec_{_base64_key()}", "since_ms": clock.now_ms()},
        )
        audit(clock, who, "webhook.set", customer.key, {"host": urlsplit(url).hostname})
    return webhook


def remove_webhook(customer: Customer, *, clock: Clock, who: str) -> None:
    """Tell nothing any more."""
    with transaction.atomic():
        if CustomerWebhook.objects.filter(customer=customer).delete()[0]:
            audit(clock, who, "webhook.remove", customer.key, {})


def send_test(webhook: CustomerWebhook, settings: WebhookSettings, clock: Clock) -> Told:
    """Raise a test event and tell it at once."""
    with transaction.atomic():
        customer = Customer.objects.select_for_update().get(pk=webhook.customer_id)
        event = raise_event(customer, "webhook", TEST, {"test": True}, clock)
    return _tell(webhook, event, settings, clock)


def tell_customers_due(settings: WebhookSettings, clock: Clock) -> list[Told]:
    """Tell every customer what is due, oldest first; what became of each."""
    now_ms, done = clock.now_ms(), list[Told]()
    for webhook in CustomerWebhook.objects.select_related("customer").order_by("customer"):
        for each in log_of(webhook, now_ms):
            if each.next_at_ms is not None and each.next_at_ms <= now_ms and len(done) < BATCH:
                done.append(_tell(webhook, each.event, settings, clock))
    return done


def log_of(webhook: CustomerWebhook, now_ms: int, newest: int = 0) -> list[Told]:
    """The events that the webhook is told, oldest first; or the ``newest`` so many, newest first."""
    events = events_of(webhook)
    if newest:
        found: list[Event] = list(events.order_by("-id")[:newest])
    else:
        young = events.filter(at_ms__gt=now_ms - GIVE_UP_MS).exclude(customer_deliveries__delivered=True)
        found = list(young.order_by("id"))
    tries: dict[int, list[WebhookDelivery]] = {}
    for row in WebhookDelivery.objects.filter(event__in=found).order_by("attempt"):
        tries.setdefault(row.event_id, []).append(row)
    return [told(each, tries.get(each.pk, []), now_ms) for each in found]


def events_of(webhook: CustomerWebhook) -> QuerySet[Event]:
    """What is told to it: its customer's own business, since it was set."""
    return Event.objects.select_related("customer").filter(
        customer=webhook.customer_id, kind__in=(*TOLD, TEST), at_ms__gte=webhook.since_ms
    )


def check_url(url: str, settings: WebhookSettings) -> None:
    """Refuse what no request may go to."""
    try:
        parsed = urlsplit(url)
        port = parsed.port
    except ValueError as error:
        raise Refuse("url: not an address such as https://example.com/hooks") from error
    secure = parsed.scheme == "https" or (parsed.scheme == "http" and settings.customers_anywhere)
    if not secure or not parsed.hostname or parsed.username or len(url) > URL_CHARS_MAX or port == 0:
        raise Refuse("url: an address that begins with https://, such as https://example.com/hooks, without a password")
    address_of(url, settings)


def address_of(url: str, settings: WebhookSettings) -> str:
    """The IP address that a request to ``url`` goes to."""
    parsed = urlsplit(url)
    host, port = parsed.hostname or "", parsed.port or (443 if parsed.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refuse(f"url: nothing is known of the name {host}") from error
    addresses = [str(each[4][0]) for each in found]
    if not settings.customers_anywhere and not all(ipaddress.ip_address(each).is_global for each in addresses):
        raise Refuse(f"url: {host} is inside a private network, and events go to public addresses only")
    return addresses[0]


def _tell(webhook: CustomerWebhook, event: Event, settings: WebhookSettings, clock: Clock) -> Told:
    own = WebhookSettings(url=webhook.url, secret=Secret(webhook.secret), timeout_s=settings.timeout_s)
    try:
        heard = tell(event, own, clock, address=address_of(webhook.url, settings))
    except Refuse as error:
        heard = Heard(status=None, outcome=str(error))
    tried = WebhookDelivery.objects.filter(event=event)
    try:
        with transaction.atomic():
            WebhookDelivery.objects.create(
                customer=webhook.customer, event=event, attempt=tried.count() + 1, at_ms=clock.now_ms(),
                status=heard.status, outcome=heard.outcome[:256], delivered=heard.delivered,
            )  # fmt: skip
    except IntegrityError:
        pass  # another process told it at the same moment, and its record says what came of it
    return told(event, list(tried.order_by("attempt")), clock.now_ms())


def told(event: Event, tries: Iterable[WebhookDelivery], now_ms: int) -> Told:
    """Where an event stands after these tries."""
    rows = list(tries)
    delivered = any(each.delivered for each in rows)
    next_at_ms: int | None = None
    if not delivered:
        wait_ms = min(FIRST_WAIT_MS * 2 ** (len(rows) - 1), WAIT_MAX_MS) if rows else 0
        next_at_ms = rows[-1].at_ms + wait_ms if rows else event.at_ms
        if event.kind == TEST or max(next_at_ms, now_ms) >= event.at_ms + GIVE_UP_MS:
            next_at_ms = next_at_ms if event.kind == TEST and not rows else None
    return Told(
        event=event,
        delivered=delivered,
        attempts=len(rows),
        status=rows[-1].status if rows else None,
        outcome=rows[-1].outcome if rows else "",
        at_ms=rows[-1].at_ms if rows else None,
        next_at_ms=next_at_ms,
    )


def _base64_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
