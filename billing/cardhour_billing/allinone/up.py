"""``cardhour up``: this machine's GPUs, metered and billed by one process.

Owns which parts run together. While it runs, other ``cardhour`` commands of the same user share its engine.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import structs

if TYPE_CHECKING:
    from cardhour_ingest.config import Config

NODE = "this-machine"
"""What a machine is called whose settings do not name it: enough for one, and never a host name, which gets cloned."""

LOOK_S = 0.1
"""How often to look whether the engine is shared: nothing announces it, and opening it takes a second."""


@click.command()
@click.option("--port", type=int, help="Of the portal. Default: [web] port, 8000; 0 takes a free one.")
@click.option("--node", help=f"What this machine is called. Default: [agent] node, else '{NODE}'.")
@click.option("--scenario", help="Simulate the machine from a scenario file instead of reading NVML.")
def up(port: int | None, node: str | None, scenario: str | None) -> None:
    """Meter and bill this machine's GPUs: agent, ingest, scheduler and portal in one process.

    Runs until interrupted. Stopping loses nothing: what the agent proved is in its spool, and ingest goes on there.
    """
    from cardhour_billing.store import open_store

    config = open_store()
    web = config.web if port is None else structs.replace(config.web, port=port)

    from cardhour_agent import config as agent_config
    from cardhour_agent.runner import Agent
    from cardhour_billing.allinone.serve import Parts, Portal, alone, stopping_on_signals
    from cardhour_billing.scheduler import run as run_scheduler
    from cardhour_ingest import config as ingest_config
    from cardhour_ingest import service

    settings = agent_config.load(node=node or "", scenario=scenario or "", default_node=NODE)
    ingest = ingest_config.load()
    # A rollup that outlasts its interval makes APScheduler skip a run, as it is told to, and say so as a warning.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    parts = Parts()
    with alone(config.home), stopping_on_signals(parts.stop), _engine_folder(ingest) as ours:
        portal = Portal(web)
        agent = Agent(settings)
        parts.start("ingest", lambda: service.run(ingest, parts.stop))
        parts.start("agent", agent.run)
        parts.start("scheduler", lambda: run_scheduler(config, parts.stop))
        parts.start("portal", lambda: portal.run(parts.stop))
        if ours:
            _wait_until_shared(config.home, parts.stop)
        if not parts.stop.is_set():
            click.echo(f"CardHour runs. Portal: {portal.url}   Home: {config.home}   Stop: Ctrl-C")
        parts.stop.wait()
        agent.stop()
        parts.join()


@contextmanager
def _engine_folder(ingest: Config) -> Iterator[bool]:
    """Hold the engine's folder from before the first part needs it until the last one is done with it.

    Yields whether it is ours: not so where usage is kept on a server, or where another process serves it.
    """
    from cardhour_ingest.warehouse.engine import Claim

    claim = None if ingest.warehouse.url else Claim.take(ingest.home)
    try:
        yield claim is not None
    finally:
        if claim is not None:
            claim.release()


def _wait_until_shared(home: Path, stop: threading.Event) -> None:
    """Until other commands can use the engine: who is told that CardHour runs may type the next one at once."""
    from cardhour_ingest.warehouse.engine import notice

    while notice(home) is None and not stop.wait(LOOK_S):
        pass
