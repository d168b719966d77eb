"""``cardhour scheduler``: the month close's clock in a process of its own, for installations with servers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from cardhour_billing.store import open_store
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.clock import SystemClock

if TYPE_CHECKING:
    from cardhour_billing.usage.ledger import Ledger


@click.command()
def scheduler() -> None:
    """Look for months to close until interrupted. Of several that run, one works; `cardhour up` has its own."""
    config = open_store()
    from cardhour_billing.allinone.serve import stopping_on_signals
    from cardhour_billing.scheduler import start_scheduler
    from cardhour_billing.usage.ledger import WarehouseLedger

    @contextmanager
    def open_ledger() -> Iterator[Ledger]:
        with opened_warehouse(config) as warehouse:
            yield WarehouseLedger(warehouse)

    stop = threading.Event()
    with stopping_on_signals(stop):
        running = start_scheduler(config, open_ledger, SystemClock())
        click.echo(f"Looking for months to close, every {config.billing.check_minutes} minutes.")
        stop.wait()
        running.shutdown()
