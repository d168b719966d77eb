"""What a Prometheus on the node reads from a running agent."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from cardhour_contract.clock import SystemClock
from cardhour_contract.settings import StreamSettings
from tests.agent.stub_driver import StubDriver
from tests.agent.test_command import stop
from tests.services.ports import TRIES, free_port
from tests.services.waiting import PATIENCE_S, wait_until

Labels = tuple[tuple[str, str], ...]


ONLY_WHERE_THERE_IS_ONE = {
    "cardhour_agent_card_held_seconds_total",
    "cardhour_agent_card_failures_total",
    "cardhour_agent_sample_failures_total",
}
"""Metrics by a label that has no value on a node where nothing is held and nothing fails."""


def documented() -> set[str]:
    page = Path(__file__).parents[2] / "docs" / "deployment.md"
    return set(re.findall(r"`(cardhour_agent_\w+)`", page.read_text(encoding="utf-8")))


def scrape(port: int) -> dict[str, dict[Labels, float]]:
    """Values by metric and labels; nothing where nobody answers yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def metered(agent: Callable[..., subprocess.Popen[str]], **settings: str) -> tuple[subprocess.Popen[str], int]:
    """An agent that serves its metrics, and its port; started again where another process was quicker to take that."""
    for _ in range(TRIES):
        port = free_port()
        process = agent(CARDHOUR_AGENT_METRICS_PORT=str(port), **settings)
        if _serves(process, port):
            return process, port
    raise AssertionError(process.communicate()[1])


def _serves(process: subprocess.Popen[str], port: int) -> bool:
    """Whether it does, once it does or has ended."""
    wait_until(lambda: process.poll() is not None or bool(scrape(port)))
    return process.poll() is None


def scraped_when(port: int, true: Callable[[dict[str, dict[Labels, float]]], bool]) -> dict[str, dict[Labels, float]]:
    """A scrape of which it is true: numbers are read one after the other while the agent goes on."""
    found: dict[str, dict[Labels, float]] = {}

    def look() -> bool:
        found.clear()
        found.update(scrape(port))
        return true(found)

    wait_until(look)
    return found


def value(port: int, name: str, **labels: str) -> float:
    return scrape(port).get(f"cardhour_agent_{name}", {}).get(tuple(sorted(labels.items())), 0)


def test_held_time_samples_and_the_spool_are_counted(
    driver: StubDriver, agent: Callable[..., subprocess.Popen[str]]
) -> None:
    driver.now("well", tenant=os.getpid())
    clock = SystemClock()
    began_ms = clock.monotonic_ms()
    process, port = metered(agent)
    card = {"card": "GPU-0", "model": "Stub H100"}
    wait_until(lambda: value(port, "card_held_seconds_total", **card) >= 2)
    key = tuple(sorted(card.items()))

    def held_as_told(found: dict[str, dict[Labels, float]]) -> bool:
        """Held for as long as it was seen; on a busy machine longer, since no record tells of the time between two
        samples that are far apart, and what is held is bridged over it."""
        told = found.get("cardhour_agent_card_seconds_total", {})
        seen = sum(told.get((("card", "GPU-0"), ("state", state)), 0) for state in ("observed", "nvml_failed"))
        held_s = found.get("cardhour_agent_card_held_seconds_total", {}).get(key, 0)
        return round(held_s * 1000) >= round(seen * 1000) >= 2000

    found = scraped_when(port, held_as_told)
    held = found["cardhour_agent_card_held_seconds_total"]
    assert held.keys() == {key}, "nobody holds the second card"
    assert held[key] * 1000 <= clock.monotonic_ms() - began_ms
    assert found["cardhour_agent_cards"][()] == 2
    assert found["cardhour_agent_samples_total"][()] >= 3
    assert found["cardhour_agent_reports_total"][()] >= 2
    assert found["cardhour_agent_nvml_restarts_total"][()] <= sum(
        found.get("cardhour_agent_sample_failures_total", {}).values()
    )
    # Of the spool's reports, one may not be counted as made yet.
    assert 0 < found["cardhour_agent_spool_reports"][()] <= found["cardhour_agent_reports_total"][()] + 1
    assert found["cardhour_agent_spool_oldest_age_seconds"][()] > 0
    assert found["cardhour_agent_spool_limit_bytes"][()] == 4 * 1024**3
    assert found["cardhour_agent_dropped_reports_total"][()] == 0
    assert "cardhour_agent_shipped_reports_total" not in found, "nothing is shipped here"
    stop(process)


def test_a_hung_driver_is_counted_by_its_reason_and_the_new_process_too(
    driver: StubDriver, agent: Callable[..., subprocess.Popen[str]]
) -> None:
    process, port = metered(agent)
    wait_until(lambda: value(port, "samples_total") >= 1)
    driver.now("stuck")
    wait_until(lambda: value(port, "sample_failures_total", reason="nvml_hung") >= 2)
    driver.now("well")
    wait_until(lambda: value(port, "nvml_restarts_total") >= 1)
    wait_until(lambda: value(port, "card_seconds_total", card="GPU-0", state="nvml_failed") >= 2)
    stop(process)


def test_reports_that_the_broker_took_are_counted(
    driver: StubDriver, agent: Callable[..., subprocess.Popen[str]], stream: StreamSettings
) -> None:
    process, port = metered(
        agent,
        CARDHOUR_STREAM_KIND="kafka",
        CARDHOUR_STREAM_BOOTSTRAP_SERVERS=stream.bootstrap_servers[0],
        CARDHOUR_STREAM_TOPIC=stream.topic,
    )
    wait_until(lambda: value(port, "shipped_reports_total") >= 2)

    def all_made_is_shipped_or_waits(found: dict[str, dict[Labels, float]]) -> bool:
        made, shipped, waiting = (
            found.get(f"cardhour_agent_{name}", {}).get((), 0)
            for name in ("reports_total", "shipped_reports_total", "spool_reports")
        )
        return 2 <= made == shipped + waiting

    found = scraped_when(port, all_made_is_shipped_or_waits)
    served = {name for name in found if name.startswith("cardhour_agent_")}
    assert served <= documented()
    assert documented() - served <= ONLY_WHERE_THERE_IS_ONE
    stop(process)


def test_a_port_that_is_taken_is_one_sentence(agent: Callable[..., subprocess.Popen[str]]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = agent(CARDHOUR_AGENT_METRICS_PORT=str(taken.getsockname()[1]))
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "give [agent] metrics_port another, or 0" in errors
    assert "Traceback" not in errors
