"""Contracts and prices of every kind in a catalog: what is refused, with its line, and what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from cardhour_billing.catalog.file import read_catalog
from cardhour_billing.models import Contract
from cardhour_contract.errors import Refuse
from tests.billing.books import ACME, ISSUER, apply, close
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger

FROM = "from = 2026-01-01T00:00:00Z\n"
PARTIES = ISSUER + ACME
T4 = f'[[price]]\nmodel = "T4"\nper = "card-hour"\n{FROM}'
CONTRACT = f'[[contract]]\nid = "acme-1"\ncustomer = "acme"\ndiscount = "10"\n{FROM}'


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        ("", "give the price of a card-hour"),
        ('scheme = "volume"', "a scheme needs tiers"),
        ('tiers = [{ amount = "1" }]', "they need a scheme"),
        ('amount = "1"\nscheme = "volume"\ntiers = [{ amount = "1" }]', "has its amounts in them"),
        ('scheme = "graduated"\ntiers = [{ to = "10", amount = "1" }]', "each but the last has a to"),
        ('scheme = "graduated"\ntiers = [{ amount = "1" }, { amount = "2" }]', "each but the last has a to"),
        (
            'scheme = "volume"\ntiers = [{ to = "9", amount = "2" }, { to = "9", amount = "1" }, { amount = "1" }]',
            "not above the tier before it",
        ),
        ('scheme = "graduated"\ntiers = [{ to = "-1", amount = "2" }, { amount = "1" }]', "not a number of card-hours"),
        ('amount = "1"\nbands = [{ name = "n", from = "22:07", to = "08:00", amount = "1" }]', "on a quarter hour"),
        ('amount = "1"\nbands = [{ name = "n", from = "22:00", to = "25:00", amount = "1" }]', "on a quarter hour"),
        (
            'amount = "1"\nbands = [{ name = "a", from = "22:00", to = "08:00", amount = "1" },'
            ' { name = "b", from = "07:00", to = "09:00", amount = "1" }]',
            "'a' and 'b' share hours",
        ),
        ('amount = "1"\nbook = "gold"\ncontract = "acme-1"', "give one of the two"),
        ('amount = "1"\nmodels = ["A", "A"]', "one is named twice"),
        ('amount = "1"\nbook = "@x"', "is not an id"),
    ],
)
def test_a_price_that_cannot_be_is_refused_with_its_line(tmp_path: Path, rest: str, sentence: str) -> None:
    file = tmp_path / "catalog.toml"
    file.write_text(PARTIES + CONTRACT + f"{T4}{rest}\n", encoding="utf-8")
    line = len((PARTIES + CONTRACT).splitlines()) + 1
    assert [each for each in read_catalog(file).problems if sentence in each and f"catalog.toml:{line}:" in each]


def test_a_price_under_an_unknown_contract_is_refused(store: Store) -> None:
    with pytest.raises(Refuse, match="contract 'nothing' is not in this file nor known"):
        apply(store.home, PARTIES + f'{T4}amount = "1"\ncontract = "nothing"\n')


def test_a_group_and_a_member_of_it_overlap(store: Store) -> None:
    text = PARTIES + T4.replace('"T4"', '"small"\nmodels = ["L4", "T4"]') + 'amount = "1"\n' + T4 + 'amount = "2"\n'
    with pytest.raises(Refuse, match="model 'T4' has two prices at one time"):
        apply(store.home, text)


def test_the_preview_says_prices_and_contracts_in_words(store: Store) -> None:
    changes = apply(
        store.home,
        PARTIES
        + CONTRACT
        + f'{T4}scheme = "graduated"\ntiers = [{{ to = "1000", amount = "2" }}, {{ amount = "1.5" }}]\n'
        + f'{T4}amount = "1.2"\ncontract = "acme-1"\n'
        + 'bands = [{ name = "night", from = "22:00", to = "08:00", days = "weekdays", amount = "1" }]\n',
    )
    said = {(each.kind, each.subject): each.detail for each in changes}
    assert said["contract", "acme-1 of acme"] == "book list less 10%, from 2026-01-01T00:00:00Z"
    assert said["price", "T4"] == (
        "graduated 0–1000 h 2.00, over 1000 h 1.50 USD per card-hour, from 2026-01-01T00:00:00Z"
    )
    assert said["price", "T4 under contract acme-1"] == (
        "1.20 USD per card-hour; night (22:00–08:00 weekdays) 1.00 USD, from 2026-01-01T00:00:00Z"
    )


def test_a_customer_has_one_contract_at_a_time(store: Store) -> None:
    with pytest.raises(Refuse, match="two contracts at one time, 'acme-1' and 'acme-2'"):
        apply(store.home, PARTIES + CONTRACT + CONTRACT.replace("acme-1", "acme-2").replace("-01-01", "-02-01"))


def test_a_contract_that_was_billed_by_can_only_end(store: Store) -> None:
    apply(store.home, PARTIES + CONTRACT + T4 + 'amount = "1"\n')
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z")
    close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=True)
    with pytest.raises(Refuse, match="already billed by, last in invoice EC-2026-0001"):
        apply(store.home, CONTRACT.replace('"10"', '"20"'))
    with pytest.raises(Refuse, match="cannot end before 2026-02-01T00:00:00Z"):
        apply(store.home, CONTRACT + "to = 2026-01-15T00:00:00Z\n")
    apply(store.home, CONTRACT + "to = 2026-02-01T00:00:00Z\n")
    assert Contract.objects.count() == 2


def test_a_contract_that_starts_within_a_month_gives_two_lines(store: Store) -> None:
    apply(store.home, PARTIES + CONTRACT.replace("-01-01", "-01-06") + T4 + 'amount = "1"\n')
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-07T00:00:00Z")
    (closed,) = close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=True).invoices
    assert [(line.first_day, line.amount) for line in closed.document.lines] == [
        ("2026-01-05", "24.00"),
        ("2026-01-06", "21.60"),
    ]
