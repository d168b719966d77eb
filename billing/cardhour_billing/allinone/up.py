"""``cardhour up``: this machine's GPUs, metered and billed by one process.

Owns which parts run together. While it runs, other ``cardhour`` commands of the same user share its engine.
"""

from __future__ import annotations

import click
from msgspec import structs

NODE = "this-machine"
"""What a machine is called whose settings do not name it: enough for one, and never a host name, which gets cloned."""


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
    from cardhour_billing.allinone.serve import Parts, Portal, stopping_on_signals
    from cardhour_billing.scheduler import run as run_scheduler
    from cardhour_ingest import config as ingest_config
    from cardhour_ingest import service

    settings = agent_config.load(node=node or "", scenario=scenario or "", default_node=NODE)
    ingest = ingest_config.load()
    parts = Parts()
    agent = Agent(settings)
    portal = Portal(web)
    with stopping_on_signals(parts.stop):
        parts.start("ingest", lambda: service.run(ingest, parts.stop))
        parts.start("agent", agent.run)
        parts.start("scheduler", lambda: run_scheduler(config, parts.stop))
        parts.start("portal", lambda: portal.run(parts.stop))
        click.echo(f"CardHour runs. Portal: {portal.url}   Home: {config.home}   Stop: Ctrl-C")
        parts.stop.wait()
        agent.stop()
        parts.join()
