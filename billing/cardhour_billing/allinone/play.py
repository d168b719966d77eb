"""Plays a simulated month through the real pipeline: sampler, spool, ingest, engine, rollup.

Owns running the simulation beside ingest on a machine of few cores. Does not own the story (``fleet``) or what is
billed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from multiprocessing import get_context
from pathlib import Path

import msgspec
from msgspec import Struct

from cardhour_agent.scenario import Scenario, read_scenario
from cardhour_agent.simulate import simulate
from cardhour_contract.clock import SystemClock
from cardhour_contract.collector import seldom_collect
from cardhour_contract.moment import MINUTE_MS
from cardhour_ingest.loop import Loop
from cardhour_ingest.spool_source import SpoolSource
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import RollupResult, roll_up, sweep

SIMULATORS = 2
"""Processes that play nodes. Spawned, never forked: a fork of a process that holds the engine hangs."""

LOOK_S = 0.2
"""How often ingest looks for new reports while nodes are still being played."""

SCENARIO_FILE = "scenario.json"


class Played(Struct, frozen=True, kw_only=True):
    """What went through the pipeline."""

    samples: int
    """Card samples: one card looked at once."""
    reports: int
    usage_rows: int
    dead_letters: int
    pages: int


Progress = Callable[[str, int, int], None]
"""Told the step's name, how much is done, and how much there is."""


def play(scenario: Scenario, from_ms: int, to_ms: int, home: Path, warehouse: Warehouse, progress: Progress) -> Played:
    """Play ``[from_ms, to_ms)`` of every node, ingest it as it comes, and bring the ledger up to date."""
    seldom_collect()
    file = home / SCENARIO_FILE
    file.write_bytes(msgspec.json.encode(scenario))
    spools = {node.id: home / "nodes" / node.id / "spool.db" for node in scenario.node}
    minutes = (to_ms - from_ms) // MINUTE_MS
    source = SpoolSource(tuple(spools.values()), clock=SystemClock())
    loop = Loop(source, warehouse)
    with ProcessPoolExecutor(SIMULATORS, mp_context=get_context("spawn")) as pool:
        runs = [pool.submit(_play_node, file, node, from_ms, to_ms, spool) for node, spool in spools.items()]
        _ingest(loop, runs, lambda reports: progress("Sample and ingest", reports, minutes * len(runs)))
    source.close()
    sweep(warehouse, to_ms, lookback_ms=to_ms - from_ms)
    pages = _roll_up(warehouse, progress)
    return Played(
        samples=minutes * sum(len(node.card) for node in scenario.node),
        reports=loop.totals.messages,
        usage_rows=loop.totals.usage_rows,
        dead_letters=loop.totals.dead_letters,
        pages=pages.pages,
    )


def _play_node(scenario: Path, node: str, from_ms: int, to_ms: int, spool: Path) -> None:
    simulate(read_scenario(scenario), node, from_ms, to_ms, spool)


def _ingest(loop: Loop, runs: list[Future[None]], progress: Callable[[int], None]) -> None:
    """Ingest what the nodes have spooled until all of them have finished, then the rest."""
    pending = set(runs)
    while pending:
        done, pending = wait_for(pending, timeout=LOOK_S)
        for run in done:
            run.result()
        loop.drain(lambda totals: progress(totals.messages))
    loop.drain(lambda totals: progress(totals.messages))


def _roll_up(warehouse: Warehouse, progress: Progress) -> RollupResult:
    def report(result: RollupResult, open_pairs: int) -> None:
        progress("Ledger pages", result.pairs, result.pairs + open_pairs)

    return roll_up(warehouse, progress=report)
