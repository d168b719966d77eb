"""``cardhour scheduler``: the month close's clock in a process of its own, for installations with servers."""

from __future__ import annotations

import threading

import click

from cardhour_billing.store import open_store


@click.command()
def scheduler() -> None:
    """Look for months to close until interrupted. Of several that run, one works; `cardhour up` has its own."""
    config = open_store()
    from cardhour_billing.allinone.serve import stopping_on_signals
    from cardhour_billing.scheduler import run

    stop = threading.Event()
    with stopping_on_signals(stop):
        run(config, stop)
