"""What every customer would have paid under another catalog, beside what it pays now, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.apps import apps

from cardhour_billing.catalog.file import read_catalog
from cardhour_billing.charges.finding import joined
from cardhour_billing.effects.simulation import Simulated, difference, simulate
from cardhour_billing.month import parse_month
from cardhour_contract.errors import Refuse
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, close
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger

AFTER = "2026-02-10T00:00:00Z"
BETA = ACME.replace("acme", "beta").replace("Acme", "Beta")
FROM = "from = 2026-01-01T00:00:00Z\n"
LEASE = (
    f'[[lease]]\nid = "pool"\ncustomer = "beta"\nmodel = "A100"\ncount = 1\nper = "card-month"\namount = "900"\n{FROM}'
)


def usage() -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z")
    ledger.hold("k8s:beta", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z", card="GPU-1")
    return ledger


def everything() -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    return {model.__name__: sorted(model._default_manager.values_list(), key=repr) for model in apps.get_models()}


def simulated(home: Path, text: str) -> dict[str, Simulated]:
    path = home / "new.toml"
    path.write_text(text, encoding="utf-8")
    clock = clock_at(AFTER)
    found = simulate(read_catalog(path), parse_month("2026-01"), ledger=usage(), clock=clock)
    return {each.customer: each for each in found.customers}


@pytest.mark.parametrize("issue", [False, True], ids=["drafts", "issued"])
def test_a_price_is_changed_for_everybody_and_nothing_is_written(store: Store, issue: bool) -> None:
    apply(store.home, ISSUER + ACME + BETA + PRICE + LEASE)
    billed = {each.customer: each.document.total for each in close(usage(), "2026-01", AFTER, issue=issue).invoices}
    before = everything()
    found = simulated(store.home, PRICE.replace("1.616532", "2"))
    assert everything() == before
    assert {key: str(each.now.total) for key, each in found.items() if each.now} == billed
    assert {key: str(each.then.total) for key, each in found.items() if each.then} == {
        "acme": "48.00", "beta": "920.00",
    }  # fmt: skip
    assert {key: str(difference(each)) for key, each in found.items()} == {"acme": "9.20", "beta": "3.83"}


def test_contracts_tiers_and_new_customers_can_be_tried(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PRICE)
    contract = f'[[contract]]\nid = "acme-1"\ncustomer = "acme"\ndiscount = "50"\n{FROM}'
    promise = '[[commitment]]\nid = "base"\ncontract = "acme-1"\nterm = "month"\namount = "30.00"\n' + FROM
    found = simulated(store.home, BETA + contract + promise)
    assert found["acme"].then
    assert str(found["acme"].then.total) == "30.00"
    assert found["beta"].now is None
    assert str(difference(found["beta"])) == "16.17"
    assert str(difference(found["acme"])) == "-8.80"


def test_usage_that_would_have_no_price_is_named(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PRICE)
    found = simulated(store.home, PRICE + "to = 2026-01-02T00:00:00Z\n")
    assert found["acme"].then
    assert joined(found["acme"].then.findings) == "24.00 card-hours of T4 have no price in USD"
    assert str(difference(found["acme"])) == "-38.80"


def test_a_catalog_that_could_not_be_applied_is_refused(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PRICE)
    with pytest.raises(Refuse, match="two prices at one time"):
        simulated(store.home, PRICE.replace("2026-01-01", "2026-01-03"))
