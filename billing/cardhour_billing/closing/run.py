"""Closing a month on somebody's word, with a row that says how far it is and what it found.

Owns that row: one for each form that was sent, however often it is sent; progress while it runs; the checklist after.
Runs that the portal asks for are made one after another, in a thread of the process that was asked, under a lock that
ends with the process: a run whose process died is known by that, and what it issued stands. Does not own closing
(``close``), which is safe beside any other close.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import msgspec
import structlog
from django.db import IntegrityError, connections, transaction

from cardhour_billing.closing.checklist import Check
from cardhour_billing.closing.close import CloseOrder, CloseReport, close_month
from cardhour_billing.config import BillingConfig
from cardhour_billing.lock import exclusive
from cardhour_billing.models import CloseRun
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.clock import Clock
from cardhour_contract.errors import CardHourError

log = structlog.get_logger()

LOCK = "close-run"
SAY_MS = 1_000
"""How often a run says how far it is: as often as a page asks, and a commit each time."""
SILENT_MS = 20_000
"""A run that has said nothing for so long, and that nobody holds the lock for, was cut off."""
CUT_OFF = "it was cut off; what it issued stands, and issuing again goes on from there"

OpenLedger = Callable[[], AbstractContextManager[Ledger]]


def begin(order: CloseOrder, token: str, *, clock: Clock) -> tuple[CloseRun, bool]:
    """The run that a form asks for, and whether it asks for the first time."""
    now_ms = clock.now_ms()
    try:
        with transaction.atomic():
            run = CloseRun.objects.create(
                token=token,
                month=str(order.month),
                issue=order.issue,
                customers=list(order.customers),
                who=order.who,
                started_at_ms=now_ms,
                heard_at_ms=now_ms,
            )
    except IntegrityError:
        return CloseRun.objects.get(token=token), False
    return run, True


def start(
    run: CloseRun, order: CloseOrder, config: BillingConfig, open_ledger: OpenLedger, clock: Clock
) -> threading.Thread:
    """Carry ``run`` out in a thread of its own, which the process waits for when it is told to stop."""

    def work() -> None:
        try:
            with exclusive(LOCK, config.home, wait=True):
                carry_out(run, order, config, open_ledger, clock)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name=f"close-run-{run.pk}")
    thread.start()
    return thread


def carry_out(run: CloseRun, order: CloseOrder, config: BillingConfig, open_ledger: OpenLedger, clock: Clock) -> None:
    """Close, and keep what came of it. What goes wrong is kept too: nobody waits for this call's exception."""

    def told(what: str, done: int, of: int) -> None:
        now_ms = clock.now_ms()
        if now_ms - run.heard_at_ms >= SAY_MS:
            run.what, run.done, run.of, run.heard_at_ms = what[:256], done, of, now_ms
            run.save(update_fields=("what", "done", "of", "heard_at_ms"))

    try:
        with open_ledger() as ledger:
            report = close_month(order, ledger=ledger, clock=clock, settings=config.billing, progress=told)
    except CardHourError as error:
        _finish(run, CloseRun.State.FAILED, str(error), clock)
    except Exception:
        _finish(run, CloseRun.State.FAILED, "it broke; an operator finds why in the log", clock)
        log.exception("close run", run=run.pk, month=run.month)
        raise
    else:
        _take(run, report)
        _finish(run, CloseRun.State.DONE, "", clock)


def keep_report(order: CloseOrder, report: CloseReport, *, clock: Clock) -> None:
    """Keep what a close found that a command or the scheduler made: the portal shows the newest, whoever made it."""
    if order.customers:
        return
    now_ms = clock.now_ms()
    run = CloseRun(month=str(order.month), issue=order.issue, who=order.who, started_at_ms=now_ms, heard_at_ms=now_ms)
    run.token = secrets.token_hex(16)
    _take(run, report)
    _finish(run, CloseRun.State.DONE, "", clock)


def latest(month: str, config: BillingConfig, *, clock: Clock) -> CloseRun | None:
    """The newest run of a month that a person should hear of, as it stands."""
    run = CloseRun.objects.filter(month=month).order_by("-id").first()
    return looked_at(run, config, clock=clock) if run else None


def looked_at(run: CloseRun, config: BillingConfig, *, clock: Clock) -> CloseRun:
    """``run``, failed where its process died."""
    if run.state == CloseRun.State.RUNNING and clock.now_ms() - run.heard_at_ms > SILENT_MS:
        with exclusive(LOCK, config.home, wait=False) as free:
            if free:
                run.refresh_from_db()
                if run.state == CloseRun.State.RUNNING:
                    _finish(run, CloseRun.State.FAILED, CUT_OFF, clock)
    return run


def checks_of(month: str) -> tuple[CloseRun | None, tuple[Check, ...]]:
    """The newest checklist of a whole month, and the run that found it."""
    run = CloseRun.objects.filter(month=month, state=CloseRun.State.DONE, customers=[]).order_by("-id").first()
    return run, msgspec.convert(run.checks if run else [], tuple[Check, ...])


def _take(run: CloseRun, report: CloseReport) -> None:
    run.issued = sum(each.newly_issued for each in report.invoices)
    run.drafts = sum(each.document.state == "draft" for each in report.invoices)
    run.blocked = len(report.blocked)
    run.done = run.of = len(report.invoices) + len(report.without_usage) + len(report.carried)
    run.checks = msgspec.to_builtins(report.checks)


def _finish(run: CloseRun, state: CloseRun.State, what: str, clock: Clock) -> None:
    run.state, run.what = state, what[:256]
    run.heard_at_ms = run.finished_at_ms = clock.now_ms()
    run.save()
