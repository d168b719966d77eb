"""A close that was interrupted goes on where it was."""

from __future__ import annotations

import pytest

from cardhour_billing.closing import zone_close
from cardhour_billing.invoices import issuing
from cardhour_billing.invoices.issuing import FrozenQuarters, Issuable
from cardhour_billing.models import Customer, Invoice, NumberSeries
from cardhour_contract.clock import Clock
from tests.billing.books import ACME, ISSUER, PRICE, apply, close
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger

AFTER = "2026-02-10T00:00:00Z"


def test_a_close_that_was_cut_off_issues_the_rest_and_nothing_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(store.home, ISSUER + PRICE + "".join(ACME.replace("acme", f"c{number}") for number in range(4)))
    ledger = MemoryLedger()
    for number in range(4):
        ledger.hold(f"k8s:c{number}", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z", card=f"GPU-{number}")
    issue, done = issuing.issue, list[str]()

    def cut_off(customer: Customer, rated: Issuable, frozen: FrozenQuarters, *, clock: Clock, who: str) -> Invoice:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(customer.key)
        return issue(customer, rated, frozen, clock=clock, who=who)

    with monkeypatch.context() as patched:
        patched.setattr(zone_close, "ISSUED_AT_ONCE", 2)
        patched.setattr(zone_close, "issue", cut_off)
        with pytest.raises(KeyboardInterrupt):
            close(ledger, "2026-01", AFTER, issue=True)
    first = set(Invoice.objects.filter(state="issued").values_list("number", flat=True))
    assert len(first) == 2
    report = close(ledger, "2026-01", AFTER, issue=True)
    assert sum(each.newly_issued for each in report.invoices) == 2
    numbers = set(Invoice.objects.filter(state="issued").values_list("number", flat=True))
    assert (len(numbers), first < numbers, NumberSeries.objects.get().last) == (4, True, 4)
