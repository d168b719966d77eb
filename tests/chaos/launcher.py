"""Runs a service as its own command would, with seams that exist only here.

``python -m tests.chaos.launcher agent|ingest FOLDER``: the real process, its real ``main``, in which the functions that
are numbered commit steps also write the step log and obey orders (``steps``), an agent's time is a tape (``tape``), and
``CHAOS_MUTANT`` undoes one ordering (``mutants``). Nothing of this is known to the product.
"""

from __future__ import annotations

import faulthandler
import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos import mutants
from tests.chaos.seam import replace
from tests.chaos.steps import Steps

PACE_MS = 4
"""Real time between two samples."""

IDLE_MS = 20
"""Real time between two looks at a tape that stands still."""

SESSION_MS = 2_000
"""How long a killed ingest process keeps its partitions: there are a hundred such deaths to wait for."""

DELIVERY_MS = 1_500
"""How long the producer tries one delivery, so that an outage can outlast it."""


def agent(folder: Path, steps: Steps) -> Callable[[], None]:
    from cardhour_agent import __main__, outbox, shipper

    _on_tape(folder)
    _sampling_in_steps(steps)
    _shipping_in_steps(steps)
    mutants.agent(os.environ.get("CHAOS_MUTANT", ""), outbox, shipper)
    return __main__.main


def _on_tape(folder: Path) -> None:
    """The agent's time is a tape; the shipper's stays real, as the broker's stamps are."""
    from cardhour_agent import runner
    from cardhour_agent.exits import Exits
    from cardhour_contract.clock import SystemClock
    from tests.chaos.tape import Tape

    tape = Tape(folder)

    class TapeExits(Exits):
        """The wait between two samples: the tape moves on, as far as the test lets it."""

        def __init__(self, clock: object) -> None:
            super().__init__(SystemClock())

        def wait(self, duration_ms: int) -> None:
            free = tape.now_ms() + duration_ms <= tape.limit_ms
            if not free:
                tape.rest()
            super().wait(PACE_MS if free else IDLE_MS)
            if free:
                tape.skip(duration_ms)

    replace(runner, "SystemClock", lambda original: lambda: tape)
    replace(runner, "Exits", lambda original: TapeExits)
    replace(
        runner,
        "Shipper",
        lambda original: lambda *given, clock, **named: original(*given, clock=SystemClock(), **named),
    )


def _sampling_in_steps(steps: Steps) -> None:
    from cardhour_agent import runner
    from cardhour_agent.last_seen import LastSeenFile
    from cardhour_contract.spool import Spool

    class SpoolSteps(Spool):
        def append(self, entries: Any) -> int:
            kept = list(entries)
            with steps.alone():  # so that the shipper takes none of them before the step is in the log
                last = super().append(kept)
                steps.reach("spooled", range(last - len(kept) + 1, last + 1))
            return last

    def write(original: Any, self: LastSeenFile, *arguments: Any) -> None:
        original(self, *arguments)
        steps.reach("remembered", ())

    replace(runner, "Spool", lambda original: SpoolSteps)
    replace(LastSeenFile, "write", lambda original: functools.partialmethod(_call, write, original))


def _shipping_in_steps(steps: Steps) -> None:
    from cardhour_agent import shipper
    from cardhour_contract.spool import Spool

    class ShipperSpool(Spool):
        def take(self, *arguments: Any, **named: Any) -> Any:
            with steps.alone():
                return super().take(*arguments, **named)

        def remove(self, sequences: Any) -> None:
            steps.reach("acknowledged", sequences)
            super().remove(sequences)
            steps.reach("removed", sequences)

    def send(original: Any, self: shipper.Shipper, report: Any) -> Any:
        future = original(self, report)
        steps.reach("sent", [report.sequence])
        return future

    def start_over(original: Any, self: shipper.Shipper, error: BaseException) -> None:
        steps.reach("gave up", ())
        original(self, error)

    impatient = {"delivery_timeout_ms": DELIVERY_MS, "request_timeout_ms": DELIVERY_MS - 100}
    replace(shipper, "Spool", lambda original: ShipperSpool)
    replace(shipper.Shipper, "_send", lambda original: functools.partialmethod(_call, send, original))
    replace(shipper.Shipper, "_start_over", lambda original: functools.partialmethod(_call, start_over, original))
    replace(shipper, "KafkaProducer", lambda original: lambda **named: original(**named | impatient))
    replace(shipper, "CONNECT_WAIT_S", lambda original: (0.2,))


def ingest(folder: Path, steps: Steps) -> Callable[[], None]:
    from cardhour_ingest import __main__, loop, service
    from cardhour_ingest.kafka_source import KafkaSource

    batch = [0]

    def insert_facts(original: Any, *arguments: Any) -> None:
        batch[0] += 1
        steps.reach("storing", batch)
        original(*arguments)
        steps.reach("inserted", batch)

    def mark(original: Any, *arguments: Any) -> None:
        original(*arguments)
        steps.reach("marked", batch)

    def commit(original: Any, self: KafkaSource, positions: Any) -> None:
        original(self, positions)
        steps.reach("committed", batch)

    replace(loop, "insert_facts", lambda original: functools.partial(insert_facts, original))
    replace(loop, "mark", lambda original: functools.partial(mark, original))
    replace(KafkaSource, "commit", lambda original: functools.partialmethod(_call, commit, original))
    session_ms = int(os.environ.get("CHAOS_SESSION_MS", SESSION_MS))
    replace(service, "KafkaSource", lambda original: functools.partial(original, session_timeout_ms=session_ms))
    mutants.ingest(os.environ.get("CHAOS_MUTANT", ""), loop)
    return __main__.main


def _call(self: Any, wrapper: Callable[..., Any], original: Any, *arguments: Any) -> Any:
    return wrapper(original, self, *arguments)


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1)  # a test that waits in vain asks where it hangs
    role, home = sys.argv[1], Path(sys.argv[2])
    program = {"agent": agent, "ingest": ingest}[role](home, Steps(home))
    sys.argv = [f"cardhour-{role}", *sys.argv[3:]]
    program()
