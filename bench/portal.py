"""Pages of the portal under eight people at once: how long the slow ones wait, and how many queries a page takes.

Owns the load. The server is ``cardhour web``, and the engine ``cardhour-ingest run``, in processes of their own, as in
production; a person asks for a page, waits for all of it, and asks for the next without a pause. Beside the wait, which
other work on the machine lengthens, stands the processor time of the server for each page, which it does not. Queries
are counted in this process. ``CARDHOUR_BENCH_BOOKS`` names a folder in which the books are kept for the next run.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from bench import portal_books as books
from bench.figures import Figure

PEOPLE = 8
ASKED = 12
"""Times that each person asks for each page."""
LIMIT_MS = 150
"""What the slowest twentieth may take."""
KEPT = "CARDHOUR_BENCH_BOOKS"
WRITTEN = "books.done"
READY_S = 60


def measure(folder: Path, *, customers: int, cards: int) -> list[Figure]:
    """Milliseconds in which 95 of 100 answers have come, processor time, and queries, of each page."""
    folder = Path(os.environ.get(KEPT, "") or folder).absolute()
    os.environ["CARDHOUR_HOME"] = str(folder)
    os.environ["CARDHOUR_WEB_PORT"] = "0"
    from cardhour_billing.store import open_store
    from cardhour_contract.clock import SystemClock

    config, clock = open_store(), SystemClock()
    months = books.months(clock.now_ms())
    if not (folder / WRITTEN).exists():
        books.write(customers, months)
        from cardhour_billing.usage.store import opened_warehouse

        with opened_warehouse(config) as warehouse:
            books.use(warehouse, cards, months, clock.now_ms())
            books.close(warehouse, months, clock)
        (folder / WRITTEN).touch()
    cookies = {login: _session(login) for login in ("clerk", books.LARGE)}
    of = f"{customers} customers, {cards} cards of one, {PEOPLE} people"
    found = []
    with _engine(folder), _served(folder) as (host, port, process):
        for name, login, path in _pages(months):
            # Each process makes with its first pages what the later ones share; that is not measured.
            _under_load(host, port, path, cookies[login], 3)
            before_ms = _processor_ms(process)
            waited = _under_load(host, port, path, cookies[login], ASKED)
            each_ms = (_processor_ms(process) - before_ms) / len(waited)
            found.append(Figure(name=f"portal.{name}_cpu_ms", value=each_ms, of=of))
            found.append(Figure(name=f"portal.{name}_p95_ms", value=_part(waited, 95), of=of))
            found.append(Figure(name=f"portal.{name}_p50_ms", value=_part(waited, 50), of=of))
            found.append(Figure(name=f"portal.{name}_queries", value=_queries(path, cookies[login]), of="of one page"))
    return found


def _pages(months: books.Months) -> Sequence[tuple[str, str, str]]:
    """Name, who asks, and address of each page."""
    from cardhour_billing.models import Customer, Invoice

    large = Customer.objects.get(key=books.LARGE)
    invoice = Invoice.objects.get(customer=large, period=months.issued).pk
    return (
        ("today", "clerk", "/today/"),
        ("list", "clerk", "/invoices/"),
        ("list_filtered", "clerk", f"/invoices/?month={months.issued}&q=team-99"),
        ("close", "clerk", f"/close/{months.drafted}/"),
        ("invoice_staff", "clerk", f"/invoices/{invoice}/"),
        ("explain", "clerk", f"/invoices/{invoice}/lines/1/"),
        ("customers", "clerk", "/records/customers/"),
        ("customer", "clerk", f"/records/customers/{large.pk}/"),
        ("fleet", "clerk", f"/fleet/{months.drafted}/"),
        ("audit", "clerk", "/audit/"),
        ("usage", books.LARGE, f"/usage/?month={months.drafted}"),
        ("usage_now", books.LARGE, "/usage/"),
        ("invoices", books.LARGE, "/invoices/"),
        ("invoice", books.LARGE, f"/invoices/{invoice}/"),
        ("statements", books.LARGE, "/statements/"),
        ("leases", books.LARGE, "/leases/"),
        ("balance", books.LARGE, "/balance/"),
        ("budgets", books.LARGE, "/budgets/"),
    )


def _session(login: str) -> str:
    """The cookie of somebody who has signed in."""
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.get(username=login), backend="cardhour_billing.portal.backend.LoginBackend")
    return f"sessionid={client.cookies['sessionid'].value}"


@contextmanager
def _engine(folder: Path) -> Iterator[None]:
    """The engine over the usage in ``folder``, served to the others."""
    from cardhour_ingest.warehouse.engine import notice

    environment = {**os.environ, "CARDHOUR_HOME": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "cardhour_ingest", "run"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        give_up = time.monotonic() + READY_S
        while notice(folder) is None:
            if time.monotonic() > give_up or process.poll() is not None:
                raise RuntimeError("the engine did not start")
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=READY_S)


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, int, int]]:
    """The portal over the store in ``folder``: its host, its port and its process."""
    command = [sys.executable, "-m", "cardhour_billing", "web"]
    environment = {**os.environ, "CARDHOUR_HOME": str(folder)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        address = re.search(r"http://([\d.]+):(\d+)/", said)
        if not address:
            raise RuntimeError(f"the portal did not start: it said {said!r}")
        yield address[1], int(address[2]), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        if process.stdout is not None:
            process.stdout.close()


def _under_load(host: str, port: int, path: str, cookie: str, times: int) -> list[float]:
    """Milliseconds of each answer, in order of size."""
    with ThreadPoolExecutor(PEOPLE) as people:
        asked = people.map(lambda _: _ask(host, port, path, cookie, times), range(PEOPLE))
        return sorted(each for waited in asked for each in waited)


def _ask(host: str, port: int, path: str, cookie: str, times: int) -> list[float]:
    """Milliseconds of each answer to one person."""
    connection = http.client.HTTPConnection(host, port, timeout=60)
    waited = []
    for _ in range(times):
        started = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        waited.append((time.perf_counter() - started) * 1000)
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{path}: {answer.status}")
    connection.close()
    return waited


def _processor_ms(process: int) -> float:
    """Processor time so far of a process and of those that it started, of all their threads, in milliseconds."""
    started = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8").split()
    ticks = 0
    for each in (str(process), *started):
        fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def _queries(path: str, cookie: str) -> int:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"Cookie": cookie, "Host": "127.0.0.1"})
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(path)
    if answer.status_code != http.HTTPStatus.OK:
        raise RuntimeError(f"{path}: {answer.status_code}")
    return len(asked)


def _part(ordered: list[float], percent: int) -> float:
    """The value that ``percent`` of a hundred do not exceed."""
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
