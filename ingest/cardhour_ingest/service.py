"""Ingest as a long-running process: the loop, the rollup's schedule, and the engine where this process owns it.

Owns which parts run together and how they stop. Does not own settings (``config``), the loop, or what a rollup does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from cardhour_contract.clock import Clock, SystemClock
from cardhour_contract.errors import CardHourError, Retry
from cardhour_contract.moment import DAY_MS, HOUR_MS, MINUTE_MS, floor_to
from cardhour_ingest.config import Config
from cardhour_ingest.kafka_source import KafkaSource
from cardhour_ingest.loop import Limits, Loop, Totals, insist
from cardhour_ingest.source import Source
from cardhour_ingest.spool_source import SpoolSource
from cardhour_ingest.trust import KeyRing
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.compare import compare
from cardhour_ingest.warehouse.connect import open_warehouse
from cardhour_ingest.warehouse.expiry import expire
from cardhour_ingest.warehouse.rollup import roll_up, sweep

log = structlog.get_logger(__name__)

SWEEP_AFTER_MS = 5 * MINUTE_MS
"""How long after a full hour its silent cards are looked for: reports of its last minutes have arrived by then."""


COMPARED_MS = 3 * DAY_MS
"""How much of the ledger a nightly pass compares with raw: what arrived late has been rolled up by then, and a night
that was missed is made up for by the next two."""

NIGHTLY_HOUR = 2
"""UTC hour of that pass: one that few fleets are busiest in."""


def open_source(config: Config, clock: Clock) -> Source:
    """The source that the settings name. Nothing is connected or opened yet."""
    if config.stream.kind == "kafka":
        return KafkaSource(config.stream)
    return SpoolSource(config.spools, clock=clock)


def key_ring(config: Config, warehouse: Warehouse, clock: Clock) -> KeyRing | None:
    """By which keys senders are known. A spool on this machine is protected by its file's permissions."""
    if config.stream.kind != "kafka":
        return None
    return KeyRing(warehouse, required=config.ingest.require_signatures, clock=clock)


def run(config: Config, stop: threading.Event, *, clock: Clock | None = None) -> Totals:
    """Ingest until ``stop`` is set, or until a part of it finds that something cannot be right, which is raised."""
    clock = clock or SystemClock()
    failures: list[CardHourError] = []

    def fail(error: CardHourError) -> None:
        failures.append(error)
        stop.set()

    source = open_source(config, clock)
    limits = Limits(
        batch_rows=config.ingest.batch_rows,
        batch_age_ms=config.ingest.batch_age_ms,
        dead_letters_max=config.ingest.dead_letters_max,
    )
    warehouse = insist("opening the warehouse", lambda: open_warehouse(config.warehouse, config.home), stop)
    with warehouse, _served(config, warehouse, stop, fail), scheduled(config, warehouse, clock, fail):
        log.info("ingest runs", source=config.stream.kind, embedded=warehouse.target.embedded)
        try:
            keys = key_ring(config, warehouse, clock)
            totals = Loop(source, warehouse, keys=keys, limits=limits, clock=clock, stop=stop).run()
        finally:
            source.close()
    if failures:
        raise failures[0]
    return totals


@contextmanager
def scheduled(
    config: Config, warehouse: Warehouse, clock: Clock, fail: Callable[[CardHourError], None]
) -> Iterator[None]:
    """The rollup's jobs, on a thread of their own: they are defined here, and a missed run is made up for by the next.

    Any number of processes may do this at once: of two racing rollups the later reader wins.
    """
    if not config.ingest.rollup_every_s:
        yield
        return
    jobs = Jobs(warehouse, clock, fail, raw_days=config.ingest.raw_days)
    scheduler = BackgroundScheduler(
        timezone=UTC,
        jobstores={"default": MemoryJobStore()},
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    scheduler.add_job(jobs.roll_up, "interval", seconds=config.ingest.rollup_every_s, id="rollup")
    scheduler.add_job(jobs.check, "cron", hour=NIGHTLY_HOUR, id="nightly")
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=True)


class Jobs:
    """What the schedule runs. A Retry is left to the next run; anything worse stops the process."""

    def __init__(
        self, warehouse: Warehouse, clock: Clock, fail: Callable[[CardHourError], None], *, raw_days: int
    ) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self._fail = fail
        self._raw_days = raw_days
        self._swept_hour = 0

    def roll_up(self) -> None:
        """Bring the ledger up to date; once an hour, also for the cards that said nothing."""
        try:
            with self._warehouse.another() as mine:
                now_ms = self._clock.now_ms()
                hour = (now_ms - SWEEP_AFTER_MS) // HOUR_MS
                if hour > self._swept_hour:
                    sweep(mine, now_ms - SWEEP_AFTER_MS)
                    self._swept_hour = hour
                done = roll_up(mine)
        except Retry as error:
            log.warning("the rollup waits for its next run", error=str(error))
        except CardHourError as error:
            log.error("the rollup failed", error=str(error))
            self._fail(error)
        else:
            if done.breached or done.sealed:
                log.error("pages were refused: see ledger_breach", breached=done.breached, sealed=done.sealed)
            if done.pages:
                log.info("rolled up", pages=done.pages)

    def check(self) -> None:
        """Compare the last days' pages with raw, and drop the raw rows that are kept no longer."""
        try:
            with self._warehouse.another() as mine:
                until_ms = floor_to(self._clock.now_ms(), HOUR_MS)
                different = compare(mine, until_ms - COMPARED_MS, until_ms)
                gone = expire(mine, self._clock.now_ms(), self._raw_days)
        except Retry as error:
            log.warning("the nightly check waits for the next night", error=str(error))
        except CardHourError as error:
            log.error("the nightly check failed", error=str(error))
            self._fail(error)
        else:
            if different:
                log.error("pages are not what raw gives: see ledger_difference", pages=len(different))
            log.info("checked the ledger", days_expired=len(gone))


@contextmanager
def _served(
    config: Config, warehouse: Warehouse, stop: threading.Event, fail: Callable[[CardHourError], None]
) -> Iterator[None]:
    """Where this process owns the embedded engine, share it with the user's other commands."""
    if not warehouse.target.embedded:
        yield
        return
    # chDB is an optional part of the installation: a machine that speaks to a server does without.
    from cardhour_ingest.warehouse.engine_http import serve_engine

    ended = threading.Event()

    def serve() -> None:
        try:
            serve_engine(config.home, ended, config.warehouse)
        except CardHourError as error:
            fail(error)

    thread = threading.Thread(target=serve, name="engine")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
