"""``cardhour web``: the portal in processes of its own, for installations with servers."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import click

from cardhour_billing.store import open_store


@click.command()
def web() -> None:
    """Serve the portal until interrupted. Any number may run beside one scheduler; `cardhour up` has its own."""
    config = open_store()
    from cardhour_billing.allinone import workers
    from cardhour_billing.allinone.serve import Portal, address_of, listening, settle, stopping_on_signals

    stop = threading.Event()
    count = workers.wanted(config.web)
    with ExitStack() as parts:
        sockets = [parts.enter_context(each) for each in listening(config.web)]
        parts.enter_context(stopping_on_signals(stop))
        click.echo(f"Portal: {address_of(config.web, sockets)}")
        if count == 1:
            portal = Portal(config.web, sockets)
            settle()
            portal.run(stop)
        else:
            workers.serve(count, sockets, stop)
