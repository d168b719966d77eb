"""The command line, as processes: what a person types, and how the agent stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from cardhour_agent.scenario import Scenario, SimulatedCard, SimulatedNode, SimulatedProcess
from cardhour_contract.clock import SystemClock
from cardhour_contract.interval import Interval, union
from cardhour_contract.moment import from_ms, parse_rfc3339
from cardhour_contract.settings import StreamSettings
from cardhour_contract.spool import Spool
from cardhour_contract.unpack import unpack
from cardhour_contract.wire import PACKED, decode
from tests.agent.service_manager import Manager
from tests.agent.test_shipper import in_order, received
from tests.services.waiting import PATIENCE_MS, PATIENCE_S

FROM, TO = "2026-10-01T08:00:00Z", "2026-10-01T09:00:00Z"


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """One card held from long ago until long after now."""
    start = from_ms(parse_rfc3339(FROM))
    process = SimulatedProcess(
        pid=7, cards=("GPU-1",), start=start, end=start + timedelta(days=36500), owner="k8s:team-a", workload="train"
    )
    node = SimulatedNode(
        id="node-1", cluster="lab", card=(SimulatedCard(uuid="GPU-1", model="A100"),), process=(process,)
    )
    path = tmp_path / "scenario.json"
    path.write_bytes(msgspec.json.encode(Scenario(name="command", node=(node,))))
    return path


def environment(home: Path, **settings: str) -> dict[str, str]:
    return {**os.environ, "CARDHOUR_HOME": str(home), "CARDHOUR_AGENT_NODE": "node-1", **settings}


def agent(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cardhour_agent", *arguments],
        env=environment(home, **settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def start(home: Path, scenario: Path, **settings: str) -> subprocess.Popen[str]:
    """A running agent, once it has said that it is; it samples every second."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cardhour_agent", "--scenario", str(scenario)],
        env=environment(home, CARDHOUR_AGENT_SAMPLE_INTERVAL_S="1", **settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "started" in process.stderr.readline()
    return process


def stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    return errors


def test_a_dry_run_prints_what_it_would_send_and_leaves_nothing(tmp_path: Path, scenario: Path) -> None:
    home = tmp_path / "home"
    done = agent(home, "--once", "--dry-run", "--scenario", str(scenario), "--format", "json")
    assert done.returncode == 0, done.stderr
    reports = json.loads(done.stdout)  # two where a minute ends between the samples, and one of them has the scan
    usage = [each for report in reports for each in report["usage"]]
    assert {(each["card"], each["owner"], each["workload"]) for each in usage} == {("GPU-1", "k8s:team-a", "train")}
    assert sum(each["ended_at_ms"] - each["started_at_ms"] for each in usage) >= 1000
    scans = [report["scan"] for report in reports if report["scan"]]
    assert {each["card"] for scan in scans for each in scan["cards"]} == {"GPU-1"}
    assert not home.exists()


def test_without_a_driver_the_error_says_what_to_do(tmp_path: Path) -> None:
    # A folder first on the library path that has a file which is no library: also on a machine with a driver.
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"")
    done = agent(tmp_path, "--once", "--dry-run", LD_LIBRARY_PATH=str(tmp_path))
    assert done.returncode == 2
    assert "NVML does not answer on this node (library_not_found" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_span_is_simulated_into_the_spool_and_decoded_from_a_file(tmp_path: Path, scenario: Path) -> None:
    done = agent(tmp_path, "--scenario", str(scenario), "--from", FROM, "--to", TO)
    assert done.returncode == 0, done.stderr
    with Spool(tmp_path / "spool.db") as spool:
        reports = spool.read()
    assert len(reports) == 60
    (tmp_path / "message").write_bytes(reports[0].entry.body)
    shown = agent(tmp_path, "decode", str(tmp_path / "message"))
    assert shown.returncode == 0, shown.stderr
    assert "k8s:team-a" in shown.stdout and "2026-10-01T08:01:00Z" in shown.stdout
    as_csv = agent(tmp_path, "decode", str(tmp_path / "message"), "--format", "csv").stdout.splitlines()
    assert as_csv[0].startswith("card,process,owner") and len(as_csv) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("decode", "/nowhere"), "/nowhere cannot be read"),
        (("decode", __file__), "is not a message of ours"),
        (("--dry-run",), "--dry-run goes with --once"),
        (("--from", FROM), "--from and --to go together"),
        (("--scenario", "/nowhere", "--from", FROM, "--to", TO), "/nowhere cannot be read"),
        (("--scenario", "/nowhere", "--from", "yesterday", "--to", TO), "'yesterday' is not an RFC 3339 time"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    done = agent(tmp_path, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_all_problems_of_the_settings_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "cardhour.toml").write_text('[agent]\nreport_interval_s = 70\n[stream]\nkind = "kafka"\n')
    done = agent(tmp_path, "--once", CARDHOUR_AGENT_NODE="")
    assert done.returncode == 2
    for problem in ("node is empty", "must divide 900", "names no broker"):
        assert problem in done.stderr


def test_a_stop_flushes_what_is_proven(tmp_path: Path, scenario: Path) -> None:
    before_ms = SystemClock().now_ms()
    manager = Manager(str(tmp_path / "notify"))
    process = start(tmp_path, scenario, **manager.environment)
    manager.hears_of_samples(3)
    stop(process)
    manager.socket.close()
    with Spool(tmp_path / "spool.db") as spool:
        reports = [decode(each.entry.body, PACKED) for each in spool.read()]
    assert sum(each.usage_rows for each in reports) >= 1
    assert before_ms <= reports[0].started_at_ms < reports[-1].ended_at_ms <= SystemClock().now_ms()


def test_a_killed_agent_goes_on_where_it_was(tmp_path: Path, scenario: Path) -> None:
    first = start(tmp_path, scenario, CARDHOUR_AGENT_REPORT_INTERVAL_S="1")
    reports_reach(tmp_path, 2)
    first.kill()
    first.communicate()
    second = start(tmp_path, scenario, CARDHOUR_AGENT_REPORT_INTERVAL_S="1")
    reports_reach(tmp_path, 5)
    stop(second)
    with Spool(tmp_path / "spool.db") as spool:
        usage = [each for one in spool.read() for each in unpack(decode(one.entry.body, PACKED)).usage]
    held = union(Interval(each.started_at_ms, each.ended_at_ms) for each in usage)
    assert len(held) == 1, "the time between the two is bridged, and nothing before the kill is missing"
    assert any(each.bridged for each in usage)


def test_a_hangup_reads_the_settings_again_and_wrong_ones_change_nothing(tmp_path: Path, scenario: Path) -> None:
    process = start(tmp_path, scenario, CARDHOUR_AGENT_REPORT_INTERVAL_S="1")
    assert process.stderr is not None
    reports_reach(tmp_path, 1)
    (tmp_path / "cardhour.toml").write_text("[agent]\nsample_interval = 1\n")
    process.send_signal(signal.SIGHUP)
    refused = process.stderr.readline()
    assert "the new settings cannot be used; the old ones stay" in refused and "sample_interval" in refused
    (tmp_path / "cardhour.toml").write_text('[agent]\nspool = "other.db"\n')
    process.send_signal(signal.SIGHUP)
    for expected in ("stopped", "settings are read again", "started"):
        assert expected in process.stderr.readline()
    reports_reach(tmp_path, 1, "other.db")
    stop(process)


def test_it_starts_samples_and_spools_with_no_broker_and_says_so(tmp_path: Path, scenario: Path) -> None:
    nowhere = {"CARDHOUR_STREAM_KIND": "kafka", "CARDHOUR_STREAM_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    process = start(tmp_path, scenario, CARDHOUR_AGENT_REPORT_INTERVAL_S="1", **nowhere)
    assert process.stderr is not None
    for _ in range(2):
        assert "the broker cannot be reached; sampling and spooling go on" in process.stderr.readline()
    reports_reach(tmp_path, 2)
    stop(process)


def test_a_second_agent_on_the_same_spool_is_refused_with_the_first_ones_pid(tmp_path: Path, scenario: Path) -> None:
    process = start(tmp_path, scenario)
    second = agent(tmp_path, "--scenario", str(scenario))
    assert second.returncode == 2
    assert f"another agent (pid {process.pid})" in second.stderr
    stop(process)


def reports_reach(home: Path, count: int, spool_name: str = "spool.db") -> None:
    """Wait until the spool holds so many reports."""
    clock = SystemClock()
    deadline_ms = clock.monotonic_ms() + PATIENCE_MS
    with Spool(home / spool_name) as spool:
        while spool.depth().reports < count:
            assert clock.monotonic_ms() < deadline_ms, f"{spool.depth().reports} reports, in vain"
            clock.sleep_ms(50)


def test_a_span_is_simulated_and_shipped_to_the_broker(tmp_path: Path, scenario: Path, stream: StreamSettings) -> None:
    done = agent(
        tmp_path,
        "--scenario",
        str(scenario),
        "--from",
        FROM,
        "--to",
        TO,
        CARDHOUR_STREAM_KIND="kafka",
        CARDHOUR_STREAM_BOOTSTRAP_SERVERS=stream.bootstrap_servers[0],
        CARDHOUR_STREAM_TOPIC=stream.topic,
    )
    assert done.returncode == 0, done.stderr
    with Spool(tmp_path / "spool.db") as spool:
        assert spool.depth().reports == 0
    assert len(in_order(received(stream, 60))) == 60


def test_hangups_at_any_moment_stop_nothing(tmp_path: Path, scenario: Path) -> None:
    """A signal may interrupt the agent while it holds the lock of the log."""
    process = start(tmp_path, scenario, CARDHOUR_AGENT_REPORT_INTERVAL_S="1")
    for _ in range(50):
        process.send_signal(signal.SIGHUP)
        SystemClock().sleep_ms(5)
    reports_reach(tmp_path, 2)
    assert "settings are read again" in stop(process)
