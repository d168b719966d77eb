"""The embedded engine in a process of its own, for tests: served over ClickHouse's HTTP protocol.

Owns starting, stopping and killing the process, and databases in it. One serves a whole test run: each test takes a
database of its own. ``python -m tests.services.engine HOME`` is that process; it ends when its standard input does.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cardhour_contract.settings import Secret
from cardhour_ingest.warehouse import engine
from cardhour_ingest.warehouse.client import Target, Warehouse
from cardhour_ingest.warehouse.migrate import create_database, migrate
from tests.services.emptied import Emptied

STOP_SECONDS = 30


class EngineProcess:
    """A running engine. ``home`` is a CARDHOUR_HOME that other commands can be pointed at."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.services.engine", str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        notice = engine.notice(home)
        if not self.url or notice is None:
            self.kill()
            raise RuntimeError(f"the engine in {home} did not start: its standard error says why")
        self.token = notice.token
        self._numbers = itertools.count(1)
        self._emptied = Emptied()

    @property
    def pid(self) -> int:
        return self._process.pid

    def target(self, database: str = "cardhour") -> Target:
        return Target(url=self.url, password=Secret(self.token), database=database)

    def empty_warehouse(self) -> Warehouse:
        """A fresh, migrated database."""
        if known := self._emptied.take():
            return Warehouse(self.target(known))
        target = self.target(f"test_{next(self._numbers)}")
        create_database(target)
        warehouse = Warehouse(target)
        migrate(warehouse)
        self._emptied.made(warehouse)
        return warehouse

    def give_back(self, warehouse: Warehouse) -> None:
        """Close a connection from ``empty_warehouse``; the next who asks has its database, empty again.

        For tests whose own process alone writes: of one that was killed, the engine may be about to read a statement.
        """
        self._emptied.back(warehouse)
        warehouse.close()

    def drop(self, warehouse: Warehouse) -> None:
        """Close a connection from ``empty_warehouse`` and delete its database."""
        warehouse.close()
        with Warehouse(self.target("default")) as server:
            server.command("DROP DATABASE {name:Identifier}", name=warehouse.target.database)

    def stop(self) -> int:
        """End it in good order; its exit status."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        return self._process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self.stop()


@contextmanager
def running_engine(home: Path) -> Iterator[EngineProcess]:
    process = EngineProcess(home)
    try:
        yield process
    finally:
        process.stop()


def _main(home: Path) -> None:
    from cardhour_ingest.warehouse.engine_http import serve_engine

    stop_event = threading.Event()

    def stop_at_end_of_input() -> None:
        sys.stdin.read()
        stop_event.set()

    threading.Thread(target=stop_at_end_of_input, daemon=True).start()
    serve_engine(home, stop_event, ready=lambda url: print(url, flush=True))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
