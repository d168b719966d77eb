"""Settings of ingest: its own section, the stream it reads, the warehouse it writes.

Owns the ``[ingest]`` section. Does not own ``[stream]`` (contract) or ``[warehouse]`` (``warehouse.connect``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from cardhour_contract.errors import Refuse
from cardhour_contract.settings import FILE_NAME, Loader, StreamSettings, home_directory, read_file
from cardhour_contract.stream import problems_of
from cardhour_ingest.dead_letter import DEAD_MAX
from cardhour_ingest.warehouse.connect import WarehouseSettings

SPOOL_NAME = "spool.db"
"""Where the agent of the same home spools, unless its settings say otherwise."""


class IngestSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[ingest]``: how reports become rows."""

    spools: tuple[Path, ...] = ()
    """Spool files to read where ``[stream] kind`` is ``spool``, relative to ``CARDHOUR_HOME``. None: ``spool.db``."""
    batch_rows: Annotated[int, Meta(ge=1)] = 200_000
    """Usage and card rows that make a batch full. ClickHouse wants few large inserts; this many take about 0.2 s."""
    batch_age_ms: Annotated[int, Meta(ge=0)] = 5_000
    """Longest time that a report waits for its batch to fill: what freshness costs on a quiet fleet."""
    dead_letters_max: Annotated[int, Meta(ge=1)] = DEAD_MAX
    """Dead letters among the last 1000 messages that stop ingest."""
    require_signatures: bool = False
    """Whether a message from Kafka must be signed by an enrolled key of its node; else it becomes a dead letter."""
    rollup_every_s: Annotated[int, Meta(ge=0)] = 60
    """How often ``cardhour-ingest run`` brings the ledger up to date; 0 leaves it to another process."""
    raw_days: Annotated[int, Meta(ge=1)] = 400
    """Days after their arrival for which raw rows are kept. Pages are kept for good."""


ADJUSTMENT_DAYS = 92
"""Late usage of the last three periods is billed as adjustments (docs/billing.md): raw must still be there then."""

GRACE_HOURS = 48
"""Default of ``[billing] grace_hours``, which billing owns; read here for the check below alone."""

CLOSING_DAYS = 62
"""Beyond both: two months in which a month is closed, questioned and mended."""


class Config(Struct, frozen=True, kw_only=True):
    """Everything that ingest reads from settings."""

    home: Path
    stream: StreamSettings
    ingest: IngestSettings
    warehouse: WarehouseSettings

    @property
    def spools(self) -> tuple[Path, ...]:
        return tuple(self.home / each for each in self.ingest.spools or (Path(SPOOL_NAME),))


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
    problems = _contradictions(config) + _short_retention(config.ingest.raw_days, loader.path, environ)
    if problems:
        raise Refuse(*(f"{home / FILE_NAME} or CARDHOUR_…: {each}" for each in problems))
    return config


def _contradictions(config: Config) -> list[str]:
    problems = problems_of(config.stream)
    if config.ingest.require_signatures and config.stream.kind == "spool":
        problems.append(
            "[ingest] require_signatures is true, but [stream] kind is spool: what an agent spools on this machine is"
            " protected by the file's permissions and not signed, so leave require_signatures out"
        )
    return problems


def _short_retention(raw_days: int, path: Path, environ: Mapping[str, str]) -> list[str]:
    """A page whose raw has gone can never be corrected: raw must outlive the time in which corrections are billed."""
    given = environ.get("CARDHOUR_BILLING_GRACE_HOURS") or read_file(path).get("billing", {}).get("grace_hours")
    grace_hours = int(given) if str(given).isdecimal() else GRACE_HOURS
    least = ADJUSTMENT_DAYS + -(-grace_hours // 24) + CLOSING_DAYS
    if raw_days >= least:
        return []
    return [
        f"[ingest] raw_days is {raw_days}: raw must outlive three months of adjustments, {grace_hours} hours of grace "
        f"and {CLOSING_DAYS} days, so keep at least {least}"
    ]
