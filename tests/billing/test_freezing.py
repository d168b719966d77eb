"""Freezing what is billed: once a zone, exactly what was rated, and under a fresh name for each attempt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pytest

from cardhour_billing.closing import zone_close
from cardhour_billing.frozen.inputs import read_inputs
from cardhour_billing.invoices.issuing import InputsMoved
from cardhour_billing.models import Invoice, NumberSeries
from cardhour_billing.rating.rated import UsageSum
from cardhour_billing.usage.ledger import Frozen
from cardhour_contract.moment import CARD_HOUR_US
from tests.billing.books import ACME, ISSUER, PRICE, apply, close, issued
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger

MINIMAL = ISSUER + ACME + PRICE
AFTER = "2026-02-10T00:00:00Z"


class MovingLedger(MemoryLedger):
    """Usage that still arrives while a month is issued: ``late`` freezes find an hour more than was rated."""

    late = 0

    def freeze(
        self, from_ms: int, to_ms: int, cuts_ms: Sequence[int], lines: Iterable[tuple[UsageSum, str, int]]
    ) -> Mapping[str, Frozen]:
        if self.late:
            self.late -= 1
            end_ms = self.held[0][6]
            self.held[0] = (*self.held[0][:6], end_ms + 3_600_000)
        return super().freeze(from_ms, to_ms, cuts_ms, lines)


def test_what_is_billed_is_what_was_frozen_although_usage_moved(store: Store) -> None:
    apply(store.home, MINIMAL)
    ledger = MovingLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    ledger.late = 2
    (closed,) = close(ledger, "2026-01", AFTER, issue=True).invoices
    assert closed.document.lines[0].printed_quantity == "12.0000"
    inputs = read_inputs(bytes(issued()[0].inputs))
    assert sum(usage.billable_us for _, usage in ledger.quarters[inputs.quarters]) == 12 * CARD_HOUR_US
    assert NumberSeries.objects.get().last == 1


def test_usage_that_does_not_settle_is_not_issued(store: Store) -> None:
    apply(store.home, MINIMAL)
    ledger = MovingLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    ledger.late = 99
    with pytest.raises(InputsMoved):
        close(ledger, "2026-01", AFTER, issue=True)
    assert not issued()
    assert not NumberSeries.objects.exists()


def test_one_customer_that_does_not_settle_holds_no_other_back(store: Store) -> None:
    apply(store.home, MINIMAL + ACME.replace("acme", "beta"))
    ledger = MovingLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    ledger.hold("k8s:beta", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z", card="GPU-1")
    ledger.late = 99
    with pytest.raises(InputsMoved, match="usage of acme"):
        close(ledger, "2026-01", AFTER, issue=True)
    assert [invoice.number for invoice in issued("beta")] == ["EC-2026-0001"]


def test_the_ledger_is_frozen_once_a_zone_however_many_customers_there_are(store: Store) -> None:
    names = [f"c{number}" for number in range(12)]
    shanghai = 'name = "Acme Ltd"\ntimezone = "Asia/Shanghai"'
    tables = [ACME.replace("acme", name) for name in names]
    tables[3:6] = [table.replace('name = "Acme Ltd"', shanghai) for table in tables[3:6]]
    apply(store.home, ISSUER + PRICE + "".join(tables))
    ledger = MemoryLedger()
    for name in names:
        ledger.hold(f"k8s:{name}", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z", card=f"GPU-{name}")
    close(ledger, "2026-01", AFTER, issue=True)
    assert ledger.freezes == 2
    quarters = {read_inputs(bytes(each.inputs)).quarters for each in Invoice.objects.all()}
    assert len(quarters) == 12
    close(ledger, "2026-01", AFTER, issue=True)
    assert ledger.freezes == 2


def test_an_attempt_that_crashed_is_frozen_under_another_name(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first attempt froze lies there and is referred to by nothing; the second starts afresh."""
    apply(store.home, MINIMAL)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    with monkeypatch.context() as patched:
        patched.setattr(zone_close, "issue", _crash)
        with pytest.raises(KeyboardInterrupt):
            close(ledger, "2026-01", AFTER, issue=True)
    (orphan,) = ledger.quarters
    ledger.hold("k8s:acme", "T4", "2026-01-06T00:00:00Z", "2026-01-06T01:00:00Z")
    (closed,) = close(ledger, "2026-01", AFTER, issue=True).invoices
    assert closed.document.lines[0].printed_quantity == "11.0000"
    assert read_inputs(bytes(issued()[0].inputs)).quarters in ledger.quarters.keys() - {orphan}


def _crash(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
