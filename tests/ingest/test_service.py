"""``cardhour-ingest`` as a process: it starts, shares its engine, survives a kill, and stops when asked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from cardhour_contract.moment import MINUTE_MS
from cardhour_contract.record import Report
from cardhour_contract.settings import FILE_NAME, StreamSettings
from cardhour_ingest.__main__ import cli
from cardhour_ingest.config import load
from cardhour_ingest.warehouse import engine
from cardhour_ingest.warehouse.client import Target, Warehouse
from tests.ingest.reports import AT_MS, card, report, usage
from tests.ingest.streams import KafkaStream, SpoolStream, Stream
from tests.services.waiting import PATIENCE_S, ask_to_stop, wait_until


def settings(home: Path, stream: StreamSettings | None) -> dict[str, str]:
    environ = os.environ | {
        "CARDHOUR_HOME": str(home),
        "CARDHOUR_INGEST_BATCH_AGE_MS": "100",
        "CARDHOUR_INGEST_ROLLUP_EVERY_S": "1",
    }
    if stream is not None:
        environ |= {
            "CARDHOUR_STREAM_KIND": "kafka",
            "CARDHOUR_STREAM_BOOTSTRAP_SERVERS": ",".join(stream.bootstrap_servers),
            "CARDHOUR_STREAM_TOPIC": stream.topic,
            "CARDHOUR_STREAM_DEAD_LETTER_TOPIC": stream.dead_letter_topic,
            "CARDHOUR_STREAM_GROUP": stream.group,
        }
    return environ


@contextmanager
def ingest(environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A running ``cardhour-ingest run``; killed at the end if the test has not stopped it."""
    with subprocess.Popen([sys.executable, "-m", "cardhour_ingest", "run"], env=environ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def shared_engine(home: Path, process: subprocess.Popen[bytes]) -> Iterator[Warehouse]:
    """The engine of the running process, over HTTP. This process may have a folder of its own open, and admits one."""

    def shared() -> engine.Notice | None:
        assert process.poll() is None, "ingest ended"
        notice = engine.notice(home)
        return notice if notice and notice.pid == process.pid else None  # a killed process leaves its notice

    wait_until(shared, "ingest serves its engine")
    notice = shared()
    assert notice is not None
    with Warehouse(Target(url=notice.url, password=notice.secret)) as warehouse:
        yield warehouse


def wait_for_billable(warehouse: Warehouse, wanted_us: int) -> None:
    """Until the ledger has this much, and fail if it ever has more."""

    def has_it() -> bool:
        found = warehouse.value("SELECT sum(arraySum(by_owner.billable_us)) FROM card_hour FINAL")
        assert found <= wanted_us
        return bool(found == wanted_us)

    wait_until(has_it, f"{wanted_us} µs are billable")


def minutes(first: int, last: int) -> list[Report]:
    """The reports of one node's minutes, of one process on one card."""
    found = []
    for minute in range(first, last):
        span = {"started_at_ms": AT_MS + minute * MINUTE_MS, "ended_at_ms": AT_MS + (minute + 1) * MINUTE_MS}
        rows = {"usage": (usage(**span),), "cards": (card(**span),)}
        found.append(report(**span, **rows, wall_ms=span["ended_at_ms"]))
    return found


@pytest.fixture(params=["spool", "kafka"])
def sender(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Stream, dict[str, str]]:
    if request.param == "spool":
        return SpoolStream(tmp_path / "spool.db"), settings(tmp_path, None)
    stream: StreamSettings = request.getfixturevalue("stream")
    return KafkaStream(stream), settings(tmp_path, stream)


def test_reports_become_pages_across_a_kill_and_a_stop(sender: tuple[Stream, dict[str, str]], tmp_path: Path) -> None:
    stream, environ = sender
    stream.send(*minutes(0, 10))
    with ingest(environ) as process, shared_engine(tmp_path, process) as warehouse:
        wait_for_billable(warehouse, 10 * MINUTE_MS * 1_000)
        stream.send(*minutes(10, 20))
        process.kill()
        process.wait()
    with ingest(environ) as process, shared_engine(tmp_path, process) as warehouse:
        wait_for_billable(warehouse, 20 * MINUTE_MS * 1_000)
        ask_to_stop(process.pid)
        assert process.wait(PATIENCE_S) == 0
    assert engine.notice(tmp_path) is None


def test_every_command_and_option_explains_itself() -> None:
    runner = CliRunner()
    for name, command in cli.commands.items():
        assert command.help, name
        for option in command.params:
            assert getattr(option, "help", None), f"{name} {option.name}"
        assert runner.invoke(cli, [name, "--help"]).exit_code == 0


def run_command(home: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    values = settings(home, None) | environ
    command = [sys.executable, "-m", "cardhour_ingest", *arguments]
    return subprocess.run(command, env=values, capture_output=True, text=True, timeout=PATIENCE_S)


def test_migrate_and_probe_an_embedded_warehouse(tmp_path: Path) -> None:
    assert run_command(tmp_path, "migrate").returncode == 0
    assert run_command(tmp_path, "probe").stdout == "ok\n"
    assert run_command(tmp_path, "rollup").stdout == "0 pages computed, 0 in breach, 0 sealed.\n"


def test_topics_are_made_once(stream: StreamSettings, tmp_path: Path) -> None:
    environ = settings(tmp_path, stream) | {"CARDHOUR_STREAM_TOPIC": f"{stream.topic}-new"}
    made = run_command(tmp_path, "topics", "--partitions", "1", **environ)
    assert made.stdout == f"Created {stream.topic}-new.\n"
    assert run_command(tmp_path, "topics", **environ).stdout == "Both topics exist.\n"
    assert run_command(tmp_path, "probe", **environ).stdout == "ok\n"


def test_bad_settings_are_refused_in_one_go_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[stream]\nkind = "carrier-pigeon"\n[ingest]\nbatch_rows = 0\n', encoding="utf-8")
    refused = run_command(tmp_path, "run")
    assert refused.returncode == 2
    assert "batch_rows" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_broker_that_does_not_answer_fails_the_probe_with_one_sentence(tmp_path: Path) -> None:
    unreachable = {"CARDHOUR_STREAM_KIND": "kafka", "CARDHOUR_STREAM_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    failed = run_command(tmp_path, "probe", **unreachable)
    assert failed.returncode == 1
    assert failed.stderr == "cardhour-ingest: Kafka at 127.0.0.1:1 did not answer: [Errno 111] Connection refused\n"


def test_spools_are_found_in_the_home(tmp_path: Path) -> None:
    environ = {"CARDHOUR_HOME": str(tmp_path)}
    assert load(environ).spools == (tmp_path / "spool.db",)
    named = load(environ | {"CARDHOUR_INGEST_SPOOLS": "a.db,/elsewhere/b.db"})
    assert named.spools == (tmp_path / "a.db", Path("/elsewhere/b.db"))


def test_ingest_starts_on_a_machine_without_the_embedded_engine(tmp_path: Path) -> None:
    """chDB and what it brings are an optional part of the installation: who names a server does without."""
    without = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('chdb', 'pandas')))\n"
        "from cardhour_ingest.__main__ import main\n"
        "sys.argv = ['cardhour-ingest', 'probe']\n"
        "main()\n"
    )
    environ = settings(tmp_path, None) | {"CARDHOUR_WAREHOUSE_URL": "http://127.0.0.1:9"}
    probed = subprocess.run([sys.executable, "-c", without], env=environ, capture_output=True, text=True, check=False)
    assert probed.returncode == 1
    assert "cardhour-ingest: the warehouse did not answer" in probed.stderr
