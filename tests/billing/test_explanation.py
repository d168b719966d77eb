"""Explaining a line: days, cards, quarters, raw records, each level adding up to the one above it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from cardhour_billing.answers.explanation import Explainer, Explanation
from cardhour_billing.money import total
from cardhour_billing.usage.ledger import WarehouseLedger
from cardhour_contract.errors import InvariantBroken, Refuse
from cardhour_contract.moment import CARD_HOUR_US, parse_rfc3339
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from tests.billing.books import ACME, ISSUER, PRICE, apply, close, issued, on_sqlite
from tests.billing.conftest import Store
from tests.billing.in_process import Installation
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.stores import copied, lent, settled
from tests.billing.test_commands import HEADER

__all__ = ["on_sqlite"]

MINIMAL = ISSUER + ACME + PRICE
AFTER = "2026-02-10T00:00:00Z"
USAGE = HEADER + "".join(
    f"{owner},{job},n1,{card},T4,,{start},{end},{share},,\n"
    for owner, job, card, start, end, share in (
        ("k8s:acme", "train", "GPU-0", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z", "1"),
        ("k8s:acme", "train", "GPU-1", "2026-01-05T22:00:00Z", "2026-01-06T01:10:00Z", "1"),
        ("k8s:acme", "one", "GPU-2", "2026-01-07T00:00:00Z", "2026-01-07T00:15:00Z", "0.75"),
        ("k8s:other", "two", "GPU-2", "2026-01-07T00:00:00Z", "2026-01-07T00:15:00Z", "0.75"),
    )
)
DAY = date(2026, 1, 5)


def filled(store: Store, warehouse: Warehouse) -> WarehouseLedger:
    """Acme held two cards whole, and half of a third beside somebody else; the month is issued."""
    apply(store.home, MINIMAL)
    (store.home / "usage.csv").write_text(USAGE)
    import_csv(warehouse, store.home / "usage.csv")
    ledger = WarehouseLedger(warehouse)
    close(ledger, "2026-01", AFTER, issue=True)
    return ledger


@pytest.fixture(scope="module")
def month(
    migrated: str,
    shared_warehouse: Warehouse,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> str:
    """The books of that month, for tests to copy."""
    with django_db_blocker.unblock(), copied(migrated, tmp_path_factory.mktemp("month")) as store:
        filled(store, shared_warehouse)
    return settled(store.url)


@pytest.fixture
def ledger(
    month: str, shared_warehouse: Warehouse, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[WarehouseLedger]:
    """The usage of that month, beside its books."""
    with django_db_blocker.unblock(), lent(month, tmp_path):
        yield WarehouseLedger(shared_warehouse)


def explainer(ledger: WarehouseLedger | MemoryLedger) -> Explainer:
    return Explainer(issued()[0], 1, ledger)


def adds_up(explained: Explanation) -> bool:
    money = total((part.amount for part in explained.parts), explained.amount.currency)
    return (sum(part.quantity_us for part in explained.parts), money) == (explained.quantity_us, explained.amount)


def named(explained: Explanation, word: str) -> list[tuple[str, int, str]]:
    return [(part.name[word], part.quantity_us, str(part.amount)) for part in explained.parts]


def test_every_level_adds_up_to_the_one_above(ledger: WarehouseLedger) -> None:
    explains = explainer(ledger)
    days = explains.days()
    assert (str(days.amount), adds_up(days)) == ("21.49", True)
    for day in days.parts:
        cards = explains.cards(date.fromisoformat(day.name["day"]))
        assert ((cards.quantity_us, cards.amount), adds_up(cards)) == ((day.quantity_us, day.amount), True)
        for card in cards.parts:
            quarters = explains.quarters(date.fromisoformat(day.name["day"]), card.name["card"])
            assert (quarters.quantity_us, quarters.amount, adds_up(quarters)) == (card.quantity_us, card.amount, True)
            first = quarters.parts[0]
            records = explains.records(card.name["card"], parse_rfc3339(first.name["quarter"]))
            assert (records.quantity_us, records.amount, adds_up(records)) == (first.quantity_us, first.amount, True)


def test_a_line_by_day_and_by_card(ledger: WarehouseLedger) -> None:
    explains = explainer(ledger)
    assert named(explains.days(), "day") == [
        ("2026-01-05", 12 * CARD_HOUR_US, "19.40"),
        ("2026-01-06", CARD_HOUR_US * 7 // 6, "1.89"),
        ("2026-01-07", CARD_HOUR_US // 8, "0.20"),
    ]
    assert [(each[0], each[1]) for each in named(explains.cards(), "card")] == [
        ("GPU-0", 10 * CARD_HOUR_US),
        ("GPU-1", CARD_HOUR_US * 19 // 6),
        ("GPU-2", CARD_HOUR_US // 8),
    ]
    assert [each[:2] for each in named(explains.days("GPU-1"), "day")] == [
        ("2026-01-05", 2 * CARD_HOUR_US),
        ("2026-01-06", CARD_HOUR_US * 7 // 6),
    ]


def test_a_shared_quarter_shows_whom_it_was_shared_with(ledger: WarehouseLedger) -> None:
    records = explainer(ledger).records("GPU-2", parse_rfc3339("2026-01-07T00:07:00Z"))
    assert records.quantity_us == CARD_HOUR_US // 8  # half of a quarter hour
    assert [(part.name["owner"], part.name["share"], part.quantity_us) for part in records.parts] == [
        ("k8s:acme", "0.75", CARD_HOUR_US // 8),
        ("k8s:other", "0.75", 0),
    ]
    (mine, _) = records.parts
    assert (mine.name["workload"], mine.name["started_at"], mine.name["basis"], mine.name["position"]) == (
        "one", "2026-01-07T00:00:00Z", "imported", "usage.csv",
    )  # fmt: skip


def test_later_usage_explains_nothing_differently(warehouse: Warehouse, store: Store) -> None:
    ledger = filled(store, warehouse)
    before = explainer(ledger).days()
    late = HEADER + "k8s:acme,late,n1,GPU-9,T4,,2026-01-05T00:00:00Z,2026-01-05T10:00:00Z,1,,\n"
    (store.home / "late.csv").write_text(late)
    import_csv(warehouse, store.home / "late.csv")
    assert explainer(ledger).days() == before


@pytest.fixture
def expired(store: Store) -> MemoryLedger:
    """A ledger that keeps no raw records."""
    apply(store.home, MINIMAL)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    close(ledger, "2026-01", AFTER, issue=True)
    return ledger


def test_where_raw_has_expired_the_quarter_still_stands_and_says_so(expired: MemoryLedger) -> None:
    records = explainer(expired).records("GPU-0", parse_rfc3339("2026-01-05T00:00:00Z"))
    assert (records.quantity_us, records.parts) == (CARD_HOUR_US // 4, ())
    assert "raw expires before invoices do" in records.note


def test_what_is_not_on_the_line_is_refused_in_a_sentence(expired: MemoryLedger) -> None:
    explains = explainer(expired)
    with pytest.raises(Refuse, match="no line 2"):
        Explainer(issued()[0], 2, expired)
    with pytest.raises(Refuse, match="nothing of day 2026-01-06"):
        explains.cards(date(2026, 1, 6))
    with pytest.raises(Refuse, match="nothing of card GPU-7"):
        explains.quarters(DAY, "GPU-7")
    with pytest.raises(Refuse, match="outside 2026-01"):
        explains.records("GPU-0", parse_rfc3339("2026-02-01T00:00:00Z"))
    with pytest.raises(Refuse, match="bills nothing of GPU-0"):
        explains.records("GPU-0", parse_rfc3339("2026-01-05T12:00:00Z"))


def test_frozen_quarters_that_do_not_make_the_line_stop_it(expired: MemoryLedger) -> None:
    next(iter(expired.quarters.values())).pop()
    with pytest.raises(InvariantBroken, match="cardhour verify"):
        explainer(expired).days()


def test_explaining_at_the_command_line(installation: Installation) -> None:
    (installation.folder / "catalog.toml").write_text(MINIMAL)
    (installation.folder / "usage.csv").write_text(USAGE)
    for command in (["catalog", "apply", "catalog.toml", "--yes"], ["import", "usage.csv"]):
        assert installation.run(*command).returncode == 0
    (closed,) = json.loads(installation.run("close", "2026-01", "--issue", "--format", "json").stdout)
    explained = installation.run("explain", closed["number"], "1", "--format", "json")
    assert [row["amount"] for row in json.loads(explained.stdout)] == ["19.40", "1.89", "0.20"], explained.stderr
    at = ("--card", "GPU-2", "--quarter", "2026-01-07T00:00:00Z", "--format", "json")
    records = json.loads(installation.run("explain", closed["number"], "1", *at).stdout)
    assert [(row["owner"], row["quantity_us"]) for row in records] == [("k8s:acme", 450_000_000), ("k8s:other", 0)]
    assert "21.49 USD" in installation.run("explain", closed["number"], "1").stdout
