"""Invoices with tax, whole: against golden files, and what keeps them from being issued."""

from __future__ import annotations

import pytest

from cardhour_billing.answers.verification import verify
from cardhour_billing.charges.finding import joined
from cardhour_billing.models import Invoice
from cardhour_billing.models import TaxRule as RecordedTax
from cardhour_billing.money import Money, total
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS, format_rfc3339, parse_rfc3339
from tests.billing.books import ACME, ISSUER, PRICE, apply, close, issued, on_sqlite
from tests.billing.conftest import Store
from tests.billing.golden import assert_golden
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_price_kinds import parties, price
from tests.billing.test_rendering import without_guards

__all__ = ["on_sqlite"]

AFTER = "2026-02-10T00:00:00Z"

CNY_ISSUER = """
[issuer]
name = "示例算力"
legal_name = "示例算力科技有限公司"
tax_id = "91330100XXXXXXXX0X"
currency = "CNY"
timezone = "Asia/Shanghai"
number_prefix = "EC"
[[customer]]
id = "qinghe"
name = "清禾智能"
tax_id = "91310100XXXXXXXX1X"
language = "zh-Hans"
[[binding]]
owner = "k8s:qinghe"
customer = "qinghe"
from = 2026-01-01T00:00:00+08:00
[[price]]
model = "A100"
per = "card-hour"
amount = "22.84"
from = 2026-01-01T00:00:00+08:00
[[price]]
model = "T4"
per = "card-hour"
amount = "1.616532"
from = 2026-01-01T00:00:00+08:00
[[tax]]
category = "standard"
rate = "6"
from = 2026-01-01T00:00:00+08:00
"""

EU_ISSUER = """
[issuer]
name = "Beispiel Rechenzentrum"
legal_name = "Beispiel Rechenzentrum GmbH"
tax_id = "DE123456789"
currency = "EUR"
timezone = "Europe/Berlin"
number_prefix = "BR"
[[price]]
model = "A100"
per = "card-hour"
amount = "2.49"
from = 2026-01-01T00:00:00+01:00
[[price]]
model = "SUPPORT"
per = "card-hour"
amount = "0.333333333"
from = 2026-01-01T00:00:00+01:00
[[tax]]
category = "standard"
rate = "19"
from = 2026-01-01T00:00:00+01:00
[[tax]]
category = "reduced"
rate = "7"
model = "SUPPORT"
from = 2026-01-01T00:00:00+01:00
"""

CUSTOMER = """
[[customer]]
id = "{id}"
name = "{name}"
tax_id = "{tax_id}"
[[binding]]
owner = "k8s:{id}"
customer = "{id}"
from = 2026-01-01T00:00:00+01:00
"""

REVERSE = """
[[tax]]
category = "reverse-charge"
customer = "lyon"
from = 2026-01-01T00:00:00+01:00
"""

EXEMPT = """
[[tax]]
category = "exempt"
customer = "esa"
note = "Exempt under Article 151(1)(b), Directive 2006/112/EC."
from = 2026-01-01T00:00:00+01:00
"""

INCLUSIVE = CNY_ISSUER.replace('amount = "22.84"', 'amount = "10"\nincludes_tax = true').replace(
    'amount = "1.616532"', 'amount = "10"\nincludes_tax = true'
)

NEW_RATE = (
    CNY_ISSUER
    + """to = 2026-01-16T00:00:00+08:00
[[tax]]
category = "standard"
rate = "9"
from = 2026-01-16T00:00:00+08:00
"""
)


def standard(rate: str) -> str:
    """One rate for everything."""
    return f'[[tax]]\ncategory = "standard"\nrate = "{rate}"\nfrom = 2026-01-01T00:00:00Z\n'


SINCE = "2026-01-15T14:00:00Z"


def held(*uses: tuple[str, str, int]) -> MemoryLedger:
    """Owner, model and hours, from 15 January 14:00 UTC on, which is 22:00 in Shanghai, each on a card of its own."""
    ledger = MemoryLedger()
    for at, (owner, model, hours) in enumerate(uses):
        end = format_rfc3339(parse_rfc3339(SINCE) + hours * HOUR_MS)
        ledger.hold(f"k8s:{owner}", model, SINCE, end, card=f"GPU-{at}")
    return ledger


CASES = {
    "cny_6": (CNY_ISSUER, held(("qinghe", "A100", 100), ("qinghe", "T4", 7)), ("2295.32", "137.72", "2433.04")),
    "cny_6_included": (INCLUSIVE, held(("qinghe", "A100", 2), ("qinghe", "T4", 1)), ("28.30", "1.70", "30.00")),
    "cny_rate_changes": (NEW_RATE, held(("qinghe", "A100", 5)), ("114.20", "8.91", "123.11")),
    "eu_two_rates": (
        EU_ISSUER + CUSTOMER.format(id="bonn", name="Bonn AG", tax_id="DE987654321"),
        held(("bonn", "A100", 10), ("bonn", "SUPPORT", 10)),
        ("28.23", "4.96", "33.19"),
    ),
    "eu_reverse_charge": (
        EU_ISSUER + CUSTOMER.format(id="lyon", name="Lyon SA", tax_id="FR12345678901") + REVERSE,
        held(("lyon", "A100", 10)),
        ("24.90", "0.00", "24.90"),
    ),
    # Three hours at 251.5 are 754.5, so 755 yen, and 10 % of them 75.5, so 76
    "yen_10": (
        parties("JPY", "Asia/Tokyo") + price("T4", 'amount = "251.5"') + standard("10"),
        held(("acme", "T4", 3)),
        ("755", "76", "831"),
    ),
    # 3 × 0.1235 with its tax are 0.371 dinars; without it 0.371 ÷ 1.05 = 0.35333
    "dinar_5_included": (
        parties("KWD", "Asia/Kuwait") + price("T4", 'amount = "0.1235"\nincludes_tax = true') + standard("5"),
        held(("acme", "T4", 3)),
        ("0.353", "0.018", "0.371"),
    ),
    "eu_exempt": (
        EU_ISSUER + CUSTOMER.format(id="esa", name="Space Agency", tax_id="") + EXEMPT,
        held(("esa", "A100", 10)),
        ("24.90", "0.00", "24.90"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_golden_invoice(store: Store, case: str) -> None:
    """Net, tax and total are worked out by hand; the rest of the document is compared with the file."""
    text, ledger, sums = CASES[case]
    apply(store.home, text)
    (closed,) = close(ledger, "2026-01", AFTER, issue=True, files=True).invoices
    document = closed.document
    tax = total((Money(amount=int(row.tax.replace(".", "")), currency=document.currency) for row in document.tax),
                document.currency)  # fmt: skip
    assert (document.net, str(tax), document.total) == sums
    invoice = Invoice.objects.get()
    assert (invoice.net + invoice.tax, invoice.tax) == (invoice.total, tax.amount)
    assert all(check.agrees for check in verify(invoice, ledger)), verify(invoice, ledger)
    assert_golden(document, case)


def test_a_tax_rule_changed_in_the_frozen_inputs_is_found(store: Store) -> None:
    apply(store.home, CNY_ISSUER)
    ledger = held(("qinghe", "A100", 100))
    close(ledger, "2026-01", AFTER, issue=True, files=True)
    invoice = Invoice.objects.get()
    inputs = bytes(invoice.inputs).replace(b'"rate_ppm":60000', b'"rate_ppm":70000')
    literal = f"'\\x{inputs.hex()}'" if store.vendor == "postgresql" else f"x'{inputs.hex()}'"
    without_guards(f"UPDATE billing_invoice SET inputs = {literal}", "billing_invoice")
    invoice.refresh_from_db()
    found = {check.what: check.findings for check in verify(invoice, ledger)}
    (named,) = found["frozen bindings, leases, prices, contracts and tax rules are those that were recorded"]
    assert named.endswith("rate_ppm is frozen as 70000, and was recorded as 60000")
    assert (
        "tax: 159.88 when rated again, 137.04 in the document"
        in (found["rated again, the frozen inputs give the same amounts"])
    )


# what is refused


def test_usage_that_no_rule_covers_is_not_issued_without_tax(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PRICE + '[[tax]]\ncategory = "standard"\nrate = "6"\nmodel = "A100"\n'
          "from = 2026-01-01T00:00:00Z\n")  # fmt: skip
    ledger = held(("acme", "T4", 1))
    (blocked,) = close(ledger, "2026-01", AFTER, issue=True, files=True).blocked
    assert joined(blocked.findings) == "no tax rule covers T4 for this customer (first on 2026-01-15)"
    apply(store.home, '[[tax]]\ncategory = "standard"\nrate = "6"\nfrom = 2026-01-01T00:00:00Z\n')
    close(ledger, "2026-01", AFTER, issue=True, files=True)
    assert [str(invoice) for invoice in issued()] == ["EC-2026-0001"]


def test_a_price_that_includes_a_tax_nobody_knows_is_not_issued(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PRICE + "includes_tax = true\n")
    (blocked,) = close(held(("acme", "T4", 1)), "2026-01", AFTER, issue=True).blocked
    assert "no tax rule covers T4" in str(blocked.findings[0])


def test_a_reverse_charge_needs_both_tax_ids(store: Store) -> None:
    text = EU_ISSUER.replace('tax_id = "DE123456789"\n', "") + REVERSE
    apply(store.home, text + CUSTOMER.format(id="lyon", name="Lyon SA", tax_id=""))
    (blocked,) = close(held(("lyon", "A100", 1)), "2026-01", AFTER, issue=True).blocked
    assert [str(finding).split(",")[0] for finding in blocked.findings] == [
        "a reverse charge needs the tax_id of the customer",
        "a reverse charge needs the tax_id of the issuer",
    ]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('category = "standard"', "standard has a rate above 0"),
        ('category = "exempt"\nrate = "6"\nnote = "x"', "exempt has no rate"),
        ('category = "exempt"', "say why nothing is charged"),
        ('category = "standard"\nrate = 6', "write the rate in quotes"),
        ('category = "luxury"\nrate = "6"', "luxury"),
        ('category = "standard"\nrate = "6"\ncustomer = "nobody"', "customer 'nobody' is not in this file nor known"),
    ],
)
def test_a_tax_table_that_cannot_be_is_refused_with_its_line(store: Store, table: str, sentence: str) -> None:
    text = ISSUER + ACME + PRICE
    with pytest.raises(Refuse) as refused:
        apply(store.home, f"{text}[[tax]]\n{table}\nfrom = 2026-01-01T00:00:00Z\n")
    (problem,) = refused.value.problems
    assert f"catalog.toml:{len(text.splitlines()) + 1}:" in problem
    assert sentence in problem


def test_two_rules_at_one_time_are_refused_and_a_correction_supersedes(store: Store) -> None:
    apply(store.home, CNY_ISSUER)
    another = '[[tax]]\ncategory = "standard"\nrate = "9"\nfrom = 2026-02-01T00:00:00+08:00\n'
    with pytest.raises(Refuse, match="two tax rules at one time"):
        apply(store.home, another)
    assert apply(store.home, CNY_ISSUER) == ()
    (change,) = apply(store.home, another.replace("2026-02", "2026-01"))
    assert (change.kind, change.action) == ("tax", "change")
    assert RecordedTax.objects.count() == 2
    assert RecordedTax.objects.get(superseded_by__isnull=True).rate_ppm == 90_000
