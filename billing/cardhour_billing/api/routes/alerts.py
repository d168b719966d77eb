"""``/alerts`` and ``/webhook``: which thresholds were crossed, and what was told of it, try by try."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from ninja import Field, Router, Schema

from cardhour_billing.api.caller import ApiRequest, Key
from cardhour_billing.api.paging import LIMIT, Cursor, Limit, Paged, page_of
from cardhour_billing.api.words import CustomerKey, answers
from cardhour_billing.budgets.mail import key_of
from cardhour_billing.models import BudgetAlert, CustomerWebhook, Event, MailOutcome
from cardhour_billing.money import Money
from cardhour_billing.sending.customer_webhook import events_of, told
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import format_rfc3339

router = Router(tags=["budgets"])
READ = Key("budgets:read")


class AlertItem(Schema):
    """A threshold that was crossed."""

    id: int
    event: str = Field(description="As the webhook has it, such as `evt_12`.")
    budget: int = Field(description="Id of the budget, which may be gone since.")
    of: str = Field(description="What it was of: `everything`, `project speech`, `model H800`, `balance`.")
    period: str
    threshold: int = Field(description="Percent.")
    reached: str
    amount: str
    currency: str
    at: str
    emails: list[str]
    mail: str | None = Field(description="`sent`, `refused` or `uncertain`; null while nothing was mailed.")


class Alerts(Paged):
    items: list[AlertItem]


class WebhookItem(Schema):
    """Where events are told. The secret is shown once, in the portal, and never again."""

    url: str
    since: str = Field(description="Events from before it are not told.")


class TryItem(Schema):
    """One request to the webhook."""

    attempt: int
    at: str
    status: int | None = Field(description="HTTP status of the answer; null where none came.")
    outcome: str
    delivered: bool


class DeliveryItem(Schema):
    """An event, and each try at telling it."""

    event: str
    kind: str
    at: str
    delivered: bool
    next_try_at: str | None = Field(description="Null where it was heard, or is not tried again.")
    tries: list[TryItem]


class Deliveries(Paged):
    items: list[DeliveryItem]


@router.get("/alerts", auth=READ, response=answers(Alerts), operation_id="list_alerts", summary="Alerts")
def list_alerts(
    request: ApiRequest, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """Thresholds that were crossed, newest first. Each is said once a month."""
    rows = BudgetAlert.objects.filter(customer=request.auth.customer(customer))
    found = page_of("alerts", rows, lambda each: each, limit=limit, cursor=cursor)
    names = {key_of(each) for each in found["items"]}
    outcomes = MailOutcome.objects.filter(mail__key__in=names).order_by("mail__round")
    mailed = dict(outcomes.values_list("mail__key", "state"))
    return {**found, "items": [_alert(each, mailed.get(key_of(each))) for each in found["items"]]}


@router.get("/webhook", auth=READ, response=answers(WebhookItem), operation_id="get_webhook", summary="The webhook")
def get_webhook(request: ApiRequest, customer: CustomerKey = "") -> WebhookItem:
    """Where events are told. 404 where none is set: an admin does it in the portal, which shows the secret."""
    hook = _webhook(request, customer)
    return WebhookItem(url=hook.url, since=format_rfc3339(hook.since_ms))


@router.get(
    "/webhook/deliveries",
    auth=READ,
    response=answers(Deliveries),
    operation_id="list_deliveries",
    summary="What the webhook was told",
)
def list_deliveries(
    request: ApiRequest, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """Events that the webhook is told, newest first, with every try. 404 where none is set."""
    rows = events_of(_webhook(request, customer)).prefetch_related("customer_deliveries")
    now_ms = SystemClock().now_ms()
    return page_of("deliveries", rows, lambda event: _delivery(event, now_ms), limit=limit, cursor=cursor)


def _webhook(request: ApiRequest, customer: str) -> CustomerWebhook:
    hook = CustomerWebhook.objects.filter(customer=request.auth.customer(customer)).first()
    if hook is None:
        raise Http404("no webhook is set")
    return hook


def _alert(alert: BudgetAlert, mail: str | None) -> AlertItem:
    return AlertItem(
        id=alert.pk, event=f"evt_{alert.event_id}", budget=alert.budget, of=alert.name, period=alert.period,
        threshold=alert.threshold, reached=str(Money(amount=alert.reached, currency=alert.currency)),
        amount=str(Money(amount=alert.amount, currency=alert.currency)), currency=alert.currency,
        at=format_rfc3339(alert.at_ms), emails=alert.emails, mail=mail,
    )  # fmt: skip


def _delivery(event: Event, now_ms: int) -> DeliveryItem:
    tries = list(event.customer_deliveries.all())
    state = told(event, tries, now_ms)
    return DeliveryItem(
        event=f"evt_{event.pk}", kind=event.kind, at=format_rfc3339(event.at_ms), delivered=state.delivered,
        next_try_at=None if state.next_at_ms is None else format_rfc3339(state.next_at_ms),
        tries=[
            TryItem(
                attempt=each.attempt, at=format_rfc3339(each.at_ms), status=each.status, outcome=each.outcome,
                delivered=each.delivered,
            )
            for each in tries
        ],
    )  # fmt: skip
