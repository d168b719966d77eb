"""``python -m tests.chaos``: the long siege, with what it did printed; behind ``make chaos``."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path

from tests.chaos.siege import SEED_VARIABLE, Size, besiege
from tests.services.engine import running_engine
from tests.services.kafka_broker import running_broker

LONG = Size(samples=2_000, numbered=22, proved=20, others=3, anywhere=12, broker=8)
"""Over a hundred kills, at least twenty in each gap between two numbered commit steps; about ten minutes."""


def main() -> None:
    began = time.monotonic()
    os.environ.setdefault(SEED_VARIABLE, str(secrets.randbits(32)))
    folder = Path(tempfile.mkdtemp(prefix="cardhour-chaos-"))
    print(f"logs of a failed run stay in {folder}")
    with running_broker(folder / "kafka", mortal=True) as broker, running_engine(folder / "engine") as engine:
        result = besiege(folder, LONG, broker, engine, lambda line: print(line, flush=True))
    shutil.rmtree(folder)
    print(f"{result.kills} kills, {result.bridged} gaps bridged, {time.monotonic() - began:.0f} s:")
    for gap, count in sorted(result.by_gap.items()):
        print(f"  {count:4} between {gap}")
    print("The ledger equals the scenario to the microsecond; no dead letters but the planted ones.")


if __name__ == "__main__":
    main()
