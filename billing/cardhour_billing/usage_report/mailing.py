"""The monthly usage report by mail: made once the month is closed, sent once to each subscription.

Owns which months are due, and trying again. Does not own subscriptions (``subscription``), the letter (``letter``), the
report's rows (``rows``) nor that a letter is sent once (``sending.mailing``). The truth is ``JobRun`` (subscription,
month) and the log of mail: a report whose fate nobody knows counts as sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

import structlog
from django.db.models import QuerySet

from cardhour_billing.config import BillingConfig
from cardhour_billing.lock import exclusive
from cardhour_billing.models import Customer, Invoice, JobRun, Mail, MonthEntry, ReportSubscription
from cardhour_billing.month import Month, billing_period, local_day, month_of
from cardhour_billing.month_usage.keeping import month_usage
from cardhour_billing.portal_links import can_link
from cardhour_billing.receivables.standing import in_force
from cardhour_billing.sending.mailing import send
from cardhour_billing.usage.ledger import WarehouseLedger
from cardhour_billing.usage.store import opened_warehouse
from cardhour_billing.usage_report.letter import Report, report_letter
from cardhour_billing.usage_report.order import Order, order_of
from cardhour_billing.usage_report.running import OpenWarehouse, Running
from cardhour_billing.usage_report.subscription import customer_of, subscriptions
from cardhour_contract.clock import Clock
from cardhour_contract.errors import CardHourError, Refuse, Retry
from cardhour_contract.moment import MINUTE_MS

if TYPE_CHECKING:
    from cardhour_billing.usage.ledger import Ledger

log = structlog.get_logger()

WHO = "scheduler"
ATTACHED_MAX = 5_000_000
"""Bytes of a report that go with the letter; a larger one is a link, behind signing in."""
TRIES_MAX = 12
"""Tries at one month of one subscription, each after twice the wait of the one before, from a minute on: three days."""
BACK_MONTHS = 3
"""How far back a month is sent that was not closed before."""


def mail_reports(config: BillingConfig, clock: Clock, open_warehouse: OpenWarehouse | None = None) -> list[JobRun]:
    """Send every report that is due, if nobody else is doing it; each subscription and month that was tried."""
    if not can_link(config):
        return []
    with exclusive("reports", config.home, wait=False) as leader:
        if not leader:
            return []
        warehouse = open_warehouse or (lambda: opened_warehouse(config))
        return [_try(each, month, config, warehouse, clock) for each, month in list(due(clock))]


def due(clock: Clock) -> Iterator[tuple[ReportSubscription, Month]]:
    """Subscriptions with the closed months that were not sent to them and may be tried now."""
    for each in subscriptions():
        customer = customer_of(each)
        if customer is None or not each.user.is_active or not each.user.email:
            continue
        now = month_of(local_day(clock.now_ms(), customer.timezone))
        for back in range(BACK_MONTHS, 0, -1):
            month = now.minus(back)
            if str(month) >= each.since and is_closed(customer, month) and _may_try(each, month, clock):
                yield each, month


def is_closed(customer: Customer, month: Month) -> bool:
    """Whether the month is billed, or was closed without a document."""
    billed = in_force(Invoice.objects.filter(customer=customer, period=str(month))).exists()
    return billed or MonthEntry.objects.filter(customer=customer, period=str(month)).exists()


def key_of(subscription: ReportSubscription, month: Month) -> str:
    """The name of its letter in the log."""
    return f"{_log_key(subscription.user_id)}{subscription.pk} {month}"


def sent_to(login_id: int) -> QuerySet[Mail]:
    """Every report that was mailed to a login, newest first, with what the server said."""
    return Mail.objects.filter(key__startswith=_log_key(login_id)).select_related("outcome").order_by("-id")


def letters_of(subscription: ReportSubscription) -> QuerySet[Mail]:
    """Those of one subscription."""
    return sent_to(subscription.user_id).filter(key__startswith=f"{_log_key(subscription.user_id)}{subscription.pk} ")


def last_month(customer: Customer, clock: Clock) -> Month:
    """The month before the present one, where the customer is."""
    return month_of(local_day(clock.now_ms(), customer.timezone)).minus(1)


def report_of(
    subscription: ReportSubscription, month: Month, config: BillingConfig, open_warehouse: OpenWarehouse, clock: Clock
) -> Report:
    """Make a month's report. Raises Retry where the usage store is away: the month would be without its projects."""
    customer = customer_of(subscription)
    if customer is None:
        raise Refuse(f"{subscription.user.username} belongs to no customer any more")

    @contextmanager
    def ledger() -> Iterator[Ledger]:
        with open_warehouse() as warehouse:
            yield WarehouseLedger(warehouse)

    usage = month_usage(customer, month, ledger, clock)
    if not usage.detailed:
        raise Retry("the usage store did not answer, and without it the report would be without projects")
    order = order_for(subscription, customer, month)
    content, size = _made(Running(order, open_warehouse, clock, WHO))
    return Report(order=order, usage=usage, content=content, size=size)


def order_for(subscription: ReportSubscription, customer: Customer, month: Month) -> Order:
    """The whole month, grouped as it was subscribed to."""
    days = month_days(month, customer)
    query = {"from": str(days[0]), "to": str(days[1]), "by": subscription.grouping, "format": subscription.form}
    return order_of(customer, query)


def month_days(month: Month, customer: Customer) -> tuple[date, date]:
    """Its first and last day."""
    period = billing_period(month, customer.timezone)
    return local_day(period.start_ms, customer.timezone), local_day(period.end_ms - 1, customer.timezone)


def _made(running: Running) -> tuple[bytes | None, int]:
    """The bytes, as long as mail carries them, and how many there were."""
    kept: bytearray | None = bytearray()
    size = 0
    for piece in running:
        size += len(piece)
        kept = None if kept is None or size > ATTACHED_MAX else kept + piece
    return (None if kept is None else bytes(kept)), size


def _try(
    subscription: ReportSubscription, month: Month, config: BillingConfig, open_warehouse: OpenWarehouse, clock: Clock
) -> JobRun:
    job = _job(subscription)
    run, created = JobRun.objects.get_or_create(job=job, period=str(month), defaults={"started_at_ms": clock.now_ms()})
    if not created:
        run.state, run.started_at_ms, run.attempts = JobRun.State.RUNNING, clock.now_ms(), run.attempts + 1
        run.save()
    try:
        report = report_of(subscription, month, config, open_warehouse, clock)
        letter = report_letter(key_of(subscription, month), subscription, report, config)
        fate = send(report.order.customer, letter, config.mail, clock=clock, who=WHO)
        run.state = JobRun.State.FAILED if fate.open else JobRun.State.DONE
        run.outcome = f"{fate.state}: {fate.detail}"
    except CardHourError as error:
        run.state, run.outcome = JobRun.State.FAILED, str(error)
    run.finished_at_ms = clock.now_ms()
    run.save()
    log.info("report mail", subscription=subscription.pk, month=str(month), state=run.state, outcome=run.outcome)
    return run


def _may_try(subscription: ReportSubscription, month: Month, clock: Clock) -> bool:
    run = JobRun.objects.filter(job=_job(subscription), period=str(month)).first()
    if run is None or run.state == JobRun.State.RUNNING:  # a process that died: only one runs them at a time
        return True
    waited = clock.now_ms() >= (run.finished_at_ms or 0) + MINUTE_MS * 2 ** (run.attempts - 1)
    return run.state == JobRun.State.FAILED and run.attempts < TRIES_MAX and waited


def _job(subscription: ReportSubscription) -> str:
    return f"report-mail {subscription.pk}"


def _log_key(login_id: int) -> str:
    return f"report of {login_id} by "
