"""Whole invoices with leases and add-ons, against golden files: each was counted by hand first."""

from __future__ import annotations

import pytest

from cardhour_billing.answers.verification import verify
from cardhour_billing.models import Invoice
from tests.billing.books import apply, close, issued
from tests.billing.conftest import Store
from tests.billing.golden import assert_golden
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_lease_charges import LEASE, STORAGE
from tests.billing.test_price_kinds import NIGHTS, held, parties, price
from tests.billing.test_tax_invoices import CNY_ISSUER

BERLIN_POOL = """
[[lease]]
id = "burst"
customer = "acme"
model = "A100"
count = 1
per = "card-month"
amount = "1550"
from = 2026-10-25T00:00:00+02:00
"""
QINGHE = LEASE.replace('"acme"', '"qinghe"').replace("acme-1", "qinghe-1")
STOPPED = QINGHE + 'sla_credit = "100"\nto = 2026-10-16T00:00:00+08:00\n' + STORAGE.replace('"acme"', '"qinghe"')
POOL = QINGHE.replace('nodes = ["n8"]\ncount = 8', "count = 2").replace("server-month", "card-month")
INCLUSIVE = POOL.replace('"133400"', '"7800"') + "includes_tax = true\n"


def faulted() -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.fault("GPU-3", "A100", "2026-10-09T00:00:00+08:00", "2026-10-10T00:00:00+08:00", node="n8")
    return ledger


def three_cards() -> MemoryLedger:
    ledger = MemoryLedger()
    for card in ("GPU-0", "GPU-1", "GPU-2"):
        ledger.hold("k8s:qinghe", "A100", "2026-10-05T00:00:00+08:00", "2026-10-05T10:00:00+08:00", card=card)
    return ledger


CASES = {
    # 15/31 of 133 400; one of eight cards still for a day, 24 of 5 952 card-hours of 133 400; 12.5 × 400 × 30/31
    "lease_half": (CNY_ISSUER + STOPPED, faulted(), "68849.20"),
    # ten hours of the third card at 22.84, beside two cards at 7 800 with tax in it: 15 600 ÷ 1.06
    "pool_exceeded": (CNY_ISSUER + INCLUSIVE, three_cards(), "14945.38"),
    # Two cards over the night in which Berlin's clock goes back, a pool of one from Sunday on. Saturday: two hours of
    # weekend and two of night, twice: 10. Then one card is covered, the other 16 × 1.5 + 15 × 1 + 2 × 2 = 43. The
    # lease's seven days, of which one has 25 hours, are 7/31 of 1 550: 350
    "pool_bands_dst": (
        parties() + price("A100", NIGHTS) + BERLIN_POOL,
        held(("A100", 37), ("A100", 37), since="2026-10-24T20:00:00+02:00"),
        "403.00",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_golden_invoice(store: Store, case: str) -> None:
    text, ledger, net = CASES[case]
    apply(store.home, text)
    (closed,) = close(ledger, "2026-10", "2026-11-10T00:00:00Z", issue=True, files=True).invoices
    assert closed.document.net == net
    assert [each for each in verify(Invoice.objects.get(), ledger) if not each.agrees] == []
    assert_golden(closed.document, case)


def test_a_golden_correction(store: Store) -> None:
    """October was billed at 133 400 and should have been 123 400, as November is."""
    apply(store.home, CNY_ISSUER + QINGHE)
    ledger = MemoryLedger()
    close(ledger, "2026-10", "2026-11-10T00:00:00Z", issue=True, files=True)
    apply(store.home, QINGHE.replace("133400", "123400"))
    (closed,) = close(ledger, "2026-11", "2026-12-10T00:00:00Z", issue=True, files=True).invoices
    assert closed.document.net == "113400.00"
    for invoice in issued("qinghe"):
        assert [each for each in verify(invoice, ledger) if not each.agrees] == []
    assert_golden(closed.document, "lease_corrected")
