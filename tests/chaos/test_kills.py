"""Agents, ingest and the broker are killed wherever it may hurt, and the ledger still says what the scenario says.

Kills and world are the same in every run; ``make chaos`` draws its own, well over a hundred, and prints the seed that
``CARDHOUR_CHAOS_SEED`` repeats.
"""

from __future__ import annotations

from pathlib import Path

from tests.chaos.siege import Size, besiege
from tests.services.engine import EngineProcess
from tests.services.kafka_broker import KafkaBroker

SHORT = Size(samples=130, numbered=1, proved=1, others=1, anywhere=1, broker=1)
"""One kill at each step of agent and ingest, one of each at a random moment, one of the broker."""


def test_no_kill_loses_or_repeats_a_microsecond(
    tmp_path: Path, mortal_broker: KafkaBroker, engine_process: EngineProcess
) -> None:
    result = besiege(tmp_path, SHORT, mortal_broker, engine_process)
    assert result.kills >= 10
