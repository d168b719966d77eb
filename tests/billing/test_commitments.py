"""Commitments: what is charged at a term's end where less was used than promised, or more."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cardhour_billing.answers.verification import verify
from cardhour_billing.catalog.file import read_catalog
from cardhour_billing.frozen.document import DocumentLine
from cardhour_billing.models import Invoice
from cardhour_billing.month import billing_period, parse_month
from cardhour_billing.rating.commitment import Term, TermDays, recompute, term_ending
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import DAY_MS, parse_rfc3339
from tests.billing.books import ACME, ISSUER, apply, close
from tests.billing.conftest import Store
from tests.billing.golden import assert_golden
from tests.billing.memory_ledger import MemoryLedger

CONTRACT = '[[contract]]\nid = "acme-1"\ncustomer = "acme"\nfrom = 2026-01-01T00:00:00Z\n'
PRICES = '[[price]]\nmodel = "*"\nper = "card-hour"\namount = "2"\nfrom = 2026-01-01T00:00:00Z\n'
BOOKS = ISSUER + ACME + PRICES + CONTRACT
AFTER = "2026-12-01T00:00:00Z"


def commitment(rest: str, term: str = "month") -> str:
    return f'[[commitment]]\nid = "base"\ncontract = "acme-1"\nterm = "{term}"\nfrom = 2026-01-01T00:00:00Z\n{rest}\n'


HOURS = commitment('card_hours = "100"\nmodels = ["T4"]\ntrue_up = "2"')


def used(hours: int, *, model: str = "T4", month: str = "2026-01") -> MemoryLedger:
    ledger = MemoryLedger()
    add(ledger, hours, model=model, month=month)
    return ledger


def add(ledger: MemoryLedger, hours: int, *, model: str = "T4", month: str = "2026-01", card: str = "") -> None:
    days, rest = divmod(hours, 24)
    end = f"{month}-{1 + days:02d}T{rest:02d}:00:00Z"
    ledger.hold("k8s:acme", model, f"{month}-01T00:00:00Z", end, card=card or f"GPU-{month}")


def charged(ledger: MemoryLedger, month: str = "2026-01", *, issue: bool = False) -> tuple[str, list[DocumentLine]]:
    """The total, and the lines of commitments."""
    (closed,) = close(ledger, month, AFTER, issue=issue, files=True).invoices
    return closed.document.total, [line for line in closed.document.lines if line.kind == "commitment"]


def test_what_was_not_used_is_one_line_at_the_true_up_price(store: Store) -> None:
    apply(store.home, BOOKS + HOURS.replace('"2"', '"1.5"'))
    ledger = used(40)
    total, (line,) = charged(ledger, issue=True)
    assert (line.printed_quantity, line.unit, line.unit_price, line.amount) == ("60.0000", "card-hour", "1.50", "90.00")
    assert total == "170.00"
    invoice = Invoice.objects.get()
    assert all(check.agrees for check in verify(invoice, ledger)), verify(invoice, ledger)


@pytest.mark.parametrize("case", ["commitment", "commitment_money", "commitment_overage"])
def test_a_golden_invoice(store: Store, case: str) -> None:
    """60 h × 2 missing beside 40 h × 2; 500 less 80; 120 h × 2 less 20 h × (2 − 1.20)."""
    text, hours, total = {
        "commitment": (HOURS, 40, "200.00"),
        "commitment_money": (commitment('amount = "500.00"'), 40, "500.00"),
        "commitment_overage": (HOURS.replace('true_up = "2"', 'true_up = "2"\noverage = "1.20"'), 120, "224.00"),
    }[case]
    apply(store.home, BOOKS + text)
    ledger = used(hours)
    (closed,) = close(ledger, "2026-01", AFTER, issue=True, files=True).invoices
    assert closed.document.total == total
    assert all(check.agrees for check in verify(Invoice.objects.get(), ledger))
    assert_golden(closed.document, case)


def test_late_usage_under_an_unmet_commitment_nets_to_nothing(store: Store) -> None:
    apply(store.home, BOOKS + HOURS)
    ledger = used(40)
    before, _ = charged(ledger)
    add(ledger, 20, card="GPU-late")
    after, (line,) = charged(ledger)
    assert (before, after) == ("200.00", "200.00")
    assert line.printed_quantity == "40.0000"


def test_other_models_and_other_months_do_not_count(store: Store) -> None:
    apply(store.home, BOOKS + HOURS)
    ledger = used(40)
    add(ledger, 70, model="A100", card="GPU-other")
    add(ledger, 70, month="2026-02")
    _, (line,) = charged(ledger)
    assert line.printed_quantity == "60.0000"


def test_a_commitment_that_is_met_charges_nothing(store: Store) -> None:
    apply(store.home, BOOKS + HOURS)
    assert charged(used(100)) == ("200.00", [])
    assert charged(used(101)) == ("202.00", [])


def test_without_any_usage_everything_promised_is_charged(store: Store) -> None:
    apply(store.home, BOOKS + HOURS)
    total, (line,) = charged(MemoryLedger(), issue=True)
    assert (total, line.printed_quantity) == ("200.00", "100.0000")


def test_a_term_that_begins_late_is_prorated_by_day(store: Store) -> None:
    apply(store.home, BOOKS + HOURS.replace("from = 2026-01-01", "from = 2026-01-17"))
    total, (line,) = charged(MemoryLedger())
    assert (line.first_day, line.last_day) == ("2026-01-17", "2026-01-31")
    assert total == "96.77"  # 15 / 31 of 100 h at 2


def test_what_the_provider_s_faults_took_is_not_owed(store: Store) -> None:
    apply(store.home, BOOKS + HOURS.replace('true_up = "2"', 'true_up = "2"\nless_faults = true'))
    ledger = used(40)
    start_ms = parse_rfc3339("2026-01-10T00:00:00Z")
    ledger.faulted.append(("GPU-2026-01", "n1", "T4", start_ms, start_ms + 31 * DAY_MS // 10))
    _, (line,) = charged(ledger)
    assert line.printed_quantity == "50.0000"  # a tenth of the month of the only card: 90 h were owed


def test_a_quarter_counts_its_months_as_they_were_issued(store: Store) -> None:
    apply(store.home, BOOKS + commitment('card_hours = "300"\ntrue_up = "2"\noverage = "1"', "quarter"))
    ledger = used(40)
    add(ledger, 50, month="2026-02")
    add(ledger, 60, month="2026-03")
    for month in ("2026-01", "2026-02"):
        assert charged(ledger, month, issue=True)[1] == []
    _, (line,) = charged(ledger, "2026-03", issue=True)
    assert (line.first_day, line.last_day, line.printed_quantity) == ("2026-01-01", "2026-03-31", "150.0000")


def test_a_contract_s_term_ends_with_it(store: Store) -> None:
    ended = CONTRACT + "to = 2026-02-15T00:00:00Z\n"
    apply(store.home, ISSUER + ACME + PRICES + ended + commitment('card_hours = "100"\ntrue_up = "2"', "contract"))
    ledger = used(40)
    assert charged(ledger, issue=True)[1] == []
    _, (line,) = charged(ledger, "2026-02")
    assert (line.last_day, line.printed_quantity) == ("2026-02-14", "60.0000")


@pytest.mark.parametrize(
    ("term", "since", "until", "month", "expected"),
    [
        ("month", "2025-11-05", None, "2026-02", TermDays(date(2026, 2, 1), date(2026, 2, 28), 28)),
        ("month", "2026-02-11", "2026-02-21", "2026-02", TermDays(date(2026, 2, 11), date(2026, 2, 20), 28)),
        ("month", "2026-03-01", None, "2026-02", None),
        ("quarter", "2026-01-01", None, "2026-02", None),
        ("quarter", "2026-02-01", None, "2026-03", TermDays(date(2026, 2, 1), date(2026, 3, 31), 90)),
        ("quarter", "2026-01-01", "2026-02-11", "2026-02", TermDays(date(2026, 1, 1), date(2026, 2, 10), 90)),
        ("quarter", "2026-01-01", "2026-02-11", "2026-03", None),
        ("contract", "2025-12-01", "2026-02-11", "2026-02", TermDays(date(2025, 12, 1), date(2026, 2, 10), 72)),
        ("contract", "2025-12-01", None, "2026-02", None),
    ],
)
def test_which_term_ends_with_a_month(
    term: Term, since: str, until: str | None, month: str, expected: TermDays | None
) -> None:
    ends = parse_rfc3339(f"{until}T00:00:00+08:00") if until else None
    period = billing_period(parse_month(month), "Asia/Shanghai")
    assert term_ending(term, parse_rfc3339(f"{since}T00:00:00+08:00"), ends, period) == expected


def test_frozen_inputs_decide_alone() -> None:
    inputs = {
        "currency": "CNY", "committed_us": None, "committed": 100_000, "days": 10, "of_days": 30, "faulted_us": 1,
        "watched_us": 4, "true_up_nano": None, "overage_nano": None, "used": [{"quantity_us": 7, "amount": 5_000}],
    }  # fmt: skip
    assert str(recompute(inputs)) == "200.00"  # 100 000 × 10/30 × 3/4 is 25 000, less 5 000


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        ("", "commit either card_hours or an amount"),
        ('card_hours = "10"\namount = "10.00"', "commit either card_hours or an amount"),
        ('card_hours = "10"', "true_up: give the price"),
        ('amount = "10.00"\ntrue_up = "1"', "only card_hours have true_up"),
        ('amount = "10.001"', "10.001"),
        ('card_hours = "none"\ntrue_up = "1"', "not a number of card-hours"),
    ],
)
def test_a_commitment_that_cannot_be_is_refused_with_its_line(tmp_path: Path, rest: str, sentence: str) -> None:
    file = tmp_path / "catalog.toml"
    file.write_text(BOOKS + commitment(rest), encoding="utf-8")
    line = len(BOOKS.splitlines()) + 1
    assert [each for each in read_catalog(file).problems if sentence in each and f"catalog.toml:{line}:" in each]


def test_what_was_billed_by_can_only_end(store: Store) -> None:
    changes = apply(store.home, BOOKS + HOURS)
    assert changes[-2].detail == "100 card-hours of T4, true-up 2.00 USD a month, from 2026-01-01T00:00:00Z"
    close(used(40), "2026-01", AFTER, issue=True, files=True)
    with pytest.raises(Refuse, match="commitment 'base' was already billed by, last in invoice EC-2026-0001"):
        apply(store.home, HOURS.replace('"100"', '"50"'))
    apply(store.home, HOURS + "to = 2026-03-01T00:00:00Z\n")
    with pytest.raises(Refuse, match="needs an end"):
        apply(store.home, commitment('amount = "5.00"', "contract").replace('"base"', '"other"'))
