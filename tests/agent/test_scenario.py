"""Scenario files: what is read, and what is refused with a sentence that says where."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from cardhour_agent.scenario import read_scenario
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import parse_rfc3339

TEXT = """
name = "one card"
[[node]]
id = "node-1"
cluster = "lab"
[[node.card]]
uuid = "GPU-1"
model = "A100"
[[node.process]]
pid = 4242
cards = ["GPU-1"]
from = 2026-10-01T08:00:00+08:00
to = 2026-10-01T12:30:00Z
owner = "k8s:team-a"
sm_util_percent = "83.5"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "scenario.toml"
    path.write_text(text)
    return path


def test_a_scenario_in_toml_and_the_same_in_json_are_equal(tmp_path: Path) -> None:
    scenario = read_scenario(write(tmp_path, TEXT))
    (process,) = scenario.node[0].process
    assert (process.start_ms, process.sm) == (parse_rfc3339("2026-10-01T00:00:00Z"), 835_000)
    as_json = tmp_path / "scenario.json"
    as_json.write_bytes(msgspec.json.encode(scenario))
    assert read_scenario(as_json) == scenario


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('cards = ["GPU-1"]', 'cards = ["GPU-9"]', "process 4242: no card 'GPU-9'"),
        ("to = 2026-10-01T12:30:00Z", "to = 2026-10-01T00:00:00Z", "'to' is not after 'from'"),
        ("+08:00", "", "timezone"),
        ('"83.5"', '"100.5"', "sm_util_percent '100.5'"),
        ('"83.5"', '"8.12345"', "sm_util_percent '8.12345'"),
        ("pid = 4242", "pid = 4242\nshare = 1200", "share"),
        ("pid = 4242", "pid = 4242\nshares = 12", "shares"),
        ("[[node.process]]", '[[node.card]]\nuuid = "GPU-1"\nmodel = "A100"\n[[node.process]]', "same uuid"),
        ('name = "one card"', "name = ", "not usable"),
    ],
)
def test_a_contradiction_is_refused(tmp_path: Path, before: str, after: str, says: str) -> None:
    with pytest.raises(Refuse, match=says):
        read_scenario(write(tmp_path, TEXT.replace(before, after)))


def test_one_pid_cannot_be_two_processes_at_a_time(tmp_path: Path) -> None:
    process = TEXT[TEXT.index("[[node.process]]") :]
    with pytest.raises(Refuse, match="two processes have pid 4242"):
        read_scenario(write(tmp_path, TEXT + process))


def test_a_node_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(Refuse, match="it has node-1"):
        read_scenario(write(tmp_path, TEXT)).find("node-2")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Refuse, match=r"nowhere\.toml cannot be read"):
        read_scenario(tmp_path / "nowhere.toml")
