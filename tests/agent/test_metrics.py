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

from cardhour_contract.settings import StreamSettings
from tests.agent.stub_driver import StubDriver
from tests.agent.test_command import stop
from tests.agent.waiting import wait_until

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


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def scrape(port: int) -> dict[str, dict[Labels, float]]:
    """Values by metric and labels; nothing where nobody answers yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(port: int, name: str, **labels: str) -> float:
    return scrape(port).get(f"cardhour_agent_{name}", {}).get(tuple(sorted(labels.items())), 0)


def test_held_time_samples_and_the_spool_are_counted(
    driver: StubDriver, agent: Callable[..., subprocess.Popen[str]]
) -> None:
    driver.now("well", tenant=os.getpid())
    port = free_port()
    process = agent(CARDHOUR_AGENT_METRICS_PORT=str(port))
    card = {"card": "GPU-0", "model": "Stub H100"}
    wait_until(lambda: value(port, "card_held_seconds_total", **card) >= 2)
    found = scrape(port)
    held = found["cardhour_agent_card_held_seconds_total"]
    assert held.keys() == {tuple(sorted(card.items()))}, "nobody holds the second card"
    told = found["cardhour_agent_card_seconds_total"]
    observed = told[("card", "GPU-0"), ("state", "observed")]
    assert held[tuple(sorted(card.items()))] == observed
    assert found["cardhour_agent_cards"][()] == 2
    assert found["cardhour_agent_samples_total"][()] >= 3
    assert found["cardhour_agent_reports_total"][()] >= 2
    assert found["cardhour_agent_nvml_restarts_total"][()] == 0
    assert 0 < found["cardhour_agent_spool_reports"][()] <= found["cardhour_agent_reports_total"][()]
    assert found["cardhour_agent_spool_oldest_age_seconds"][()] > 0
    assert found["cardhour_agent_spool_limit_bytes"][()] == 4 * 1024**3
    assert found["cardhour_agent_dropped_reports_total"][()] == 0
    assert "cardhour_agent_shipped_reports_total" not in found, "nothing is shipped here"
    stop(process)


def test_a_hung_driver_is_counted_by_its_reason_and_the_new_process_too(
    driver: StubDriver, agent: Callable[..., subprocess.Popen[str]]
) -> None:
    port = free_port()
    process = agent(CARDHOUR_AGENT_METRICS_PORT=str(port))
    wait_until(lambda: value(port, "samples_total") >= 1)
    driver.now("stuck")
    wait_until(lambda: value(port, "sample_failures_total", reason="nvml_hung") >= 2)
    driver.now("well")
    wait_until(lambda: value(port, "nvml_restarts_total") == 1)
    wait_until(lambda: value(port, "card_seconds_total", card="GPU-0", state="nvml_failed") >= 2)
    stop(process)


def test_reports_that_the_broker_took_are_counted(
    driver: StubDriver, agent: Callable[..., subprocess.Popen[str]], stream: StreamSettings
) -> None:
    port = free_port()
    process = agent(
        CARDHOUR_AGENT_METRICS_PORT=str(port),
        CARDHOUR_STREAM_KIND="kafka",
        CARDHOUR_STREAM_BOOTSTRAP_SERVERS=stream.bootstrap_servers[0],
        CARDHOUR_STREAM_TOPIC=stream.topic,
    )
    wait_until(lambda: value(port, "shipped_reports_total") >= 2)
    found = scrape(port)
    made, shipped = found["cardhour_agent_reports_total"][()], found["cardhour_agent_shipped_reports_total"][()]
    assert shipped <= made <= shipped + found["cardhour_agent_spool_reports"][()] + 1
    assert found["cardhour_agent_ship_failures_total"][()] == 0
    served = {name for name in found if name.startswith("cardhour_agent_")}
    assert served <= documented()
    assert documented() - served <= ONLY_WHERE_THERE_IS_ONE
    stop(process)


def test_a_port_that_is_taken_is_one_sentence(agent: Callable[..., subprocess.Popen[str]]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = agent(CARDHOUR_AGENT_METRICS_PORT=str(taken.getsockname()[1]))
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "give [agent] metrics_port another, or 0" in errors
    assert "Traceback" not in errors
