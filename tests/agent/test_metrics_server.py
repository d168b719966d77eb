"""The server of metrics: it sleeps until somebody asks, stops at once, and lets nobody hold it up."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from cardhour_agent import metrics
from cardhour_agent.device import Device
from cardhour_agent.metrics import Sources, served
from cardhour_agent.outbox import Outbox
from cardhour_agent.status import Status
from cardhour_contract.clock import SystemClock
from cardhour_contract.spool import Spool
from tests.services.waiting import PATIENCE_S


@pytest.fixture
def port() -> Iterator[int]:
    """A free port, bound as long as the test lasts: a server that reuses addresses gets it, and nobody by chance."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@pytest.fixture
def idle(tmp_path: Path) -> Sources:
    """An agent that has done nothing yet."""

    class Nothing:
        dropped = merged = 0

    with Spool(tmp_path / "spool.db"):
        return Sources(Status(), cast(Outbox, Nothing()), None, cast(Device, None), tmp_path / "spool.db", 1_000_000)


def told(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


def test_a_stop_waits_for_no_scrape(idle: Sources, port: int) -> None:
    for scrapes in range(2):
        with served(port, idle, SystemClock()):
            for _ in range(scrapes):
                assert "cardhour_agent_spool_limit_bytes 1e+06" in told(port)


def test_a_client_that_says_nothing_holds_nobody_up_for_long(
    idle: Sources, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics._Quiet, "timeout", 0.1)
    with served(port, idle, SystemClock()), socket.create_connection(("127.0.0.1", port)) as silent:
        assert "cardhour_agent_samples_total 0.0" in told(port)
        assert silent.recv(1) == b"", "it was hung up on"
        assert "cardhour_agent_samples_total 0.0" in told(port)
