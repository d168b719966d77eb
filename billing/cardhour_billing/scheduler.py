"""The scheduler: closes months by itself and exports the audit log's head each day, each once, whoever runs it and
however often it starts.

Owns which months are due. The truth is the table ``JobRun`` (job, period), not APScheduler's memory: at every tick the
leader looks which months have ended and are not done, so a month missed while nothing ran is caught up. Leadership is
an advisory lock on PostgreSQL and a file lock beside SQLite, held for one tick. Drafts are prepared when a month ends;
issuing waits for the grace hours, and happens only with ``auto_issue``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from django.db import connections

from cardhour_billing.audit.chain import export_head
from cardhour_billing.catalog.current import current_bindings
from cardhour_billing.closing.close import CloseOrder, close_month
from cardhour_billing.closing.run import keep_report
from cardhour_billing.config import BillingConfig, BillingSettings
from cardhour_billing.documents.rendering import render_missing
from cardhour_billing.hourly import run_hour, run_money, run_usage_hour, tell_events
from cardhour_billing.lock import exclusive
from cardhour_billing.models import Customer, Issuer, JobRun
from cardhour_billing.month import Month, billing_period, local_day, month_of
from cardhour_billing.rating.binding import BindingRow
from cardhour_billing.usage.ledger import Ledger
from cardhour_billing.usage.store import opened_ledger
from cardhour_billing.usage_report.mailing import mail_reports
from cardhour_contract.clock import Clock, SystemClock
from cardhour_contract.errors import CardHourError
from cardhour_contract.moment import HOUR_MS

log = structlog.get_logger()

DRAFT, ISSUE, AUDIT_HEAD = "draft", "issue", "audit-head"

CATCH_UP_MONTHS = 24
"""How far back a missed month is caught up. Older ones are closed by hand: nobody expects bills of three years ago."""

OpenLedger = Callable[[], AbstractContextManager[Ledger]]
"""Opens the usage ledger for one tick, in the thread that runs it."""


def start_scheduler(config: BillingConfig, open_ledger: OpenLedger, clock: Clock) -> BackgroundScheduler:
    """A running scheduler that looks for due months every ``check_minutes``. Shut it down to stop."""

    def tick() -> None:
        try:
            with open_ledger() as ledger:
                run_due(config, ledger, clock)
        except CardHourError as error:
            log.warning("month close: trying again at the next check", error=str(error))
        finally:
            connections.close_all()  # this thread's; APScheduler may use another next time

    def tell() -> None:
        try:
            tell_events(config, clock)
        except CardHourError as error:
            log.warning("events: trying again in a minute", error=str(error))
        finally:
            connections.close_all()

    def reports() -> None:
        try:
            mail_reports(config, clock)
        except CardHourError as error:
            log.warning("monthly reports: trying again at the next check", error=str(error))
        finally:
            connections.close_all()

    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_job(
        tick,
        "interval",
        minutes=config.billing.check_minutes,
        id="month-close",
        replace_existing=True,
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,  # a late check is still a check; the default drops it after a second
    )
    scheduler.add_job(tick, id="month-close-now", misfire_grace_time=None)
    scheduler.add_job(tell, "interval", minutes=1, id="events", coalesce=True, max_instances=1, misfire_grace_time=None)
    scheduler.add_job(
        reports, "interval", minutes=config.billing.check_minutes, id="reports", coalesce=True, max_instances=1,
        misfire_grace_time=None,
    )  # fmt: skip
    scheduler.start()
    return scheduler


def run(config: BillingConfig, stop: threading.Event, clock: Clock | None = None) -> None:
    """Close months of this installation until ``stop`` is set; a check that has begun is finished first."""

    scheduler = start_scheduler(config, partial(opened_ledger, config), clock or SystemClock())
    stop.wait()
    scheduler.shutdown()


def run_due(config: BillingConfig, ledger: Ledger, clock: Clock) -> list[JobRun]:
    """Do what is due, if nobody else is doing it. The runs of this call, done or failed."""
    with exclusive("scheduler", config.home, wait=False) as leader:
        if not leader:
            return []
        render_missing(clock, who="scheduler")  # what a crash after issuing left without files
        run_hour(ledger, clock)
        run_usage_hour(ledger, clock)
        run_money(ledger, clock)
        runs = [_run(job, month, config.billing, ledger, clock) for job, month in _due(config.billing, clock)]
        _export_head(config, clock)  # last: a folder that cannot be written keeps no month from being closed
        return runs


def _export_head(config: BillingConfig, clock: Clock) -> None:
    """Once a day (UTC) the audit log's head goes to its file and into our own log, which operators ship elsewhere."""
    day = local_day(clock.now_ms(), "UTC").isoformat()
    if JobRun.objects.filter(job=AUDIT_HEAD, period=day, state=JobRun.State.DONE).exists():
        return
    started_ms, head = clock.now_ms(), export_head(config.home, clock)
    JobRun.objects.update_or_create(
        job=AUDIT_HEAD,
        period=day,
        defaults={
            "state": JobRun.State.DONE,
            "started_at_ms": started_ms,
            "finished_at_ms": clock.now_ms(),
            "outcome": f"entry {head.position}, {head.digest}",
        },
    )
    log.info("audit head", at=head.at, position=head.position, digest=head.digest)


def _due(settings: BillingSettings, clock: Clock) -> Iterator[tuple[str, Month]]:
    """Jobs of months that have ended in every customer's zone and are not done, oldest first."""
    issuer, zones = Issuer.objects.first(), set(Customer.objects.values_list("timezone", flat=True))
    bindings = current_bindings()
    if issuer is None or not zones or not bindings:
        return
    now_ms = clock.now_ms()
    finished = JobRun.objects.filter(state=JobRun.State.DONE, job__in=(DRAFT, ISSUE))
    done = set(finished.values_list("job", "period"))
    for month in _months(bindings, issuer.timezone, now_ms):
        ended_ms = max(billing_period(month, zone).end_ms for zone in zones)
        settled = now_ms >= ended_ms + settings.grace_hours * HOUR_MS
        if now_ms >= ended_ms and (DRAFT, str(month)) not in done:
            yield DRAFT, month
        if settled and settings.auto_issue and (ISSUE, str(month)) not in done:
            yield ISSUE, month


def _months(bindings: list[BindingRow], timezone: str, now_ms: int) -> list[Month]:
    """Months from the first binding to now, at most ``CATCH_UP_MONTHS``."""
    first_ms = min(row.from_ms for row in bindings)
    month, last = month_of(local_day(min(first_ms, now_ms), timezone)), month_of(local_day(now_ms, timezone))
    months = [month]
    while month < last:
        month = month.next
        months.append(month)
    return months[-CATCH_UP_MONTHS:]


def _run(job: str, month: Month, settings: BillingSettings, ledger: Ledger, clock: Clock) -> JobRun:
    run, created = JobRun.objects.get_or_create(job=job, period=str(month), defaults={"started_at_ms": clock.now_ms()})
    if not created:  # failed, or its process died: done ones are not due
        run.state, run.started_at_ms, run.attempts = JobRun.State.RUNNING, clock.now_ms(), run.attempts + 1
        run.save()
    order = CloseOrder(month=month, who="scheduler", issue=job == ISSUE)
    try:
        report = close_month(order, ledger=ledger, clock=clock, settings=settings)
    except CardHourError as error:
        run.state, run.outcome = JobRun.State.FAILED, str(error)
    else:
        keep_report(order, report, clock=clock)
        blocked = ", ".join(each.customer for each in report.blocked)
        # A blocked customer keeps an issuing month open: it is tried again once someone has added the price.
        run.state = JobRun.State.FAILED if blocked and job == ISSUE else JobRun.State.DONE
        run.outcome = f"{len(report.invoices)} invoices" + (f"; blocked: {blocked}" if blocked else "")
    run.finished_at_ms = clock.now_ms()
    run.save()
    log.info("month close", job=job, month=str(month), state=run.state, outcome=run.outcome)
    return run
