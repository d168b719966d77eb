"""Usage under leases: what is covered costs nothing, and is frozen, verified and explained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest

from cardhour_billing.answers.explanation import Explainer
from cardhour_billing.answers.verification import verify
from cardhour_billing.closing.close import CloseReport
from cardhour_billing.frozen.inputs import read_inputs
from cardhour_billing.rating.rated import UsageSum
from cardhour_billing.usage.ledger import Frozen, Ledger, WarehouseLedger
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import CARD_HOUR_US
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from tests.billing.books import ACME, ISSUER, PRICE, apply, close, issued, on_sqlite
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_commands import HEADER

__all__ = ["on_sqlite"]

BETA = ACME.replace("acme", "beta").replace("Acme", "Beta")
NAMED = """
[[lease]]
id = "acme-1"
customer = "acme"
model = "T4"
cards = ["GPU-0"]
per = "card-month"
amount = "500"
from = 2026-01-01T00:00:00Z
"""
POOL = NAMED.replace("acme-1", "pool").replace('cards = ["GPU-0"]', "count = 2")


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    apply(store.home, ISSUER + ACME + BETA + PRICE)
    return MemoryLedger()


def bill(ledger: Ledger, *, issue: bool = True) -> CloseReport:
    return close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=issue, files=True)


def findings(ledger: Ledger) -> list[str]:
    (invoice,) = issued()
    return [finding for check in verify(invoice, ledger) for finding in check.findings]


def test_the_lessee_pays_the_lease_and_no_usage_on_its_card(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, NAMED)
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T01:00:00Z", card="GPU-1")
    ledger.hold("unknown:gone", "T4", "2026-01-06T00:00:00Z", "2026-01-06T01:00:00Z")
    report = bill(ledger)
    (closed,) = report.invoices
    assert [(line.kind, line.quantity_us // CARD_HOUR_US, line.amount) for line in closed.document.lines] == [
        ("usage", 1, "1.62"), ("lease", 0, "500.00"),
    ]  # fmt: skip
    assert report.unassigned == ()
    assert findings(ledger) == []


def test_a_pool_that_is_exceeded_leaves_the_rest_at_the_price(store: Store, ledger: MemoryLedger) -> None:
    """Golden: ten hours on three cards under a pool of two: ten card-hours at 1.616532, beside two card-months."""
    apply(store.home, POOL)
    for number in range(3):
        ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z", card=f"GPU-{number}")
    (closed,) = bill(ledger).invoices
    usage, lease = closed.document.lines
    assert (usage.printed_quantity, usage.amount, [card.card for card in usage.cards]) == (
        "10.0000",
        "16.17",
        ["GPU-2"],
    )
    assert (lease.printed_quantity, lease.unit, lease.amount) == ("2", "card-month", "1000.00")
    assert closed.document.total == "1016.17"
    assert findings(ledger) == []


def test_a_quarter_of_which_a_pool_covers_a_part_is_billed_by_the_rest(store: Store, ledger: MemoryLedger) -> None:
    """Three cards for five minutes fill a pool of two card-quarters' half; a fourth for fifteen exceeds it by none."""
    apply(store.home, POOL.replace("count = 2", "count = 1"))
    for number in range(4):
        ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T00:05:00Z", card=f"GPU-{number}")
    (closed,) = bill(ledger).invoices
    (usage, _) = closed.document.lines
    assert (usage.quantity_us, [card.card for card in usage.cards]) == (CARD_HOUR_US // 12, ["GPU-3"])
    ledger.hold("k8s:acme", "T4", "2026-01-05T01:00:00Z", "2026-01-05T01:10:00Z", card="GPU-0")
    assert findings(ledger) == []


def test_usage_that_leases_cover_needs_no_price(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, NAMED.replace('"T4"', '"H100"'))
    ledger.hold("k8s:acme", "H100", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    (closed,) = bill(ledger).invoices
    assert [line.kind for line in closed.document.lines] == ["lease"]
    assert findings(ledger) == []


def test_anothers_usage_on_a_leased_card_blocks_both_and_nobody_else(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, NAMED + ACME.replace("acme", "gamma").replace("Acme", "Gamma"))
    for owner, card in (("k8s:beta", "GPU-0"), ("k8s:beta", "GPU-1"), ("k8s:gamma", "GPU-2")):
        ledger.hold(owner, "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z", card=card)
    report = bill(ledger)
    assert [each.customer for each in report.blocked] == ["acme", "beta"]
    for each in report.blocked:
        assert str(each.findings[0]).startswith(
            "k8s:beta of beta used 10.00 card-hours of GPU-0 on n1, which lease acme-1 gives to acme (first on "
            "2026-01-05)"
        )
    drafts = {each.customer: each.document for each in report.invoices}
    assert drafts["beta"].lines[0].quantity_us == 10 * CARD_HOUR_US  # GPU-1 alone
    assert drafts["gamma"].state == "issued"


def test_covered_quarters_are_frozen_and_one_that_is_gone_is_missed(store: Store, ledger: MemoryLedger) -> None:
    """Without its quarter on the first card, the pool would have covered one of the second."""
    apply(store.home, POOL.replace("count = 2", "count = 1"))
    for number in range(2):
        ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T01:00:00Z", card=f"GPU-{number}")
    bill(ledger)
    assert findings(ledger) == []
    (kept,) = ledger.quarters.values()
    assert {(line, row.card) for line, row in kept} == {(0, "GPU-0"), (1, "GPU-1")}
    kept.remove(next(each for each in kept if each[0] == 0))
    found = findings(ledger)
    assert any("line 1, card GPU-1 on n1: 0.750000000 card-hours are frozen" in each for each in found)


def test_a_frozen_lease_that_was_changed_is_named(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, POOL)
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T01:00:00Z")
    bill(ledger)
    (invoice,) = issued()
    inputs = read_inputs(bytes(invoice.inputs))
    (lease,) = inputs.leases
    invoice.inputs = bytes(invoice.inputs).replace(b'"count":2', b'"count":3')
    found = [finding for check in verify(invoice, ledger) for finding in check.findings]
    assert f"lease {lease.id}: count is frozen as 3, and was recorded as 2" in found
    assert any("1500.00 when computed again, 1000.00 when billed" in each for each in found)


def test_why_a_quarter_cost_nothing(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, POOL + NAMED.replace("GPU-0", "GPU-9"))
    for number in range(3):
        ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T01:00:00Z", card=f"GPU-{number}")
    ledger.hold("k8s:acme", "T4", "2026-01-06T00:00:00Z", "2026-01-06T00:15:00Z", card="GPU-9")
    bill(ledger)
    (invoice,) = issued()
    covered = Explainer(invoice, 0, ledger)
    assert covered.charge is None
    by_card = covered.cards()
    assert (by_card.quantity_us, str(by_card.amount)) == (2 * CARD_HOUR_US + CARD_HOUR_US // 4, "0.00")
    assert [part.name["card"] for part in by_card.parts] == ["GPU-0", "GPU-1", "GPU-9"]
    quarters = covered.quarters(date(2026, 1, 5), "GPU-1")
    assert {part.name["covered_by"] for part in quarters.parts} == {"pool"}
    (quarter,) = covered.quarters(date(2026, 1, 6), "GPU-9").parts
    assert (quarter.name["covered_by"], quarter.quantity_us) == ("acme-1", CARD_HOUR_US // 4)
    with pytest.raises(Refuse, match="nothing of card GPU-1: lease pool covers its usage"):
        Explainer(invoice, 1, ledger).quarters(date(2026, 1, 5), "GPU-1")
    assert len(Explainer(invoice, 1, ledger).quarters(date(2026, 1, 5), "GPU-2").parts) == 4


def test_no_lease_nothing_to_explain(store: Store, ledger: MemoryLedger) -> None:
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T01:00:00Z")
    bill(ledger)
    with pytest.raises(Refuse, match="no lease covers usage"):
        Explainer(issued()[0], 0, ledger)


def test_out_of_the_engine_the_same_comes_out(store: Store, warehouse: Warehouse, tmp_path: Path) -> None:
    """Pool exceeded, on the real ledger: the quarters are asked for, frozen, read back and rated again.

    In the last quarter three cards are held for five minutes each: together less than the pool has.
    """
    apply(store.home, ISSUER + ACME + PRICE + POOL + NAMED.replace("GPU-0", "GPU-9"))
    rows = [
        f"k8s:acme,job,n1,GPU-{number},T4,,2026-01-05T00:00:00Z,2026-01-05T10:05:00Z,,,\n" for number in (0, 1, 2, 9)
    ]
    (tmp_path / "usage.csv").write_text(HEADER + "".join(rows))
    import_csv(warehouse, tmp_path / "usage.csv")
    ledger = WarehouseLedger(warehouse)
    (closed,) = bill(ledger).invoices
    assert [(line.kind, line.quantity_us, line.amount) for line in closed.document.lines] == [
        ("usage", 10 * CARD_HOUR_US, "16.17"),
        ("lease", 0, "1000.00"),
        ("lease", 0, "500.00"),
    ]
    assert findings(ledger) == []
    (invoice,) = issued()
    parts = Explainer(invoice, 0, ledger).cards().parts
    minutes = {str(part.name["card"]): part.quantity_us // (CARD_HOUR_US // 60) for part in parts}
    assert minutes == {"GPU-0": 605, "GPU-1": 605, "GPU-2": 5, "GPU-9": 605}


def test_a_lease_that_was_changed_while_the_month_was_issued_is_rated_again(store: Store, ledger: MemoryLedger) -> None:
    """Nothing is issued under a lease that was superseded meanwhile."""

    class Meddling(MemoryLedger):
        def freeze(
            self, from_ms: int, to_ms: int, cuts_ms: Sequence[int], lines: Iterable[tuple[UsageSum, str, int]]
        ) -> Mapping[str, Frozen]:
            if not self.freezes:
                apply(store.home, NAMED.replace('"500"', '"600"'))
            return super().freeze(from_ms, to_ms, cuts_ms, lines)

    apply(store.home, NAMED)
    meddling = Meddling()
    meddling.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    (closed,) = bill(meddling).invoices
    assert (closed.document.total, meddling.freezes) == ("600.00", 2)
