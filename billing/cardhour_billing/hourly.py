"""What the scheduler does between months: each hour for prepaid customers, grants and pages, each minute for events,
and at each look the month's money.

Owns when that is due. The truth is ``JobRun`` (job, hour), as for months. An hour that was missed is not caught up: a
look at the present says all that it would have said.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from cardhour_billing.budgets.budget import look_at_budgets
from cardhour_billing.budgets.mail import mail_due
from cardhour_billing.config import BillingConfig
from cardhour_billing.lock import exclusive
from cardhour_billing.models import Budget, Customer, JobRun, PortalUser
from cardhour_billing.month_usage.keeping import refresh
from cardhour_billing.portal.today.money import renew_money
from cardhour_billing.prepaid.provisional import charge_provisionally
from cardhour_billing.receivables.credit import expire, expired
from cardhour_billing.sending.customer_webhook import tell_customers_due
from cardhour_billing.sending.events import Told, tell_due
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.clock import Clock
from cardhour_contract.errors import CardHourError
from cardhour_contract.moment import HOUR_MS, floor_to, format_rfc3339

log = structlog.get_logger()

JOB, USAGE = "provisional", "usage"
WHO = "scheduler"


def run_hour(ledger: Ledger, clock: Clock) -> JobRun | None:
    """The hour's look at prepaid customers, where there are any and it was not done; grants that are over expire."""
    for grant in expired(clock.now_ms()):
        expire(grant, clock=clock, who=WHO)
    if not Customer.objects.filter(prepaid=True).exists():
        return None

    def look() -> str:
        crossed = charge_provisionally(ledger, clock)
        return ", ".join(f"{each.customer.key}: {each.kind}" for each in crossed) or "no crossing"

    return _once_an_hour(JOB, look, clock)


def run_usage_hour(ledger: Ledger, clock: Clock) -> JobRun | None:
    """The hour's months of usage and its look at budgets, if it was not done."""
    if not PortalUser.objects.exists() and not Budget.objects.exists():
        return None

    def look() -> str:
        months, alerts = refresh(ledger, clock), look_at_budgets(clock)
        return f"{months} months" + (f", {len(alerts)} budget alerts" if alerts else "")

    return _once_an_hour(USAGE, look, clock)


def run_money(ledger: Ledger, clock: Clock) -> None:
    """What the month has come to so far, for the staff's first page."""
    try:
        renew_money(ledger, clock)
    except CardHourError as error:
        log.warning("the month's money: trying again at the next check", error=str(error))


def _once_an_hour(job: str, work: Callable[[], str], clock: Clock) -> JobRun | None:
    hour = format_rfc3339(floor_to(clock.now_ms(), HOUR_MS))
    run, created = JobRun.objects.get_or_create(job=job, period=hour, defaults={"started_at_ms": clock.now_ms()})
    if not created:
        if run.state == JobRun.State.DONE:
            return None
        run.state, run.started_at_ms, run.attempts = JobRun.State.RUNNING, clock.now_ms(), run.attempts + 1
        run.save()
    try:
        run.outcome = work()
    except CardHourError as error:
        run.state, run.outcome = JobRun.State.FAILED, str(error)
    else:
        run.state = JobRun.State.DONE
    run.finished_at_ms = clock.now_ms()
    run.save()
    log.info("hourly job", job=job, hour=hour, state=run.state, outcome=run.outcome)
    return run


def tell_events(config: BillingConfig, clock: Clock) -> list[Told]:
    """Tell webhooks and write the letters that are due, if nobody else is doing it; what our own webhook was told."""
    with exclusive("events", config.home, wait=False) as leader:
        if not leader:
            return []
        mail_due(config.mail, clock)
        tell_customers_due(config.webhook, clock)
        return tell_due(config.webhook, clock)
