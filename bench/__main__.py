"""``python -m bench``: what the pipeline does in a second on this machine, and what each part of it may at best.

Owns which benchmarks run and where their figures go. docs/performance.md says what was measured, and where.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import structlog

from bench import (
    accuracy,
    agent,
    documents,
    errors,
    ingest,
    invoices,
    memory,
    portal,
    rating,
    reports,
    rollup,
    stages,
    usage,
)
from bench.figures import Figure, show, write

RESULT = Path(".cache/bench.json")

MEMORY_MESSAGES, MEMORY_MESSAGES_FULL = 40_000, 1_000_000
CARDS, CARDS_FULL = 2_000, 100_000
DOCUMENTS, DOCUMENTS_FULL = 200, 2_000
CUSTOMERS, CUSTOMERS_FULL = 200, 10_000
PAGES_CUSTOMERS = PAGES_CARDS = 10_000
PEER = "CLOUDKITTY_PYTHON"
"""Names a Python that has CloudKitty 25 installed: rating is then compared with it."""
AGENT_S, AGENT_S_FULL = 60, 600
POLLERS = "NVITOP_PYTHON"
"""Names a Python that has nvitop-exporter and gpustat installed: the agent is then compared with them."""


def run_stages(folder: Path, days: int, full: bool) -> list[Figure]:
    measured = stages.pipeline(folder, days)
    stages.show(measured)
    return stages.figures(measured)


def run_ingest(folder: Path, days: int, full: bool) -> list[Figure]:
    return ingest.measure(folder)


def run_memory(folder: Path, days: int, full: bool) -> list[Figure]:
    return memory.measure(folder, MEMORY_MESSAGES_FULL if full else MEMORY_MESSAGES)


def run_rollup(folder: Path, days: int, full: bool) -> list[Figure]:
    return rollup.measure(folder, full=full)


def run_usage(folder: Path, days: int, full: bool) -> list[Figure]:
    return usage.measure(folder, usage.Fleet(cards=CARDS_FULL if full else CARDS))


def run_holders(folder: Path, days: int, full: bool) -> list[Figure]:
    return usage.measure(folder, usage.CROWDED)


def run_reports(folder: Path, days: int, full: bool) -> list[Figure]:
    return reports.measure(folder)


def run_documents(folder: Path, days: int, full: bool) -> list[Figure]:
    return documents.measure(DOCUMENTS_FULL if full else DOCUMENTS)


def run_rating(folder: Path, days: int, full: bool) -> list[Figure]:
    return rating.measure(folder, cards=CARDS, peer=os.environ.get(PEER, ""))


def run_invoices(folder: Path, days: int, full: bool) -> list[Figure]:
    return invoices.measure(folder, customers=CUSTOMERS_FULL if full else CUSTOMERS)


def run_accuracy(folder: Path, days: int, full: bool) -> list[Figure]:
    found: list[Figure] = []
    for plan in accuracy.PLANS:
        report = errors.Report(accuracy.run(folder, plan))
        click.echo(report.table())
        for each in report.broken():
            click.echo(f"BROKEN: {each}")
        found += report.figures()
    return found


def run_agent(folder: Path, days: int, full: bool) -> list[Figure]:
    return agent.measure(folder, seconds=AGENT_S_FULL if full else AGENT_S, peers=os.environ.get(POLLERS, ""))


def run_portal(folder: Path, days: int, full: bool) -> list[Figure]:
    return portal.measure(folder, customers=PAGES_CUSTOMERS, cards=PAGES_CARDS)


PARTS: dict[str, Callable[[Path, int, bool], list[Figure]]] = {
    "stages": run_stages,
    "ingest": run_ingest,
    "memory": run_memory,
    "rollup": run_rollup,
    "usage": run_usage,
    "holders": run_holders,
    "reports": run_reports,
    "documents": run_documents,
    "rating": run_rating,
    "invoices": run_invoices,
    "accuracy": run_accuracy,
    "agent": run_agent,
    "portal": run_portal,
}


@click.command()
@click.option("--only", type=click.Choice(list(PARTS)), multiple=True, help="Run this part alone. May be repeated.")
@click.option("--full", is_flag=True, help="Also the large ones: 100 000 cards, a million messages. Minutes and 10 GB.")
@click.option("--customers", type=click.IntRange(2), help="Of the part invoices. [default: 200; --full: 10000]")
@click.option("--days", type=click.IntRange(1, 100), default=7, show_default=True, help="Simulated days of the stages.")
@click.option(
    "--json", "file", type=click.Path(path_type=Path), default=RESULT, show_default=True, help="Where figures go."
)
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work. [default: a temporary folder]")
def main(only: Sequence[str], full: bool, customers: int | None, days: int, file: Path, folder: Path | None) -> None:
    """Measure the pipeline on this machine."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    found = []
    parts = PARTS
    if customers is not None:
        parts = PARTS | {"invoices": lambda work, _days, _full: invoices.measure(work, customers=customers)}
    # A folder of its own for each part: what one leaves behind must not slow another.
    for name in only or PARTS:
        work = Path(tempfile.mkdtemp(prefix=f"cardhour-bench-{name}-", dir=folder))
        try:
            figures = parts[name](work, days, full)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        if name not in ("stages", "accuracy"):
            show(figures)
        found += figures
    write(found, file, " ".join(["python -m bench", *sys.argv[1:]]))
    click.echo(f"written to {file}")


if __name__ == "__main__":
    sys.exit(main())
