"""Settings of ingest: its own section, the stream it reads, the warehouse it writes.

Owns the ``[ingest]`` section. Does not own ``[stream]`` (contract) or ``[warehouse]`` (``warehouse.connect``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from cardhour_contract.errors import Refuse
from cardhour_contract.settings import FILE_NAME, Loader, StreamSettings, home_directory
from cardhour_ingest.dead_letter import DEAD_MAX
from cardhour_ingest.warehouse.connect import WarehouseSettings

SPOOL_NAME = "spool.db"
"""Where the agent of the same home spools, unless its settings say otherwise."""


class IngestSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[ingest]``: how reports become rows."""

    spools: tuple[Path, ...] = ()
    """Spool files to read where ``[stream] kind`` is ``spool``; none named: ``spool.db`` in ``CARDHOUR_HOME``."""
    batch_rows: int = 100_000
    """Usage and card rows that make a batch full. ClickHouse wants few large inserts; this many take about 0.5 s."""
    batch_age_ms: int = 5_000
    """Longest time that a report waits for its batch to fill: what freshness costs on a quiet fleet."""
    dead_letters_max: int = DEAD_MAX
    """Dead letters among the last 1000 messages that stop ingest."""
    rollup_every_s: int = 60
    """How often ``cardhour-ingest run`` brings the ledger up to date; 0 leaves it to another process."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that ingest reads from settings."""

    home: Path
    stream: StreamSettings
    ingest: IngestSettings
    warehouse: WarehouseSettings

    @property
    def spools(self) -> tuple[Path, ...]:
        return self.ingest.spools or (self.home / SPOOL_NAME,)


def load(environ: Mapping[str, str] = os.environ) -> Config:
    """Read and check the settings. Raises Refuse with every problem found."""
    home = home_directory(environ)
    loader = Loader(home / FILE_NAME, environ)
    config = Config(
        home=home,
        stream=loader.section("stream", StreamSettings),
        ingest=loader.section("ingest", IngestSettings),
        warehouse=loader.section("warehouse", WarehouseSettings),
    )
    loader.finish()
    problems = _contradictions(config)
    if problems:
        raise Refuse(*(f"{home / FILE_NAME} or CARDHOUR_…: {each}" for each in problems))
    return config


def _contradictions(config: Config) -> list[str]:
    problems = []
    if config.stream.kind not in ("spool", "kafka"):
        problems.append(f"[stream] kind is '{config.stream.kind}': write spool or kafka")
    if config.stream.kind == "kafka" and not config.stream.bootstrap_servers:
        problems.append("[stream] kind is kafka, but bootstrap_servers names no broker: add host:port")
    for name, least in (("batch_rows", 1), ("batch_age_ms", 0), ("dead_letters_max", 1), ("rollup_every_s", 0)):
        if getattr(config.ingest, name) < least:
            problems.append(f"[ingest] {name} is {getattr(config.ingest, name)}: it cannot be below {least}")
    return problems
