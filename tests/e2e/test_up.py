"""``cardhour up`` as a person runs it: one process that does everything, and second terminals beside it."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from cardhour_agent.scenario import Scenario, SimulatedCard, SimulatedNode, SimulatedProcess
from cardhour_contract.moment import format_rfc3339
from cardhour_contract.spool import Spool
from cardhour_ingest.warehouse.client import Warehouse
from tests.e2e.homes import Home, stop, until
from tests.e2e.test_invoice import HERE, served
from tests.services.waiting import PATIENCE_S

CSV = """\
owner,card,model,started_at,ended_at
k8s:team-b,GPU-imported,NVIDIA A100-SXM4-80GB,2026-05-01T00:00:00Z,2026-05-01T10:00:00Z
"""

TEN_HOURS = "34.13"
"""USD: 10 card-hours at 3.412798182."""

STOP_S = 60
"""A stop takes one or two seconds; on a busy machine some more, and never the minutes that a browser keeps a line."""

NO_ANSWER = "NVML does not answer"

QUICK = {
    "agent_sample_interval_s": "1",
    "agent_report_interval_s": "1",
    "ingest_batch_age_ms": "100",
}
"""A minute's wait in production is a second's here."""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """A card that is held now, as it was yesterday and will be tomorrow."""
    now = datetime.now(UTC).replace(microsecond=0)
    held = SimulatedProcess(
        pid=7, cards=("GPU-1",), start=now - timedelta(days=1), end=now + timedelta(days=1), owner="k8s:team-a"
    )
    card = SimulatedCard(uuid="GPU-1", model="NVIDIA A100-SXM4-80GB")
    path = tmp_path / "scenario.json"
    node = SimulatedNode(id="this-machine", cluster="lab", card=(card,), process=(held,))
    path.write_bytes(msgspec.json.encode(Scenario(name="up", node=(node,))))
    return path


def test_commands_work_beside_it_and_after_it(tmp_path: Path, scenario: Path) -> None:
    home = Home(tmp_path / "home", **QUICK)
    table = tmp_path / "usage.csv"
    table.write_text(CSV)
    with home.running("cardhour", "up", "--scenario", str(scenario), "--port", "0") as up, browser(portal_of(up)):
        assert home.run("cardhour", "catalog", "apply", str(HERE / "catalog.toml"), "--yes").code == 0
        (imported,) = printed(home, "import", str(table))
        assert imported["rows"] == 1
        (beta,) = printed(home, "close", "2026-05")
        assert (beta["customer"], beta["state"], beta["total"]) == ("beta", "draft", TEN_HOURS)
        with Warehouse(served(home.path)) as warehouse:
            first_ms = "SELECT min(start_ms) FROM usage_record WHERE node = 'this-machine'"
            until(lambda: warehouse.value(first_ms), up, "what is metered is stored")
            started_ms = warehouse.value(first_ms)
        assert held_us(home) > 0

        refused = home.run("cardhour", "up", "--scenario", str(scenario), "--port", "0")
        assert refused.code == 2
        assert refused.errors.count("\n") == 1
        assert f"cardhour up already runs on {home.path}, as process {up.pid}" in refused.errors

        proven_ms = proven_until_ms(home)
        stop_in_time(up)

    # Without it the same commands open the stores themselves, and what it had no time to store is in the spool.
    last_ms = proven_until_ms(home)
    assert held_us(home) > 0
    with home.running("cardhour-ingest", "run") as ingest, Spool(home.path / "spool.db") as spool:
        until(lambda: spool.depth().reports == 0, ingest, "the rest of the spool is stored")
        stop(ingest)
    assert last_ms >= proven_ms, "nothing that was proven before it was asked to stop is lost"
    assert held_us(home) == (last_ms - started_ms) * 1_000, "from the first sample to the last, without a gap"
    (issued,) = printed(home, "close", "2026-05", "--issue")
    assert (issued["customer"], issued["state"], issued["total"]) == ("beta", "issued", TEN_HOURS)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for tests that need none of their own: the first makes its stores."""
    return tmp_path_factory.mktemp("lasting") / "home"


def test_without_a_gpu_it_says_so_and_serves_the_portal(tmp_path: Path, lasting: Path) -> None:
    # A folder first on the library path that has a file which is no library: also on a machine with a driver.
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"")
    home = Home(lasting, **QUICK)
    home.environ["LD_LIBRARY_PATH"] = str(tmp_path)
    with home.running("cardhour", "up", "--port", "0") as up:
        url = portal_of(up)
        log = home.log("cardhour")
        until(lambda: NO_ANSWER in log.read_text(), up, "it says that there is no driver")
        until(lambda: samples(home) > 2, up, "it goes on sampling")
        with browser(url):
            stop_in_time(up)
    reasons = [re.findall(r"reason\W+(\w+)", line) for line in log.read_text().splitlines() if NO_ANSWER in line]
    assert reasons
    # On a busy machine the process that asks the driver may be late, and say what is wrong a sample or two later.
    assert all(before != after for before, after in pairwise(reasons)), "told once, not at every sample"
    assert "Traceback" not in log.read_text()


def test_a_port_that_is_taken_is_one_sentence(lasting: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = Home(lasting).run("cardhour", "up", "--port", str(port))
    assert refused.code == 2
    assert refused.errors.startswith(f"cardhour: the portal cannot listen on 127.0.0.1:{port} (Address already in use)")
    assert refused.errors.count("\n") == 1


def portal_of(up: subprocess.Popen[str]) -> str:
    """The address that it prints when other commands may begin."""
    assert up.stdout is not None
    line = up.stdout.readline()
    found = re.match(r"CardHour runs\. Portal: (http\S+/) ", line)
    assert found is not None, line or "it ended"
    return found[1]


@contextmanager
def browser(url: str) -> Iterator[None]:
    """A line to the sign-in page that stays open, as browsers keep theirs."""
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        assert answer.url.startswith(f"{url}sign-in/"), "pages are behind the sign-in"
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)) as line:
        line.request("GET", "/sign-in/")
        page = line.getresponse()
        assert page.status == 200
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert b"<form" in page.read()
        yield


def printed(home: Home, *command: str) -> list[dict[str, Any]]:
    return home.json("cardhour", *command)[1]


def held_us(home: Home) -> int:
    """What the ledger shows of this machine around now."""
    quarter_ms = 900_000
    now_ms = time.time_ns() // 1_000_000 // quarter_ms * quarter_ms
    span = ("--from", format_rfc3339(now_ms - 4 * quarter_ms), "--to", format_rfc3339(now_ms + quarter_ms))
    rows = printed(home, "usage", *span, "--by", "node,owner")
    return sum(row["held_us"] for row in rows if (row["node"], row["owner"]) == ("this-machine", "k8s:team-a"))


def proven_until_ms(home: Home) -> int:
    """To when the agent has proven that its one process held the card; it keeps that beside its spool."""
    kept = json.loads((home.path / "spool.db.last-seen").read_bytes())
    (hold,) = kept["seen"]["holds"]
    until_ms: int = hold["until_ms"]
    return until_ms


def samples(home: Home) -> int:
    """Reports so far, read or waiting."""
    with Warehouse(served(home.path)) as warehouse:
        return int(warehouse.value("SELECT uniqExact(batch) FROM ingest_batch"))


def stop_in_time(up: subprocess.Popen[str]) -> None:
    asked_s = time.monotonic()
    stop(up)
    assert time.monotonic() - asked_s < STOP_S
