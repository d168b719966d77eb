"""``cardhour-ingest``: run ingest, and the few things an operator does to its topics and tables.

Owns the commands, signals, and how errors and logs look. Does not own what the commands do.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from importlib.util import find_spec
from types import FrameType

import click
import structlog

from cardhour_contract.collector import seldom_collect
from cardhour_contract.errors import CardHourError, Refuse
from cardhour_ingest import config, service
from cardhour_ingest.kafka_topics import check_topic, create_topics
from cardhour_ingest.memory import keep_small
from cardhour_ingest.warehouse.connect import migrate_warehouse, open_warehouse
from cardhour_ingest.warehouse.rollup import RollupResult, roll_up

EXIT_REFUSED, EXIT_FAILED = 2, 1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cardhour-ingest")
def cli() -> None:
    """Read reports, keep them in ClickHouse, and compute the card-hour ledger.

    Settings come from cardhour.toml in CARDHOUR_HOME and from CARDHOUR_… environment variables.
    """


@cli.command()
def run() -> None:
    """Ingest until stopped (Ctrl-C or SIGTERM), and keep the ledger up to date."""
    settings = config.load()
    if settings.warehouse.url:
        keep_small()
    seldom_collect()
    totals = service.run(settings, _stop_on_signals())
    click.echo(f"Stored {totals.messages} reports, {totals.dead_letters} dead letters among them.", err=True)


@cli.command()
@click.option("--resume", is_flag=True, help="Also repeat a migration that was begun and never finished.")
def migrate(resume: bool) -> None:
    """Create the warehouse's tables, or bring them up to date."""
    settings = config.load()
    applied = migrate_warehouse(settings.warehouse, settings.home, resume=resume)
    for name in applied:
        click.echo(f"Applied {name}.")
    if not applied:
        click.echo("The warehouse is up to date.")


@cli.command()
@click.option(
    "--partitions",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    help="Of each topic: the most ingest processes that can share it.",
)
@click.option(
    "--replicas",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Brokers that keep a copy: 3 where there are three.",
)
def topics(partitions: int, replicas: int) -> None:
    """Create the topic for reports and the one for dead letters, where they are absent."""
    settings = config.load()
    if settings.stream.kind != "kafka":
        raise Refuse("[stream] kind is spool, which has no topics: set it to kafka, with bootstrap_servers.")
    made = create_topics(settings.stream, partitions=partitions, replicas=replicas)
    for name in made:
        click.echo(f"Created {name}.")
    if not made:
        click.echo("Both topics exist.")


@cli.command()
def rollup() -> None:
    """Compute every ledger page that waits for it, once."""
    settings = config.load()

    def progress(done: RollupResult, left: int) -> None:
        click.echo(f"{done.pages} pages, {left} hours of nodes left", err=True)

    with open_warehouse(settings.warehouse, settings.home) as warehouse:
        done = roll_up(warehouse, progress=progress)
    click.echo(f"{done.pages} pages computed, {done.breached} in breach, {done.sealed} sealed.")
    if done.breached or done.sealed:
        raise click.exceptions.Exit(EXIT_FAILED)


@cli.command()
def engine() -> None:
    """Serve this machine's embedded ClickHouse engine to the user's other commands, and nothing else."""
    if find_spec("chdb") is None:
        raise Refuse("The embedded engine is not installed: run `pip install 'cardhour-ingest[embedded]'`.")
    from cardhour_ingest.warehouse.engine_http import serve_engine

    settings = config.load()
    serve_engine(settings.home, _stop_on_signals(), settings.warehouse, lambda url: click.echo(f"Serving at {url}."))


@cli.command()
def probe() -> None:
    """Check that the warehouse and the topic answer and are as they should be: for health checks."""
    settings = config.load()
    with open_warehouse(settings.warehouse, settings.home) as warehouse:
        warehouse.value("SELECT 1")
    if settings.stream.kind == "kafka":
        check_topic(settings.stream)
    click.echo("ok")


def _stop_on_signals() -> threading.Event:
    """Set by SIGTERM and SIGINT: the batch in hand is stored first. A second signal ends the process as usual."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop


def _log_to_stderr() -> None:
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    # Kafka's client logs every attempt to connect, several lines each; ours says once what is waited for.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    # A rollup that outlasts its interval makes the scheduler skip a run, which is what it is told to do.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def main() -> None:
    _log_to_stderr()
    try:
        cli()
    except CardHourError as error:
        click.echo(f"cardhour-ingest: {error}", err=True)
        sys.exit(EXIT_REFUSED if isinstance(error, Refuse) else EXIT_FAILED)


if __name__ == "__main__":
    main()
