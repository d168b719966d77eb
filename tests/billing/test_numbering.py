"""Numbers without gaps, and no invoice twice, while several processes issue at once and some of them fail."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date

import pytest

from cardhour_billing.invoices.numbering import take_number
from cardhour_billing.models import Customer, Invoice, Issuer, NumberSeries
from cardhour_contract.errors import InvariantBroken
from tests.billing.books import ACME, ISSUER, PRICE, apply
from tests.billing.conftest import Store

PROCESSES = 3
ATTEMPTS = 25
DEADLINE_S = 300


def together(store: Store, *commands: list[str]) -> list[str]:
    """Start one Python process a command on the same store, let them go at once, and give what each printed."""
    environ = {**os.environ, "CARDHOUR_HOME": str(store.home), "CARDHOUR_STORE_URL": store.url}
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", *command],
            env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for command in commands
    ]  # fmt: skip
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = [process.communicate(timeout=DEADLINE_S) for process in running]
    for process, (_, errors) in zip(running, printed, strict=True):
        assert process.returncode == 0, errors
    return [output for output, _ in printed]


@pytest.mark.parametrize("kind", ["invoice", "credit-note"])
def test_numbers_have_no_gap_though_processes_race_and_roll_back(store: Store, kind: str) -> None:
    apply(store.home, ISSUER + ACME + PRICE)
    names = [f"{chr(ord('a') + at)}" for at in range(PROCESSES)]
    together(store, *(["tests.billing.issuer_process", name, str(ATTEMPTS), kind] for name in names))
    sequences = list(Invoice.objects.order_by("sequence").values_list("sequence", flat=True))
    assert sequences == list(range(1, len(sequences) + 1))
    assert 0 < len(sequences) < PROCESSES * ATTEMPTS  # some were issued, some were rolled back
    assert NumberSeries.objects.get(kind=kind).last == len(sequences)
    assert {invoice.period[0] for invoice in Invoice.objects.all()} == set(names)  # they did run side by side


def test_two_processes_that_close_the_same_month_issue_nothing_twice(store: Store) -> None:
    apply(store.home, ISSUER + PRICE + "".join(ACME.replace("acme", f"c{number}") for number in range(20)))
    first, second = together(store, ["tests.billing.closer_process"], ["tests.billing.closer_process"])
    assert first.split() == second.split()
    assert list(Invoice.objects.order_by("sequence").values_list("sequence", flat=True)) == list(range(1, 21))
    assert Customer.objects.filter(invoices__state="issued").distinct().count() == 20


def test_a_number_cannot_be_taken_outside_a_transaction(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PRICE)
    with pytest.raises(InvariantBroken):
        take_number(Issuer.objects.get(), "invoice", date(2026, 2, 10))
