"""Pages of the portal under eight people at once: how long the slow ones wait, and how many queries a page takes.

Owns the load. The server is ``cardhour web``, in a process of its own, as in production; a person asks for a page,
waits for all of it, and asks for the next without a pause. Beside the wait, which other work on the machine lengthens,
stands the processor time of the server for each page, which it does not. Queries are counted in this process.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from bench import portal_books as books
from bench.figures import Figure

PEOPLE = 8
ASKED = 25
"""Times that each person asks for each page."""
LIMIT_MS = 150
"""What the slowest twentieth may take."""


def measure(folder: Path, *, customers: int, cards: int) -> list[Figure]:
    """Milliseconds in which 95 of 100 answers have come, and queries, of each page."""
    os.environ["CARDHOUR_HOME"] = str(folder)
    os.environ["CARDHOUR_WEB_PORT"] = "0"
    from cardhour_billing.store import open_store

    config = open_store()
    from cardhour_billing.models import Customer, Invoice
    from cardhour_billing.month import billing_period, parse_month
    from cardhour_billing.month_usage.building import open_months
    from cardhour_billing.month_usage.keeping import keep
    from cardhour_billing.usage.ledger import WarehouseLedger
    from cardhour_billing.usage.store import opened_warehouse
    from cardhour_contract.clock import SystemClock

    books.write(customers)
    large = Customer.objects.select_related("issuer").get(key=books.LARGE)
    with opened_warehouse(config) as warehouse:
        books.use(warehouse, cards)
        period = billing_period(parse_month(books.DRAFTED), "UTC")
        for customer, usage in open_months(period, [large], WarehouseLedger(warehouse), SystemClock()):
            keep(customer, usage)
    invoice = Invoice.objects.get(customer=large, period=books.ISSUED).pk
    pages = (
        ("list", "clerk", "/invoices/"),
        ("list_filtered", "clerk", f"/invoices/?month={books.ISSUED}&q=team-99"),
        ("close", "clerk", f"/close/{books.DRAFTED}/"),
        ("invoice", books.LARGE, f"/invoices/{invoice}/"),
        ("usage", books.LARGE, f"/usage/?month={books.DRAFTED}"),
    )
    cookies = {login: _session(login) for login in ("clerk", books.LARGE)}
    of = f"{customers} customers, {cards} cards of one, {PEOPLE} people"
    found = []
    with _served(folder) as (host, port, process):
        for name, login, path in pages:
            _ask(host, port, path, cookies[login], 2)  # what is made with the first page is not measured
            before_ms = _processor_ms(process)
            waited = _under_load(host, port, path, cookies[login])
            each_ms = (_processor_ms(process) - before_ms) / len(waited)
            found.append(Figure(name=f"portal.{name}_cpu_ms", value=each_ms, of=of))
            found.append(Figure(name=f"portal.{name}_p95_ms", value=_part(waited, 95), of=of))
            found.append(Figure(name=f"portal.{name}_p50_ms", value=_part(waited, 50), of=of))
            found.append(Figure(name=f"portal.{name}_queries", value=_queries(path, cookies[login]), of="of one page"))
    return found


def _session(login: str) -> str:
    """The cookie of somebody who has signed in."""
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.get(username=login))
    return f"sessionid={client.cookies['sessionid'].value}"


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


def _under_load(host: str, port: int, path: str, cookie: str) -> list[float]:
    """Milliseconds of each answer, in order of size."""
    with ThreadPoolExecutor(PEOPLE) as people:
        asked = people.map(lambda _: _ask(host, port, path, cookie, ASKED), range(PEOPLE))
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
    """Processor time of a process so far, of all its threads, in milliseconds."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


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
