"""The checklist of a close: what blocks, what to look at and what it is worth, and what was checked and is fine."""

from __future__ import annotations

import pytest
from msgspec import structs

from cardhour_billing.closing.checklist import Check
from cardhour_billing.usage.ledger import Coverage
from cardhour_contract.moment import CARD_HOUR_US
from tests.billing.books import ACME, ISSUER, PRICE, apply, close
from tests.billing.conftest import Store
from tests.billing.in_process import Desk
from tests.billing.memory_ledger import MemoryLedger

AFTER = "2026-02-10T00:00:00Z"
TEN = PRICE.replace("1.616532", "10.00")
WHOLE = ACME.replace('name = "Acme Ltd"', 'name = "Acme Ltd"\nemail = "ap@acme.example"')


class SeenLedger(MemoryLedger):
    """Usage in memory, with whatever a fleet's watch came to."""

    def __init__(self, **seen: object) -> None:
        super().__init__()
        self.seen = seen

    def coverage(self, from_ms: int, to_ms: int) -> Coverage:
        return structs.replace(super().coverage(from_ms, to_ms), **self.seen)


@pytest.fixture
def books(store: Store) -> Store:
    apply(store.home, ISSUER + WHOLE + TEN)
    return store


def held(ledger: MemoryLedger, hours: int = 10, month: str = "2026-01") -> MemoryLedger:
    ledger.hold("k8s:acme", "T4", f"{month}-05T00:00:00Z", f"{month}-05T{hours:02d}:00:00Z")
    return ledger


def checks(ledger: MemoryLedger, month: str = "2026-01", at: str = AFTER) -> dict[str, Check]:
    return {each.check: each for each in close(ledger, month, at).checks}


def test_a_month_without_trouble_says_what_was_checked(books: Store) -> None:
    found = close(held(MemoryLedger()), "2026-01", AFTER).checks
    assert {each.severity for each in found} == {"fine"}
    assert {"customer", "ledger", "dead letters", "unassigned", "e-mail"} <= {each.check for each in found}


def test_what_blocks_comes_first_and_says_what_to_do(books: Store) -> None:
    ledger = held(SeenLedger(unobserved_us=5 * CARD_HOUR_US))
    ledger.hold("k8s:acme", "H100", "2026-01-07T00:00:00Z", "2026-01-07T02:00:00Z", card="GPU-2")
    first, second, *_ = close(ledger, "2026-01", AFTER).checks
    assert (first.severity, first.check) == ("blocking", "customer")
    assert "acme: 2.00 card-hours of H100 have no price in USD" in first.what
    assert "[[price]]" in first.do
    assert (second.severity, second.what) == ("warning", "5.00 card-hours were not observed, and are billed to nobody")
    assert second.do.startswith("cardhour balance --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z")


def test_a_ledger_that_does_not_add_up_blocks_the_month(books: Store) -> None:
    found = checks(held(SeenLedger(breached_pages=3)))["ledger"]
    assert (found.severity, found.what) == (
        "blocking", "3 pages do not add up, so nothing of this month can be issued",
    )  # fmt: skip


def test_dead_letters_have_the_value_of_what_they_speak_of(books: Store) -> None:
    ledger = held(SeenLedger(dead_letters=4, unreadable=1, unread_us={"T4": 7 * CARD_HOUR_US, "H100": CARD_HOUR_US}))
    found = checks(ledger)["dead letters"]
    assert found.what == (
        "4 messages could not be read; they speak of up to 8.00 card-hours of this month; 70.00 USD at list price; "
        "some of it without a list price; 1 say nothing that can be valued"
    )
    assert "replay" in found.do


def test_unassigned_usage_has_its_value(books: Store) -> None:
    ledger = held(MemoryLedger())
    ledger.hold("k8s:lab", "T4", "2026-01-07T00:00:00Z", "2026-01-07T02:00:00Z", card="GPU-2")
    ledger.hold("k8s:lab2", "H100", "2026-01-07T00:00:00Z", "2026-01-07T01:00:00Z", card="GPU-3")
    assert checks(ledger)["unassigned"].what == (
        "3.00 card-hours have no customer (owners: 2); 20.00 USD at list price; some of it without a list price"
    )


def test_cards_that_two_nodes_claim_are_named_with_what_does_not_count(books: Store) -> None:
    found = checks(held(SeenLedger(conflict_cards=2, conflict_us=3 * CARD_HOUR_US)))["card conflicts"]
    assert "2 cards were claimed by nodes where they are not at home: 3.00 card-hours" in found.what
    assert "cardhour ledger conflicts --from 2026-01-01T00:00:00Z" in found.do


@pytest.mark.parametrize(
    ("hours", "said"),
    [(12, "acme: +20 %, 100.00 USD last month, 120.00 now"), (8, "acme: -20 %, 100.00 USD last month, 80.00 now")],
)
def test_a_bill_that_is_far_from_last_months_is_named(books: Store, hours: int, said: str) -> None:
    ledger = held(held(MemoryLedger()), hours, "2026-02")
    close(ledger, "2026-01", AFTER, issue=True)
    assert checks(ledger, "2026-02", "2026-03-10T00:00:00Z")["change"].what == said


def test_a_bill_that_is_near_last_months_is_fine(books: Store) -> None:
    ledger = held(held(MemoryLedger()), 11, "2026-02")
    close(ledger, "2026-01", AFTER, issue=True)
    assert checks(ledger, "2026-02", "2026-03-10T00:00:00Z")["change"].severity == "fine"


def test_customers_without_tax_data_or_address_are_named(store: Store) -> None:
    tax = '[[tax]]\ncategory = "standard"\nrate = "6"\nfrom = 2026-01-01T00:00:00Z\n'
    apply(store.home, ISSUER + ACME + TEN + tax)
    found = checks(held(MemoryLedger()))
    assert (found["tax data"].severity, found["tax data"].what) == ("warning", "without tax_id: acme")
    assert found["e-mail"].what == "cardhour send cannot reach, for want of email: acme"


def test_a_close_of_one_customer_checks_that_customer(books: Store) -> None:
    found = close(held(MemoryLedger()), "2026-01", AFTER, customer="acme").checks
    assert {each.check for each in found} == {"customer", "e-mail"}


def test_a_month_within_its_grace_hours_says_so(books: Store) -> None:
    found = checks(held(MemoryLedger()), at="2026-02-01T12:00:00Z")["month"]
    assert (found.severity, "may come in until 2026-02-03" in found.what) == ("warning", True)


def test_the_checklist_at_the_command_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(store.home, ISSUER + WHOLE + TEN)
    monkeypatch.setattr("cardhour_billing.usage.store.opened_warehouse", _Nothing)
    monkeypatch.setattr("cardhour_billing.usage.ledger.WarehouseLedger", lambda _warehouse: held(MemoryLedger()))
    desk = Desk(store, monkeypatch)
    rows = desk.rows("close", "2026-01", "--checklist")
    assert [row["check"] for row in rows if row["severity"] != "fine"] == []
    printed = desk.text("close", "2026-01")
    assert "Checked" in printed
    assert "✓ unassigned: all usage has its customer" in printed
    (invoice,) = desk.rows("close", "2026-01")
    assert (invoice["customer"], invoice["total"]) == ("acme", "100.00")


class _Nothing:
    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
