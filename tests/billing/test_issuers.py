"""Several legal entities that bill in one installation: each has its own customers, currency, bank and numbers."""

from __future__ import annotations

import pytest

from cardhour_billing.answers.verification import verify
from cardhour_billing.frozen.document import decode
from cardhour_billing.models import Customer, Issuer
from cardhour_contract.errors import Refuse
from tests.billing.books import apply, close, issued, on_sqlite
from tests.billing.conftest import Store
from tests.billing.golden import assert_golden
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_price_kinds import price
from tests.billing.test_tax_invoices import CNY_ISSUER, CUSTOMER, EU_ISSUER, standard

__all__ = ["on_sqlite"]

BERLIN = EU_ISSUER.split("[[price]]")[0].replace(
    "[issuer]\n",
    '[[issuer]]\nid = "berlin"\ncountry = "DE"\nbank = { account_name = "", bank = "Musterbank", account = "DE02" }\n',
)
BONN = CUSTOMER.format(id="bonn", name="Bonn AG", tax_id="DE987654321").replace(
    "name =", 'issuer = "berlin"\ncountry = "DE"\nname ='
)
IN_EUROS = price("A100", 'amount = "2.495"\ncurrency = "EUR"') + standard("19") + 'customer = "bonn"\n'
TWO = CNY_ISSUER.replace("[issuer]", "[[issuer]]") + BERLIN + BONN + IN_EUROS


def both() -> MemoryLedger:
    """Three hours of each customer."""
    ledger = MemoryLedger()
    for at, owner in enumerate(("qinghe", "bonn")):
        ledger.hold(f"k8s:{owner}", "A100", "2026-01-01T00:00:00Z", "2026-01-01T03:00:00Z", card=f"GPU-{at}")
    return ledger


def test_each_issuer_bills_its_customers_under_its_own_name_and_numbers(store: Store) -> None:
    """Three hours each: 3 × 22.84 = 68.52 and 4.11 of tax; 3 × 2.495 = 7.485, so 7.49, and 1.42 of tax."""
    apply(store.home, TWO)
    ledger = both()
    report = close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=True, files=True)
    assert {each.customer: (each.document.number, each.document.total) for each in report.invoices} == {
        "qinghe": ("EC-2026-0001", "72.63"),
        "bonn": ("BR-2026-0001", "8.91"),
    }
    (invoice,) = issued("bonn")
    assert [check.findings for check in verify(invoice, ledger) if not check.agrees] == []
    assert_golden(decode(bytes(invoice.frozen)), "second_issuer")


def test_applying_several_issuers_twice_changes_nothing_and_one_alone_may_be_named(store: Store) -> None:
    apply(store.home, TWO)
    assert apply(store.home, TWO) == ()
    (change,) = apply(store.home, BERLIN.replace("Musterbank", "Andere Bank"))
    assert (change.subject, change.detail) == ("berlin", "bank 'Musterbank' → 'Andere Bank'")
    assert list(Issuer.objects.order_by("pk").values_list("key", flat=True)) == ["default", "berlin"]
    assert dict(Customer.objects.values_list("key", "issuer__key")) == {"qinghe": "default", "bonn": "berlin"}


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ('number_prefix = "BR"', 'number_prefix = "EC"', "'EC' is that of issuer 'default'"),
        ('issuer = "berlin"', 'issuer = "paris"', "issuer 'paris' is not in this file nor known"),
        ('id = "berlin"\n', "", "issuer 'default' is in this file twice"),
    ],
)
def test_what_is_wrong_with_several_issuers_is_said_with_its_line(
    store: Store, before: str, after: str, sentence: str
) -> None:
    with pytest.raises(Refuse) as refused:
        apply(store.home, TWO.replace(before, after))
    assert any(sentence in problem and "catalog.toml:" in problem for problem in refused.value.problems)


def test_a_customer_that_was_billed_stays_with_its_issuer(store: Store) -> None:
    apply(store.home, TWO)
    close(both(), "2026-01", "2026-02-10T00:00:00Z", issue=True)
    with pytest.raises(Refuse, match="the issuer of 'bonn' cannot change from berlin to default after months were"):
        apply(store.home, TWO.replace('issuer = "berlin"\n', 'currency = "EUR"\ntimezone = "Europe/Berlin"\n'))
