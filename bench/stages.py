"""Each stage of the pipeline by itself, on one simulated node, in rows or pages a second.

Owns what is measured. The stages are the real ones; only the GPUs are simulated. Half of the
cards are shared by two tenants, so that both ways of computing a quarter are measured. Figures are of the machine they
were taken on: compare two states of the code on one machine, not two machines.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import click

from bench.figures import SECOND_NS, Figure
from cardhour_agent.scenario import Scenario, SimulatedCard, SimulatedNode, SimulatedProcess
from cardhour_agent.simulate import simulate
from cardhour_contract import wire
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import to_ms
from cardhour_contract.spool import Spool
from cardhour_ingest.loop import Totals, drain
from cardhour_ingest.spool_source import SpoolSource
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
from cardhour_ingest.warehouse.rollup import roll_up

NODE = "bench-node"
CARDS = 8


class Stage(NamedTuple):
    """One measurement: how many of what, in which time."""

    name: str
    done: int
    unit: str
    elapsed_ns: int


def fleet(start: datetime, days: int) -> Scenario:
    """One node of eight cards, all busy the whole time; every second card has two tenants."""
    end = start + timedelta(days=days)
    cards = tuple(SimulatedCard(uuid=f"GPU-{at}", model="bench", idle_watts=60, busy_watts=400) for at in range(CARDS))
    processes = tuple(
        SimulatedProcess(
            pid=1000 + 10 * at + tenant,
            cards=(card.uuid,),
            start=start,
            end=end,
            owner=f"k8s:team-{tenant}",
            workload=f"job-{at}",
            sm_util_percent="61.5",
            memory_bytes=40_000_000_000,
        )
        for at, card in enumerate(cards)
        for tenant in range(1 + at % 2)
    )
    return Scenario(name="bench", node=(SimulatedNode(id=NODE, cluster="bench", card=cards, process=processes),))


def measured(name: str, unit: str, stage: Callable[[], int]) -> Stage:
    """Run a stage once; it returns how many of ``unit`` it did."""
    started_ns = time.perf_counter_ns()
    count = stage()
    return Stage(name, count, unit, time.perf_counter_ns() - started_ns)


def pipeline(home: Path, days: int) -> list[Stage]:
    """Every stage in turn, each on what the one before it left."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = today - timedelta(days=days)
    spool = home / "spool.db"

    def sample() -> int:
        return simulate(fleet(start, days), NODE, to_ms(start), to_ms(today), spool).usage_records

    def decode() -> int:
        with Spool(spool) as queue:
            bodies = [each.entry.body for each in queue.read(limit=days * 2000)]
        return sum(wire.decode(body, wire.PACKED).usage_rows for body in bodies)

    stages = [measured("sample, record, spool", "usage records", sample), measured("decode", "usage records", decode)]
    with open_warehouse(WarehouseSettings(), home) as warehouse:
        source = SpoolSource((spool,), clock=SystemClock())
        stages.append(measured("read, check, store", "rows", lambda: rows(drain(source, warehouse))))
        source.close()
        stages.append(measured("roll up", "ledger pages", lambda: roll_up(warehouse).pages))
    return stages


def rows(totals: Totals) -> int:
    return totals.usage_rows + totals.card_rows


def show(stages: list[Stage]) -> None:
    click.echo(f"{'stage':24}{'count':>12}  {'unit':16}{'seconds':>9}{'a second':>12}")
    for each in stages:
        seconds = each.elapsed_ns / SECOND_NS
        click.echo(f"{each.name:24}{each.done:>12,}  {each.unit:16}{seconds:>9.2f}{each.done / seconds:>12,.0f}")


def figures(stages: list[Stage]) -> list[Figure]:
    return [
        Figure(
            name=f"stage.{each.name.replace(', ', '_').replace(' ', '_')}_per_s",
            value=each.done / each.elapsed_ns * SECOND_NS,
            of=f"{each.done} {each.unit}",
        )
        for each in stages
    ]
