"""Fleet and margin as a page: every row and column adds up, a price cut stands in the address, cards by hour."""

from __future__ import annotations

import csv
import io
import pickle
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cardhour_billing.margin.margin import Hours
from cardhour_billing.month import parse_month
from cardhour_billing.portal.fleet.heat import heat
from cardhour_billing.portal.fleet.kept import kept_margin
from cardhour_billing.portal.fleet.pictures import heat_chart
from cardhour_billing.portal.fleet.tables import TERMS, Tables, hundredths, tables
from cardhour_contract.moment import CARD_HOUR_US, parse_rfc3339
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from tests.billing.books import apply, clock_at
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.portal_client import at_home, over, staff
from tests.billing.test_commands import HEADER
from tests.billing.test_lease_charges import BOOKS, LEASE
from tests.billing.test_margin_month import A100, COST, POOL, margin, rented

ON_ONE = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""Where the database does not matter."""

OCTOBER_US = 744 * CARD_HOUR_US
USAGE = HEADER + "".join(
    f"k8s:acme,job,{node},{card},A100,,2026-10-{day}T{start}:00:00+08:00,2026-10-{day}T{end}:00:00+08:00,1,,\n"
    for node, card, day, start, end in (
        ("n1", "GPU-1", "29", "08", "20"), ("n1", "GPU-2", "30", "00", "02"), ("n8", "GPU-8", "31", "10", "11"),
    )
)  # fmt: skip


@pytest.fixture
def fleet(store: Store, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Three cards in the last days of October; one of them leased by its node."""
    cache.clear()
    at_home(store.home, monkeypatch)
    apply(store.home, BOOKS + A100 + COST + LEASE)
    (store.home / "usage.csv").write_text(USAGE)
    import_csv(warehouse, store.home / "usage.csv")
    roll_up(warehouse)
    over(warehouse, monkeypatch, "cardhour_billing.portal.views.fleet")
    return warehouse


def amount(text: str) -> Decimal:
    return Decimal(text.replace(",", "").replace("−", "-"))


def october(home: Path, cut: str = "1/10") -> Tables:
    apply(home, BOOKS + A100 + POOL + COST)
    return tables(margin(rented()), OCTOBER_US, Fraction(cut))


@ON_ONE
def test_every_row_and_column_of_the_ledger_adds_up(store: Store) -> None:
    shown = october(store.home)
    for row in (*shown.hours, shown.hours_sum):
        assert sum(map(amount, row.terms)) == amount(row.capacity)
    for at in range(len(TERMS)):
        assert sum(amount(row.terms[at]) for row in shown.hours) == amount(shown.hours_sum.terms[at])


def test_hours_that_do_not_end_are_shared_so_that_they_add_up() -> None:
    """Three thirds of an hour are 0.34 and twice 0.33."""
    third_us = CARD_HOUR_US // 3
    assert hundredths([third_us, third_us, third_us]) == [34, 33, 33]
    assert hundredths([0, 0]) == [0, 0]
    assert hundredths([-36_000_000, 0]) == [-1, 0]


@ON_ONE
def test_money_adds_up_and_rent_stands_by_itself(store: Store) -> None:
    shown = october(store.home)
    (row,) = shown.money
    parts = [row.revenue, row.depreciation, row.hosting, row.power]
    assert sum(map(amount, parts)) == amount(row.gross)
    assert (row.rent, row.revenue, row.cards) == ("15,000.00", "15,538.08", "2")
    assert shown.money_sum.gross == row.gross


@ON_ONE
def test_a_price_cut_has_its_column_and_says_what_it_asks_for(store: Store) -> None:
    """A cut of 12.5 % leaves seven eighths of the revenue; today's takes eight sevenths of the hours."""
    shown = october(store.home, "1/8")
    assert shown.cuts == ("5", "10", "12.5", "15", "20")
    (row,) = shown.cut_rows
    cost = amount(shown.money[0].revenue) - amount(shown.money[0].gross)
    assert amount(row.cells[3].gross) == Decimal("13595.82") - cost
    assert [cell.narrow for cell in row.cells] == [True, False, False, True, False, False]
    assert row.to_keep == "3.7%"


@ON_ONE
def test_a_model_without_cost_has_no_margin_and_is_named(store: Store) -> None:
    apply(store.home, BOOKS + A100)
    shown = tables(margin(rented()), OCTOBER_US, Fraction(1, 10))
    assert (shown.money[0].gross, shown.money_sum.gross, shown.cost) == ("—", "—", "—")
    assert shown.without_cost == ("A100",)


@ON_ONE
def test_a_kept_month_is_the_same_until_the_books_change(store: Store) -> None:
    """What is kept survives being written down; a new catalog is another state of the books."""
    cache.clear()
    apply(store.home, BOOKS + A100 + COST)
    ledger, month, clock = Unchanged(), parse_month("2026-10"), clock_at("2026-11-10T00:00:00Z")
    ledger.held = rented().held
    first = kept_margin(month, "Asia/Shanghai", ledger, clock)
    ledger.held = []
    assert pickle.loads(pickle.dumps(kept_margin(month, "Asia/Shanghai", ledger, clock))) == first
    apply(store.home, COST.replace("10000", "12000"))
    assert kept_margin(month, "Asia/Shanghai", ledger, clock).margin.margins == ()


class Unchanged(MemoryLedger):
    """A ledger that says that nothing was computed anew."""

    def changed_since(self, from_ms: int, to_ms: int, at_ms: int) -> bool:
        return False


@ON_ONE
def test_cards_by_hour_say_what_each_hour_was(fleet: Warehouse) -> None:
    seen = heat(fleet, "A100", date(2026, 10, 31), "Asia/Shanghai", 1, parse_rfc3339("2026-11-10T00:00:00Z"))
    states = {each.card: [cell.state for cell in each.cells] for each in seen.cards}
    assert [len(cells) for cells in states.values()] == [72, 72, 72]
    assert states["GPU-1"].count("billable") == 12
    assert states["GPU-2"].count("billable") == 2
    assert states["GPU-8"] == ["leased"] * 72
    for each in seen.cards:
        assert each.time.terms_us == each.time.span_us == 72 * CARD_HOUR_US
    chart = heat_chart(seen, width=680, left=86)
    assert [(node.node, node.share) for node in chart.nodes] == [("n1", "9.7%"), ("n8", "100.0%")]
    assert len(chart.nodes[0].cards[0].bars) == 3  # unobserved, held, unobserved


@ON_ONE
def test_the_page_shows_the_month_and_each_table_is_a_download(fleet: Warehouse) -> None:
    """The store is asked a bounded number of times, fewer once the month is kept; quantities are exact."""
    client = staff("viewer")
    for most in (40, 14):
        with CaptureQueriesContext(connection) as asked:
            page = client.get("/fleet/2026-10/?cut=12.5")
        assert page.status_code == 200
        assert len(asked) <= most
    assert "−12.5%" in page.content.decode()

    def rows(which: str) -> list[dict[str, str]]:
        answer = client.get(f"/fleet/2026-10/?csv={which}&cut=5")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))

    (ledger,) = rows("ledger")
    assert sum(int(ledger[name]) for name in Hours.__struct_fields__) == int(ledger["capacity_us"])
    # Two cards were seen in October, and of the leased node eight are paid for.
    assert int(ledger["capacity_us"]) == 10 * OCTOBER_US
    (money,) = rows("margin")
    assert (money["model"], money["price_cut_percent"], money["rent"]) == ("A100", "5.00", "133400.00")
    assert [row["card"] for row in rows("cards")] == ["GPU-1", "GPU-2", "GPU-8"]
    assert sum(int(row["billable_us"] or 0) for row in rows("hours")) == 15 * CARD_HOUR_US
    assert client.get("/fleet/2026-13/").status_code == 404
    assert client.get("/fleet/9000-01/").status_code == 404
    page = client.get("/fleet/2026-10/?cut=ten&day=never&page=x&model=none")
    assert "A price cut is a number of percent" in page.content.decode()


@ON_ONE
def test_a_store_without_books_or_cards_says_so(
    store: Store, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_home(store.home, monkeypatch)
    over(warehouse, monkeypatch, "cardhour_billing.portal.views.fleet")
    client = staff("viewer")
    assert "No books yet" in client.get("/fleet/").content.decode()
    apply(store.home, BOOKS)
    assert "No card was known in July 2026" in client.get("/fleet/2026-07/").content.decode()
