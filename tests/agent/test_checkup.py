"""Looking at a node: what is wrong is found, said with its mend, and told by the exit code."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cardhour_agent import key_file
from cardhour_agent.checkup import Finding, examine
from cardhour_agent.config import load
from cardhour_contract.settings import StreamSettings
from cardhour_contract.spool import Spool
from tests.agent.stub_driver import StubDriver
from tests.agent.test_command import environment
from tests.services.waiting import PATIENCE_S


@pytest.fixture
def machine(driver: StubDriver, monkeypatch: pytest.MonkeyPatch) -> StubDriver:
    """The stub is the driver of whatever this process starts."""
    for name, value in driver.environment.items():
        monkeypatch.setenv(name, value)
    return driver


def look(
    home: Path,
    *,
    synced: bool | None = True,
    proc: Path = Path("/proc"),
    broker_wait_ms: int = 200,
    **settings: str,
) -> dict[str, Finding]:
    config = load({"CARDHOUR_HOME": str(home), "CARDHOUR_AGENT_NODE": "node-1", **settings})
    found = examine(config, proc=proc, synced=lambda: synced, broker_wait_ms=broker_wait_ms)
    return {each.check: each for each in found}


def doctor(home: Path, machine: StubDriver, form: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cardhour_agent", "doctor", "--format", form],
        env={**environment(home, **settings), **machine.environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def states(found: dict[str, Finding]) -> dict[str, str]:
    return {each.check: each.state for each in found.values()}


def test_a_node_that_is_well(tmp_path: Path, machine: StubDriver) -> None:
    found = look(tmp_path, CARDHOUR_AGENT_SPOOL_BYTES_MAX="1000000")
    assert states(found) == {
        "settings": "ok",
        "driver": "ok",
        "persistence mode": "note",
        "accounting mode": "note",
        "other users' processes": "ok",
        "pid namespace": "ok",
        "spool": "ok",
        "broker": "ok",
        "clock": "ok",
    }
    assert found["driver"].what == "driver 600.00, 2 GPUs"
    assert found["persistence mode"].what == "off on 1 of 2 GPUs"
    assert "nvidia-smi -pm 1" in found["persistence mode"].mend
    assert not (tmp_path / "spool.db").exists(), "it looks, and changes nothing"


def test_a_driver_whose_lists_no_header_describes_is_told_before_it_costs_anything(
    tmp_path: Path, machine: StubDriver
) -> None:
    machine.now("skewed_driver")
    found = look(tmp_path)["driver version"]
    assert (found.state, found.mend) == ("wrong", "install 535.98 or later")


def test_a_package_that_takes_the_drivers_module_is_found(
    tmp_path: Path, machine: StubDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    retired = tmp_path / "nvidia_ml_py3-7.352.0.dist-info"
    retired.mkdir()
    (retired / "METADATA").write_text("Metadata-Version: 2.1\nName: nvidia-ml-py3\nVersion: 7.352.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = look(tmp_path / "home")["python packages"]
    assert (found.state, found.mend) == ("wrong", "pip uninstall nvidia-ml-py3")


def test_a_node_whose_key_others_can_read_is_told_so(tmp_path: Path, machine: StubDriver) -> None:
    def signing() -> Finding:
        kafka = {"kind": "kafka", "bootstrap_servers": ["127.0.0.1:1"]}
        lines = (f"{name} = {json.dumps(value)}\n" for name, value in kafka.items())
        (tmp_path / "cardhour.toml").write_text("[stream]\n" + "".join(lines))
        return look(tmp_path)["signing"]

    assert signing().state == "note"
    key = key_file.create(tmp_path / "node.key")
    assert signing().what == f"with key {key.public.key_id}"
    (tmp_path / "node.key").chmod(0o644)
    found = signing()
    assert found.state == "wrong"
    assert "chmod 600" in found.what


def test_accounting_mode_that_is_on_is_no_note(tmp_path: Path, machine: StubDriver) -> None:
    machine.now("accounting")
    assert look(tmp_path)["accounting mode"].state == "ok"


@pytest.mark.parametrize(
    ("trouble", "reason", "mend"),
    [
        ("no_driver", "driver_not_loaded", "nvidia-smi"),
        ("hang_init", "nvml_hung", "Xid"),
        ("abort_init", "nvml_crashed", "Xid"),
    ],
)
def test_a_driver_that_does_not_answer_hangs_or_crashes_is_found(
    tmp_path: Path, machine: StubDriver, trouble: str, reason: str, mend: str
) -> None:
    machine.now(trouble)
    driver = look(tmp_path, CARDHOUR_AGENT_NVML_TIMEOUT_S="1")["driver"]
    assert driver.state == "wrong"
    assert driver.what.startswith(reason)
    assert mend in driver.mend
    machine.now("well")


def test_cards_whose_processes_may_not_be_listed_are_named(tmp_path: Path, machine: StubDriver) -> None:
    machine.now("list_lost")
    found = look(tmp_path)["processes on cards"]
    assert (found.state, found.what) == ("wrong", "GPU-1: gpu_lost")


def test_a_proc_that_hides_others_is_found(tmp_path: Path, machine: StubDriver) -> None:
    proc = tmp_path / "proc"
    (proc / "self/ns").mkdir(parents=True)
    (proc / "self/ns/pid").symlink_to("/proc/self/ns/pid")
    found = look(tmp_path, proc=proc)["other users' processes"]
    assert found.state == "wrong"
    assert "hidepid" in found.mend


def test_a_container_without_the_hosts_pids_is_found(tmp_path: Path, machine: StubDriver) -> None:
    inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    done = subprocess.run(
        [*inside, sys.executable, "-m", "cardhour_agent", "doctor", "--format", "json"],
        env={**environment(tmp_path), **machine.environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    (found,) = [each for each in json.loads(done.stdout) if each["check"] == "pid namespace"]
    assert found["state"] == "wrong"
    assert "hostPID: true" in found["mend"]
    assert done.returncode == 1


def test_a_spool_that_cannot_be_is_found(tmp_path: Path, machine: StubDriver) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written to" in look(tmp_path, CARDHOUR_AGENT_SPOOL="file/spool.db")["spool"].what
    (tmp_path / "spool.db").write_bytes(b"no database, but as long as the header of one would be" * 100)
    broken = look(tmp_path)["spool"]
    assert (broken.state, broken.mend) == ("wrong", "move the file aside")


def test_a_disk_that_is_smaller_than_the_spools_limit_is_noted(tmp_path: Path, machine: StubDriver) -> None:
    with Spool(tmp_path / "spool.db"):
        pass
    found = look(tmp_path, CARDHOUR_AGENT_SPOOL_BYTES_MAX=str(1 << 60))["spool"]
    assert found.state == "note"
    assert found.what.startswith("0 reports in ")


def test_a_broker_that_nobody_reaches_is_found_and_one_that_answers_is_well(
    tmp_path: Path, machine: StubDriver, stream: StreamSettings
) -> None:
    def broker(servers: str, topic: str = stream.topic, wait_ms: int = 200, **settings: str) -> Finding:
        kafka = {"KIND": "kafka", "BOOTSTRAP_SERVERS": servers, "TOPIC": topic, **settings}
        given = {f"CARDHOUR_STREAM_{name}": word for name, word in kafka.items()}
        return look(tmp_path, synced=True, proc=Path("/proc"), broker_wait_ms=wait_ms, **given)["broker"]

    nobody = broker("127.0.0.1:1")
    assert nobody.state == "wrong"
    assert "127.0.0.1:1" in nobody.what
    assert broker(stream.bootstrap_servers[0], wait_ms=30_000).state == "ok"
    missing = broker(stream.bootstrap_servers[0], topic="nowhere")
    assert missing.state == "wrong"
    assert "cardhour-ingest topics" in missing.mend
    no_file = broker(stream.bootstrap_servers[0], SECURITY_PROTOCOL="SSL", CA_FILE="/nowhere")
    assert no_file.state == "wrong"


@pytest.mark.parametrize(("synced", "state"), [(True, "ok"), (False, "wrong"), (None, "note")])
def test_the_clock_is_kept_or_not(tmp_path: Path, machine: StubDriver, synced: bool | None, state: str) -> None:
    assert look(tmp_path, synced=synced)["clock"].state == state


def test_the_command_prints_and_says_by_its_exit_code_whether_all_is_well(tmp_path: Path, machine: StubDriver) -> None:
    machine.now("no_driver")
    done = doctor(tmp_path, machine, "json")
    found = json.loads(done.stdout)
    assert [each["state"] for each in found if each["check"] == "driver"] == ["wrong"]
    assert done.returncode == 1
    assert done.stderr.startswith("Error: wrong: driver")
    machine.now("well")
    well = doctor(tmp_path, machine, "csv")
    rows = list(csv.DictReader(well.stdout.splitlines()))
    assert [each["check"] for each in rows][:2] == ["settings", "driver"]
    assert well.returncode == any(each["state"] == "wrong" for each in rows), well.stderr
    table = doctor(tmp_path, machine, "table").stdout
    assert table.splitlines()[0].split() == ["check", "state", "what", "mend"]
    assert "driver 600.00, 2 GPUs" in table
