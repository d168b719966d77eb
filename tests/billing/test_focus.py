"""The FOCUS export: every row keeps the specification's rules, and the rows of a document sum to its total."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import pytest
from msgspec.structs import replace

from cardhour_billing.focus.conformance import breaches
from cardhour_billing.focus.export import export
from cardhour_billing.focus.rows import OMITTED, PROVIDED, Row, Source, rows_of
from cardhour_billing.focus.shares import source_of
from cardhour_billing.focus.table import columns, versions
from cardhour_billing.frozen.document import TaxRow, decode
from cardhour_billing.models import Invoice
from cardhour_billing.money import parse_amount, total
from cardhour_billing.month import parse_month
from cardhour_contract.errors import InvariantBroken, Refuse
from tests.billing.books import apply, close, issued, on_sqlite
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_lease_invoices import CASES as LEASE_CASES
from tests.billing.test_price_kinds import CASES as PRICE_CASES
from tests.billing.test_tax_invoices import CNY_ISSUER, INCLUSIVE
from tests.portal import sample

__all__ = ["on_sqlite"]

GOLDEN = Path(__file__).parent / "golden"
TABLE = columns("1.2")
AFTER = "2026-02-10T00:00:00Z"

PROJECTS = """
[[customer]]
id = "lab"
name = "Lab"
[[binding]]
owner = "k8s:lab-a"
customer = "lab"
project = "alpha"
from = 2026-01-01T00:00:00+08:00
[[binding]]
owner = "k8s:lab-b"
customer = "lab"
project = "beta"
from = 2026-01-01T00:00:00+08:00
"""


def held() -> MemoryLedger:
    """Two days in Shanghai, two cards of one model and one of another; two projects share a card on one day."""
    ledger = MemoryLedger()
    ledger.hold("k8s:qinghe", "A100", "2026-01-15T14:00:00Z", "2026-01-15T17:00:00Z", card="GPU-0")
    ledger.hold("k8s:qinghe", "A100", "2026-01-15T14:00:00Z", "2026-01-15T14:20:00Z", card="GPU-1")
    ledger.hold("k8s:qinghe", "T4", "2026-01-16T00:00:00Z", "2026-01-16T07:00:00Z", card="GPU-2", node="n2")
    ledger.hold("k8s:lab-a", "A100", "2026-01-20T00:00:00Z", "2026-01-20T01:00:00Z", card="GPU-0")
    ledger.hold("k8s:lab-b", "A100", "2026-01-20T01:00:00Z", "2026-01-20T03:00:00Z", card="GPU-0")
    return ledger


def exported(ledger: MemoryLedger, month: str = "2026-01", customer: str = "") -> list[dict[str, str]]:
    out = io.StringIO(newline="")
    export(out, parse_month(month), ledger, customer=customer)
    return list(csv.DictReader(io.StringIO(out.getvalue())))


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    apply(store.home, CNY_ISSUER + PROJECTS)
    ledger = held()
    close(ledger, "2026-01", AFTER, issue=True)
    return ledger


def test_every_column_of_the_specification_is_given_or_left_out_with_its_reason() -> None:
    assert {*PROVIDED, *OMITTED} == {column.id for column in TABLE}
    assert not {*PROVIDED} & {*OMITTED}
    assert not [column.id for column in TABLE if column.level != "Conditional" and column.id in OMITTED]
    assert (versions(), len(TABLE), len([c for c in TABLE if c.level == "Mandatory"])) == (("1.2",), 57, 21)


def test_the_rows_of_each_document_and_line_sum_to_it(ledger: MemoryLedger) -> None:
    for customer in ("qinghe", "lab"):
        (invoice,) = issued(customer)
        source = source_of(invoice, ledger)
        rows = list(rows_of(source))
        billed = total((parse_amount(row["BilledCost"] or "", "CNY") for row in rows), "CNY")
        assert str(billed) == source.document.total
        by_model: dict[str, Fraction] = defaultdict(Fraction)
        for row in rows:
            if row["ChargeCategory"] == "Usage":
                by_model[row["SkuId"] or ""] += Fraction(row["BilledCost"] or "")
        assert by_model == {line.model: Fraction(line.net) for line in source.document.lines}


def test_a_row_is_a_card_on_a_local_day_for_a_project(ledger: MemoryLedger) -> None:
    rows = [row for row in exported(ledger) if row["ChargeCategory"] == "Usage"]
    places = [
        (row["BillingAccountId"], row["SubAccountId"], row["ResourceId"], row["ChargePeriodStart"],
         row["ChargePeriodEnd"], row["PricingQuantity"], row["BilledCost"])
        for row in rows
    ]  # fmt: skip
    assert places == [
        ("lab", "alpha", "GPU-0", "2026-01-19T16:00:00Z", "2026-01-20T16:00:00Z", "1.000000000", "22.84"),
        ("lab", "beta", "GPU-0", "2026-01-19T16:00:00Z", "2026-01-20T16:00:00Z", "2.000000000", "45.68"),
        ("qinghe", "", "GPU-0", "2026-01-14T16:00:00Z", "2026-01-15T16:00:00Z", "2.000000000", "45.68"),
        ("qinghe", "", "GPU-1", "2026-01-14T16:00:00Z", "2026-01-15T16:00:00Z", "0.333333333", "7.61"),
        ("qinghe", "", "GPU-0", "2026-01-15T16:00:00Z", "2026-01-16T16:00:00Z", "1.000000000", "22.84"),
        ("qinghe", "", "GPU-2", "2026-01-15T16:00:00Z", "2026-01-16T16:00:00Z", "7.000000000", "11.32"),
    ]
    assert {row["BillingPeriodStart"] for row in rows} == {"2025-12-31T16:00:00Z"}
    assert {row["BillingPeriodEnd"] for row in rows} == {"2026-01-31T16:00:00Z"}


def test_costs_are_the_exact_product_of_quantity_and_price(ledger: MemoryLedger) -> None:
    third = next(row for row in exported(ledger) if row["ResourceId"] == "GPU-1")
    assert (third["ContractedCost"], third["ListCost"]) == ("7.61333332572", "7.61333332572")
    assert third["EffectiveCost"] == third["BilledCost"] == "7.61"


def test_an_included_tax_is_taken_out_of_every_cost(store: Store) -> None:
    apply(store.home, INCLUSIVE)
    ledger = MemoryLedger()
    ledger.hold("k8s:qinghe", "A100", "2026-01-15T00:00:00Z", "2026-01-15T02:00:00Z")
    ledger.hold("k8s:qinghe", "T4", "2026-01-15T00:00:00Z", "2026-01-15T01:00:00Z", card="GPU-1")
    close(ledger, "2026-01", AFTER, issue=True)
    costs = [(row["ChargeCategory"], row["ContractedUnitPrice"], row["BilledCost"]) for row in exported(ledger)]
    assert costs == [("Usage", "9.435", "18.87"), ("Usage", "9.43", "9.43"), ("Tax", "", "1.70")]


@pytest.mark.parametrize("case", ["graduated", "graduated_group", "volume", "contract", "bands_dst"])
def test_every_kind_of_price_sums_to_its_document(store: Store, case: str) -> None:
    """``export`` refuses a row that breaks a rule, and a document that its rows do not sum to."""
    text, ledger, net = PRICE_CASES[case]
    apply(store.home, text)
    close(ledger, "2026-10", "2026-11-10T00:00:00Z", issue=True)
    rows = exported(ledger, "2026-10")
    assert sum(Fraction(row["BilledCost"]) for row in rows if row["ChargeCategory"] == "Usage") == Fraction(net)
    (invoice,) = issued()
    document = decode(bytes(invoice.frozen))
    hours = sum(Fraction(row["PricingQuantity"]) for row in rows)
    assert hours == Fraction(sum(line.quantity_us for line in document.lines), 3_600_000_000)


def test_the_list_price_stands_beside_the_contracted_one(store: Store) -> None:
    text, ledger, _ = PRICE_CASES["contract"]
    apply(store.home, text)
    close(ledger, "2026-10", "2026-11-10T00:00:00Z", issue=True)
    prices = {row["SkuId"]: (row["ListUnitPrice"], row["ContractedUnitPrice"], row["ListCost"], row["ContractedCost"])
              for row in exported(ledger, "2026-10")}  # fmt: skip
    assert prices == {
        "A100": ("24.00", "20.00", "240", "200"),
        "T4": ("1.333333333", "1.133333333", "13.33333333", "11.33333333"),
        "V100": ("10.00", "7.65", "100", "76.5"),
    }


def test_usage_under_a_lease_is_reserved_capacity_that_costs_nothing(store: Store) -> None:
    text, ledger, net = LEASE_CASES["pool_exceeded"]
    apply(store.home, text)
    close(ledger, "2026-10", "2026-11-10T00:00:00Z", issue=True)
    rows = exported(ledger, "2026-10")
    kinds = [(row["ChargeCategory"], row["CapacityReservationId"], row["CapacityReservationStatus"],
              row["PricingQuantity"], row["BilledCost"]) for row in rows]  # fmt: skip
    lease = next(row["CapacityReservationId"] for row in rows if row["ChargeCategory"] == "Purchase")
    assert kinds == [
        ("Usage", "", "", "10.000000000", "228.40"),
        ("Purchase", lease, "", "2", "14716.98"),
        ("Usage", lease, "Used", "10.000000000", "0.00"),
        ("Usage", lease, "Used", "10.000000000", "0.00"),
        ("Tax", "", "", "", kinds[-1][4]),
    ]
    assert Fraction("228.40") + Fraction("14716.98") == Fraction(net)


def test_a_golden_data_set(ledger: MemoryLedger) -> None:
    rows = exported(ledger)
    price_ids = {row["SkuPriceId"] for row in rows} - {""}
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, PROVIDED, lineterminator="\n")
    writer.writeheader()
    ids = {key: f"price-{at}" for at, key in enumerate(sorted(price_ids, key=int), start=1)} | {"": ""}
    writer.writerows({**row, "SkuPriceId": ids[row["SkuPriceId"]]} for row in rows)  # ids differ by store
    assert text.getvalue() == (GOLDEN / "focus_1_2.csv").read_text(encoding="utf-8")


def test_one_customer_can_be_asked_for_and_another_month_is_empty(ledger: MemoryLedger) -> None:
    assert {row["BillingAccountId"] for row in exported(ledger, customer="lab")} == {"lab"}
    assert exported(ledger, "2026-02") == []


def test_charges_credits_and_corrections_keep_the_rules() -> None:
    """A lease is a purchase of reserved capacity, a grant a credit, an adjustment a correction of usage."""

    def charge(kind: str, position: int, amount: str, **more: str) -> object:
        line = sample.line(position, "", "-1" if amount.startswith("-") else "1", amount.lstrip("-"), amount)
        return replace(line, kind=kind, source=f"{kind}:{position}", unit=more.get("unit", "item"), description=kind)

    lines = (
        charge("lease", 1, "133400.00", unit="server-month"), charge("add-on", 2, "1200.00", unit="month"),
        charge("commitment", 3, "500.00"), charge("grant", 4, "-100.00"), charge("adjustment", 5, "-18.20"),
        charge("carried", 6, "3.00"),
    )  # fmt: skip
    document = replace(
        sample.ISSUED, lines=lines, net="134984.80", total="143083.89", due="143083.89",
        tax=(TaxRow(category="standard", rate_percent="6", net="134984.80", tax="8099.09"),),
    )  # fmt: skip
    rows = list(rows_of(Source(document=document, shares={}, prices={})))
    assert [breaches(row, TABLE) for row in rows] == [[]] * 7
    assert [(row["ChargeCategory"], row["ChargeFrequency"], row["ChargeClass"]) for row in rows] == [
        ("Purchase", "Recurring", None),
        ("Purchase", "Recurring", None),
        ("Adjustment", "Recurring", None),
        ("Credit", "One-Time", None),
        ("Usage", "Usage-Based", "Correction"),
        ("Adjustment", "One-Time", None),
        ("Tax", "Recurring", None),
    ]
    assert (rows[0]["CapacityReservationId"], rows[0]["PricingUnit"]) == ("1", "Server-Months")


GOOD: Row = next(
    rows_of(Source(document=replace(sample.ISSUED, tax=()), shares={}, prices=dict.fromkeys(range(1, 7), "1")))
)


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("BilledCost", None, "BilledCost must not be null"),
        ("BilledCost", "1,000.00", "'1,000.00' is no numeric format"),
        ("BillingCurrency", "RMB", "'RMB' is no currency format"),
        ("ChargeCategory", "Rent", "'Rent' is not an allowed value"),
        ("ChargePeriodEnd", "2026-10-31", "is no date/time format"),
        ("ChargePeriodEnd", "2026-09-30T16:00:00Z", "ChargePeriodEnd is not after ChargePeriodStart"),
        ("ContractedUnitPrice", "-1.5", "must not be negative"),
        ("ContractedCost", "75092.72", "ContractedCost is not ContractedUnitPrice × PricingQuantity"),
        ("PricingQuantity", None, "PricingQuantity"),
        ("PricingUnit", None, "PricingQuantity and PricingUnit are both there or both null"),
        ("ConsumedUnit", "", "must be null rather than empty"),
        ("SkuPriceDetails", "[1]", "is no keyvalueformat"),
        ("SkuPriceId", None, ""),
        ("ResourceType", "GPU", "ResourceName and ResourceType must be null without a ResourceId"),
    ],
)
def test_a_broken_row_is_found(column: str, value: str | None, problem: str) -> None:
    assert breaches(GOOD, TABLE) == []
    assert problem in "; ".join(breaches({**GOOD, column: value}, TABLE))


def test_a_row_without_a_mandatory_column_is_found() -> None:
    row = {name: value for name, value in GOOD.items() if name != "InvoiceIssuerName"}
    assert breaches(row, TABLE) == ["InvoiceIssuerName is mandatory and not in the data"]


def test_quarters_that_are_not_those_of_the_document_are_not_exported(ledger: MemoryLedger) -> None:
    ledger.quarters.clear()
    with pytest.raises(InvariantBroken, match="run cardhour verify"):
        source_of(Invoice.objects.order_by("pk")[0], ledger)


def test_a_version_without_a_table_is_refused() -> None:
    with pytest.raises(Refuse, match=r"no table for FOCUS 9.9: choose 1.2"):
        columns("9.9")
