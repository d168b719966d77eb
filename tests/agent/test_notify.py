"""systemd's side of the agent: a real datagram socket that hears when it is ready, alive and stopping."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cardhour_agent.notify import Notify
from tests.agent.service_manager import Manager
from tests.agent.stub_driver import StubDriver
from tests.agent.test_command import stop


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@cardhour-test-{secrets.token_hex(8)}"
    manager = Manager(name)
    yield manager
    manager.socket.close()


def test_a_manager_hears_that_it_is_ready_alive_and_stopping(manager: Manager) -> None:
    notify = Notify({**manager.environment, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())})
    assert notify.every_ms == 1500
    notify.ready("8 cards")
    assert manager.hears() == {"READY": "1", "STATUS": "8 cards"}
    notify.alive("7 cards")
    assert manager.hears() == {"WATCHDOG": "1", "STATUS": "7 cards"}
    notify.alive()
    assert manager.hears() == {"WATCHDOG": "1"}
    notify.stopping()
    assert manager.hears() == {"STOPPING": "1"}


def test_keep_alives_that_are_another_processes_business_are_not_sent(manager: Manager) -> None:
    notify = Notify({**manager.environment, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"})
    assert notify.every_ms is None
    notify.alive()
    notify.stopping()
    assert manager.hears() == {"STOPPING": "1"}


def test_without_a_manager_or_with_one_that_is_gone_metering_goes_on(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}):
        notify = Notify(environment)
        notify.ready("8 cards")
        notify.alive()
        notify.stopping()


def test_an_agent_is_ready_after_its_first_sample_and_alive_while_it_waits_for_the_next(
    tmp_path: Path, driver: StubDriver, agent: Callable[..., subprocess.Popen[str]]
) -> None:
    manager = Manager(str(tmp_path / "notify"))
    process = agent(
        **manager.environment,
        WATCHDOG_USEC="400000",
        CARDHOUR_AGENT_SAMPLE_INTERVAL_S="300",
        CARDHOUR_AGENT_REPORT_INTERVAL_S="300",
    )
    first = manager.hears()
    assert (first["READY"], first["STATUS"]) == ("1", "2 cards; 0 reports made")
    for _ in range(3):
        assert manager.hears()["WATCHDOG"] == "1"
    stop(process)
    heard = [manager.hears()]
    while "STOPPING" not in heard[-1]:
        heard.append(manager.hears())
    assert all(each.keys() <= {"WATCHDOG", "STATUS"} for each in heard[:-1])
    manager.socket.close()
