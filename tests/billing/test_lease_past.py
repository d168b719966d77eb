"""What documents billed of a lease before: counted once whatever raced, was voided, corrected or carried forward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pytest

from cardhour_billing.answers.explanation import Explainer
from cardhour_billing.config import BillingSettings
from cardhour_billing.frozen.credit_line import CreditLine
from cardhour_billing.invoices.crediting import draft_credit, issue_credit, void
from cardhour_billing.money import Money
from cardhour_billing.rating.rated import UsageSum
from cardhour_billing.usage.ledger import Frozen
from tests.billing.books import apply, clock_at, close, issued
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_lease_charges import BOOKS, LEASE, SETUP, TO_16, bill, figures

NOW = clock_at("2026-11-20T00:00:00Z")


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    apply(store.home, BOOKS)
    return MemoryLedger()


def test_two_months_that_are_issued_at_once_bill_a_period_once(store: Store, ledger: MemoryLedger) -> None:
    """While November is being issued, catching up October, another process issues October."""

    class Overtaken(MemoryLedger):
        def freeze(
            self, from_ms: int, to_ms: int, cuts_ms: Sequence[int], lines: Iterable[tuple[UsageSum, str, int]]
        ) -> Mapping[str, Frozen]:
            if not self.freezes:
                self.freezes += 1
                close(ledger, "2026-10", "2026-11-05T00:00:00Z", issue=True)
            return super().freeze(from_ms, to_ms, cuts_ms, lines)

    apply(store.home, LEASE)
    close(Overtaken(), "2026-11", "2026-12-05T00:00:00Z", issue=True)
    assert [(invoice.period, invoice.total) for invoice in issued()] == [
        ("2026-10", 13_340_000), ("2026-11", 13_340_000),
    ]  # fmt: skip


def test_a_line_is_explained_in_steps(store: Store, ledger: MemoryLedger) -> None:
    """The half of October that a later end added: what it is a part of, exactly and rounded, and what was billed."""
    apply(store.home, LEASE + TO_16)
    bill(ledger, "2026-10")
    apply(store.home, LEASE + "to = 2026-11-01T00:00:00+08:00\n")
    bill(ledger, "2026-11")
    explainer = Explainer(issued()[1], 1, ledger)
    assert explainer.charge
    steps = dict(explainer.inputs(explainer.charge))
    assert steps["cards"] == "8 × A100 (n8)"
    assert steps["price"] == "1 × 133400.00 CNY per server-month"
    assert steps["period"] == "2026-10-01 00:00 to 2026-11-01 00:00 Asia/Shanghai"
    assert (steps["part of the period"], steps["exactly"]) == ("1", "133400.00000000")
    assert (steps["comes to"], steps["billed before"], steps["amount"]) == ("133400.00", "64548.39", "68851.61")
    first = Explainer(issued()[0], 1, ledger)
    assert first.charge
    steps = dict(first.inputs(first.charge))
    assert (steps["part of the period"], steps["exactly"]) == ("15/31", "64548.38709677")


def test_small_months_that_are_carried_forward_are_billed_however_long_that_takes(
    store: Store, ledger: MemoryLedger
) -> None:
    """Five a month, and no invoice below 24: June's bills February to June."""
    small = SETUP.replace("acme-setup", "acme-ip").replace('per = "once"', 'per = "month"').replace('"800"', '"5"')
    apply(store.home, small.replace("2026-10-01", "2026-02-01"))
    settings = BillingSettings(minimum_invoice=24)
    for month in range(2, 7):
        close(ledger, f"2026-{month:02}", "2026-07-05T00:00:00Z", issue=True, settings=settings)
    (invoice,) = issued()
    assert (invoice.period, invoice.total) == ("2026-06", 2_500)
    assert [line.source for line in invoice.lines.all()] == [
        f"add-on:acme-ip:2026-{month:02}-01" for month in range(2, 7)
    ]


def test_a_month_that_was_voided_is_billed_again_and_a_gift_is_not(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, LEASE)
    bill(ledger, "2026-10")
    (october,) = issued()
    gift = draft_credit(
        october, [CreditLine(position=1, amount=Money(amount=100_000, currency="CNY"))], "goodwill", clock=NOW,
        who="tests",
    )  # fmt: skip
    issue_credit(gift, clock=NOW, who="tests")
    assert [line.source for line in bill(ledger, "2026-11", issue=False)] == ["lease:acme-1:2026-11-01"]
    void(october, clock=NOW, who="tests")
    assert [line.amount for line in bill(ledger, "2026-11")] == ["133400.00", "133400.00"]


def test_what_a_credit_note_corrected_is_not_given_back_twice(store: Store, ledger: MemoryLedger) -> None:
    """October was billed at 133 400, a credit note took 10 000 back, and then the price was corrected to match."""
    apply(store.home, LEASE)
    bill(ledger, "2026-10")
    note = draft_credit(
        issued()[0], [CreditLine(position=1, amount=Money(amount=1_000_000, currency="CNY"))], "correction",
        clock=NOW, who="tests",
    )  # fmt: skip
    issue_credit(note, clock=NOW, who="tests")
    apply(store.home, LEASE.replace("133400", "123400"))
    assert figures(bill(ledger, "2026-11")) == [("lease:acme-1:2026-11-01", "1", "server-month", "123400.00")]
