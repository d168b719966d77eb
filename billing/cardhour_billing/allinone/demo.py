"""``cardhour demo``: a simulated fleet, a whole past month through the real pipeline, then the portal.

Owns the command, its home, and serving. Does not own the story (``fleet``), playing it (``play``) or billing it
(``month``).
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from cardhour_billing.allinone.play import SCENARIO_FILE
from cardhour_billing.config import BillingConfig
from cardhour_billing.table import console

DONE = "demo.done"
"""Written last: a home that has it is complete, and the next ``cardhour demo`` shows it again at once."""


@click.command()
@click.option(
    "--home", type=click.Path(path_type=Path), help="Where the demonstration lives. Default: CARDHOUR_HOME/demo."
)
@click.option("--month", metavar="YYYY-MM", help="The month to simulate. Default: the last whole one.")
@click.option("--port", type=int, help="Of the portal. Default: 8000; 0 takes a free one.")
@click.option("--fresh", is_flag=True, help="Throw an earlier demonstration in this home away and play it again.")
@click.option("--no-serve", is_flag=True, help="Stop after the summary instead of serving the portal.")
def demo(home: Path | None, month: str | None, port: int | None, fresh: bool, no_serve: bool) -> None:
    """Four servers, 32 cards, three customers, one past month: metered, billed and shown.

    Everything is real but the GPUs: sampler, spool, ingest, ClickHouse engine, ledger, rating, documents. Nothing
    leaves this machine, and nothing outside the home is touched.
    """
    from cardhour_contract.settings import home_directory

    chosen = (home or home_directory() / "demo").expanduser().resolve()
    _prepare(chosen, fresh=fresh)
    os.environ["CARDHOUR_HOME"] = str(chosen)  # before anything reads settings: the demonstration has its own

    from cardhour_billing.allinone.demo_month import bill_month, last_month, summarise
    from cardhour_billing.store import open_store
    from cardhour_billing.usage.store import opened_warehouse

    config = open_store()
    if (chosen / DONE).exists():
        console().print(f"The demonstration in {chosen} is complete; --fresh plays it again.")
    else:
        with opened_warehouse(config) as warehouse:
            billed = bill_month(config, warehouse, month or last_month(datetime.now(UTC).date()))
        (chosen / DONE).touch()
        summarise(billed, chosen)
    if not no_serve:
        _serve(config, port)


def _prepare(home: Path, *, fresh: bool) -> None:
    """Leave an empty home, or a complete demonstration. What is not a demonstration is not ours to write into."""
    from cardhour_contract.errors import Refuse
    from cardhour_ingest.warehouse.engine import Claim

    if not home.exists() or not any(home.iterdir()):
        return
    if not (home / SCENARIO_FILE).exists():
        raise Refuse(f"{home} holds something other than a demonstration: name an empty folder with --home")
    if (home / DONE).exists() and not fresh:
        return
    claim = Claim.take(home)
    if claim is None:
        raise Refuse(f"another process shows the demonstration in {home}: stop it first")
    try:
        for each in home.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    finally:
        claim.release()


def _serve(config: BillingConfig, port: int | None) -> None:
    from msgspec import structs

    from cardhour_billing.allinone.demo_month import CUSTOMER, PASSWORD, STAFF
    from cardhour_billing.allinone.serve import Parts, Portal, stopping_on_signals
    from cardhour_ingest.warehouse.engine_http import serve_engine

    web = config.web if port is None else structs.replace(config.web, port=port)
    portal = Portal(web)
    parts = Parts()
    with stopping_on_signals(parts.stop):
        parts.start("engine", lambda: serve_engine(config.home, parts.stop))
        parts.start("portal", lambda: portal.run(parts.stop))
        console().print(
            f"\nPortal: {portal.url}   sign in as {STAFF} or {CUSTOMER}, password {PASSWORD}"
            f"\nIn a second terminal: export CARDHOUR_HOME={shlex.quote(str(config.home))}; {_as_typed()} invoice list"
            "\nStop: Ctrl-C"
        )
        parts.join()


def _as_typed() -> str:
    """What reaches this program from another terminal: its name where the PATH has it, else its path."""
    command = Path(sys.argv[0]).resolve()
    if command.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m cardhour_billing"
    return command.name if shutil.which(command.name) else shlex.quote(str(command))
