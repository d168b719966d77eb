"""Usage reports: their rows are the customer's and nobody else's, add up, and open anywhere without harm."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

import msgspec
import openpyxl
import pyarrow as pa
import pytest

from cardhour_billing.models import Customer, ReportRun
from cardhour_billing.month import Month
from cardhour_billing.month_usage.keeping import month_usage
from cardhour_billing.usage.ledger import Ledger, WarehouseLedger
from cardhour_billing.usage_report.formats import csv_bytes, xlsx_bytes
from cardhour_billing.usage_report.order import order_of
from cardhour_billing.usage_report.running import Running
from cardhour_contract.clock import VirtualClock
from cardhour_contract.errors import Refuse, Retry
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from tests.billing.books import ISSUER, apply, clock_at, issue, issued
from tests.billing.conftest import Store
from tests.billing.test_commands import HEADER

on_one_database = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""Rows come from the usage store: which database keeps the money makes no difference to them."""

NOW = "2026-01-20T00:00:00Z"
CATALOG = (
    ISSUER
    + """
[[customer]]
id = "acme"
name = "Acme Ltd"
[[customer]]
id = "other"
name = "Other Ltd"
[[price]]
model = "T4"
per = "card-hour"
amount = "1.616532"
from = 2026-01-01T00:00:00Z
[[lease]]
id = "box"
customer = "acme"
model = "T4"
cards = ["GPU-9"]
per = "card-month"
amount = "310.00"
from = 2026-01-02T00:00:00Z
"""
    + "".join(
        f'[[binding]]\nowner = "{owner}"\ncustomer = "{customer}"\n{more}from = {start}\n'
        for owner, customer, more, start in (
            ("k8s:acme-*", "acme", 'project = "research"\n', "2026-01-01T00:00:00Z"),
            ("k8s:acme-lab", "other", "", "2026-01-01T00:00:00Z"),  # more exact, and somebody else's
            ("slurm:shared", "other", "", "2026-01-01T00:00:00Z"),
            ("slurm:shared", "acme", 'node = "n7"\nproject = "serving"\n', "2026-01-03T00:00:00Z"),
        )
    )
)
HELD = (
    ("k8s:acme-a", "n1", "GPU-0", "2026-01-02T01:15:00Z", "2026-01-03T02:30:00Z"),
    ("k8s:acme-lab", "n1", "GPU-1", "2026-01-02T00:00:00Z", "2026-01-02T05:00:00Z"),
    ("slurm:shared", "n7", "GPU-2", "2026-01-02T22:00:00Z", "2026-01-03T04:00:00Z"),
    ("slurm:shared", "n1", "GPU-3", "2026-01-03T00:00:00Z", "2026-01-03T01:00:00Z"),
    ("docker:nobody", "n9", "GPU-9", "2026-01-01T20:00:00Z", "2026-01-02T06:00:00Z"),
    ("docker:nobody", "n1", "GPU-4", "2026-01-02T00:00:00Z", "2026-01-02T06:00:00Z"),
)
INTRUDED = (("k8s:acme-lab", "n9", "GPU-9", "2026-01-02T08:00:00Z", "2026-01-02T09:00:00Z"),)
"""Somebody else's usage of a card that acme leases: billed to nobody, and in nobody's report."""


@pytest.fixture
def acme(store: Store, warehouse: Warehouse) -> Customer:
    apply(store.home, CATALOG)
    add(store, warehouse, HELD)
    return Customer.objects.select_related("issuer").get(key="acme")


def add(store: Store, warehouse: Warehouse, held: Iterable[tuple[str, str, str, str, str]]) -> None:
    rows = "".join(f"{owner},=job,{node},{card},T4,,{start},{end},1,,\n" for owner, node, card, start, end in held)
    file = store.home / f"usage-{len(rows)}.csv"
    file.write_text(HEADER + rows)
    import_csv(warehouse, file)
    WarehouseLedger(warehouse).settle()


def made(customer: Customer, warehouse: Warehouse, **query: str) -> tuple[bytes, ReportRun]:
    @contextmanager
    def opened() -> Iterator[Warehouse]:
        yield warehouse

    asked = {"from": "2026-01-01", "to": "2026-01-31", "by": "day-card", "format": "csv", **query}
    running = Running(order_of(customer, asked), opened, clock_at(NOW), "ada")
    return b"".join(running), running.run


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@on_one_database
def test_the_engine_and_rating_agree_on_whose_every_microsecond_is(
    acme: Customer, warehouse: Warehouse, store: Store
) -> None:
    add(store, warehouse, INTRUDED)

    @contextmanager
    def opened() -> Iterator[Ledger]:
        yield WarehouseLedger(warehouse)

    usage = month_usage(acme, Month(year=2026, month=1), opened, clock_at(NOW))
    expected: dict[tuple[str, str, str], int] = {}
    for cell in usage.cells:
        key: tuple[str, str, str] = (cell.day, cell.project, cell.kind)
        expected[key] = expected.get(key, 0) + cell.quantity_us
    for by in ("day-card", "hour-card", "quarter-workload", "day-workload"):
        content, _ = made(acme, warehouse, by=by, to="2026-01-04")
        found: dict[tuple[str, str, str], int] = {}
        for row in rows_of(content):
            day = next(row[word] for word in ("day", "hour", "quarter") if word in row)[:10]
            key = (day, row["project"], row["kind"])
            found[key] = found.get(key, 0) + int(row["quantity_us"])
        assert found == expected, by
    assert {kind for _, _, kind in expected} == {"usage", "leased"}


@on_one_database
def test_priced_rows_and_focus_sum_to_what_is_billed(acme: Customer, warehouse: Warehouse) -> None:
    content, run = made(acme, warehouse, by="day-project-model")
    rows = rows_of(content)
    assert {row["kind"] for row in rows} == {"usage", "leased", "lease"}
    issue(WarehouseLedger(warehouse), "2026-01", "2026-02-10T00:00:00Z")
    content, _ = made(acme, warehouse, by="month-project-model")
    net = sum(int(row["net"].replace(".", "")) for row in rows_of(content))
    assert net == issued()[0].net
    assert (run.state, run.done, run.of, run.rows) == ("done", 1, 1, len(rows))
    content, run = made(acme, warehouse, format="focus")
    rows = rows_of(content)
    assert sum(int(row["BilledCost"].replace(".", "")) for row in rows) == issued()[0].total
    assert (run.rows, run.done, run.of, run.state) == (len(rows), 1, 1, "done")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝"])
def test_every_start_of_a_formula_is_guarded_in_every_cell(start: str) -> None:
    table = pa.table({"project": [f"{start}1+1", "plain"], "net": ["-1.00", "2.00"]})
    text = b"".join(csv_bytes([table], ("project", "net"))).decode("utf-8-sig")
    assert [(row["project"], row["net"]) for row in csv.DictReader(io.StringIO(text, newline=""))] == [
        (f"'{start}1+1", "-1.00"), ("plain", "2.00"),
    ]  # fmt: skip


@on_one_database
def test_words_are_guarded_in_csv_and_stand_as_they_are_elsewhere(acme: Customer, warehouse: Warehouse) -> None:
    expected = rows_of(made(acme, warehouse, by="day-workload")[0])
    assert {row["workload"] for row in expected} == {"'=job"}
    book = openpyxl.load_workbook(io.BytesIO(made(acme, warehouse, by="day-workload", format="xlsx")[0]))
    head, *lines = book.worksheets[1].iter_rows(values_only=True)
    assert [int(str(line[head.index("quantity_us")])) for line in lines] == [
        int(row["quantity_us"]) for row in expected
    ]
    assert {line[head.index("workload")] for line in lines} == {"=job"}  # text, not a formula
    found = msgspec.json.decode(made(acme, warehouse, by="day-workload", format="json")[0])
    assert [row["quantity_us"] for row in found["rows"]] == [int(row["quantity_us"]) for row in expected]
    assert (found["first_day"], found["customer"]) == ("2026-01-01", "acme")


def test_a_workbook_goes_on_in_another_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cardhour_billing.usage_report.formats.SHEET_ROWS", 3)
    table = pa.table({"day": ["a", "b", "c"], "quantity_us": [1, 2, 3], "net": ["107437", "1.50", "91.347"]})
    book = openpyxl.load_workbook(io.BytesIO(b"".join(xlsx_bytes([table], tuple(table.schema.names), {"of": "x"}))))
    assert [(sheet.title, sheet.max_row) for sheet in book.worksheets] == [("Report", 1), ("Usage", 3), ("Usage 2", 2)]
    assert book.active is book["Usage"]  # what a reader sees first
    cells = [book["Usage"]["C2"], book["Usage"]["C3"], book["Usage 2"]["C2"]]
    assert [cell.number_format for cell in cells] == ["#,##0", "#,##0.00", "#,##0.000"]  # yen, dollars, dinars


def test_what_becomes_of_a_report_is_said_and_two_run_at_a_time(acme: Customer, warehouse: Warehouse) -> None:
    def away() -> AbstractContextManager[Warehouse]:
        raise Retry("the warehouse did not answer")

    order = order_of(acme, {"from": "2026-01-01", "to": "2026-01-02", "by": "day-card"})
    broken = Running(order, away, VirtualClock(0), "ada")
    with pytest.raises(Retry):
        list(broken)
    assert (broken.run.state, broken.run.outcome) == ("failed", "the warehouse did not answer")

    @contextmanager
    def opened() -> Iterator[Warehouse]:
        yield warehouse

    left = Running(order, opened, VirtualClock(0), "ada")
    stream = iter(left)
    next(stream)
    stream.close()
    assert ReportRun.objects.get(pk=left.run.pk).state == "stopped"
    clock = clock_at(NOW)
    for _ in range(2):
        Running(order, opened, clock, "ada")
    with pytest.raises(Refuse, match="2 reports are being made already"):
        Running(order, opened, clock, "ada")
    clock.step_ms(10 * 60_000)  # both were lost with their process
    Running(order, opened, clock, "ada")


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"from": "soon"}, "from: 'soon' is not a day"),
        ({"to": "2025-12-31"}, "has no day in it"),
        ({"to": "2027-12-31"}, "at most 400 days"),
        ({"by": "colour"}, "'colour' is no grouping"),
        ({"format": "pdf"}, "'pdf' is no format"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(query: dict[str, str], problem: str) -> None:
    with pytest.raises(Refuse, match=problem):
        order_of(Customer(key="acme"), {"from": "2026-01-01", "to": "2026-01-31", **query})
