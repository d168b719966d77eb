"""``cardhour web``: the portal in a process of its own, for installations with servers."""

from __future__ import annotations

import threading

import click

from cardhour_billing.store import open_store


@click.command()
def web() -> None:
    """Serve the portal until interrupted. Any number may run beside one scheduler; `cardhour up` has its own."""
    config = open_store()
    from cardhour_billing.allinone.serve import Portal, stopping_on_signals

    stop = threading.Event()
    portal = Portal(config.web)
    click.echo(f"Portal: {portal.url}")
    with stopping_on_signals(stop):
        portal.run(stop)
