"""Verifying issued invoices: what was not touched agrees to the minor unit, what was is found and named."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from django.db import connection
from msgspec import structs

from cardhour_billing.answers.known_today import known_today
from cardhour_billing.answers.verification import verify
from cardhour_billing.frozen.document import decode
from cardhour_billing.frozen.inputs import read_inputs
from cardhour_billing.models import Invoice
from cardhour_billing.usage.ledger import WarehouseLedger
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import CARD_HOUR_US, DAY_MS
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.expiry import expire
from cardhour_ingest.warehouse.usage import BillableUsage
from tests.billing.books import ACME, ISSUER, PRICE, apply, close, issued
from tests.billing.conftest import Store
from tests.billing.golden import assert_golden
from tests.billing.in_process import Installation
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_commands import HEADER
from tests.billing.test_rendering import without_guards

MINIMAL = ISSUER + ACME + PRICE
AFTER = "2026-02-10T00:00:00Z"


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    """Acme held two cards, for ten hours and for one; a price change cuts the month, so there are two lines."""
    change = "2026-01-20T00:00:00Z"
    apply(
        store.home,
        MINIMAL + f"to = {change}\n" + PRICE.replace("2026-01-01T00:00:00Z", change).replace("1.616532", "2"),
    )
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    ledger.hold("k8s:acme", "T4", "2026-01-20T00:00:00Z", "2026-01-20T01:00:00Z", card="GPU-1")
    close(ledger, "2026-01", AFTER, issue=True, files=True)
    return ledger


def findings(ledger: MemoryLedger) -> dict[str, tuple[str, ...]]:
    """What differs, by check."""
    (invoice,) = issued()
    return {check.what: check.findings for check in verify(invoice, ledger) if not check.agrees}


def test_what_was_not_touched_verifies(ledger: MemoryLedger) -> None:
    (invoice,) = issued()
    checks = verify(invoice, ledger)
    assert len(checks) == 7
    assert all(check.agrees for check in checks), checks


def test_later_usage_and_later_prices_change_nothing_of_it(store: Store, ledger: MemoryLedger) -> None:
    ledger.hold("k8s:acme", "T4", "2026-01-07T00:00:00Z", "2026-01-07T05:00:00Z")
    apply(store.home, ISSUER.replace("Example Compute", "Another Name") + ACME.replace("Acme Ltd", "Acme SE"))
    assert findings(ledger) == {}


def test_one_frozen_quarter_that_was_changed_is_named_by_day_and_card(ledger: MemoryLedger) -> None:
    (kept,) = ledger.quarters.values()
    at = next(at for at, (_, each) in enumerate(kept) if each.card == "GPU-1")
    line, quarter = kept[at]
    assert isinstance(quarter, BillableUsage)
    kept[at] = line, structs.replace(quarter, billable_us=quarter.billable_us - 3_600_000)
    found = findings(ledger)
    assert set(found) == {
        "frozen quarters have their digest",
        "frozen quarters are those that the document shows",
        "rated again, the frozen inputs give the same amounts",
    }
    assert found["frozen quarters are those that the document shows"] == (
        "line 2, 2026-01-20: 0.999000000 card-hours are frozen, and 1.000000000 were billed",
        "line 2, card GPU-1 on n1: 0.999000000 card-hours are frozen, and 1.000000000 were billed",
    )
    assert found["rated again, the frozen inputs give the same amounts"] == (
        "line 2: 0.999000000 card-hours for 200 minor units when rated again, "
        "1.000000000 card-hours for 200 minor units when billed",
    )


def test_frozen_quarters_that_are_gone_are_missed(ledger: MemoryLedger) -> None:
    ledger.quarters.clear()
    found = findings(ledger)
    assert (
        "line 1: no line when rated again, 10.000000000 card-hours for 1617 minor units when billed"
        in (found["rated again, the frozen inputs give the same amounts"])
    )


def test_one_frozen_price_that_was_changed_is_named(ledger: MemoryLedger) -> None:
    (invoice,) = issued()
    inputs = bytes(invoice.inputs).replace(b'"nano":2000000000', b'"nano":2500000000')
    assert inputs != bytes(invoice.inputs)
    price = read_inputs(inputs).prices[1]
    assert price.nano == 2_500_000_000
    tamper("inputs", inputs)
    found = findings(ledger)
    assert found["frozen bindings, leases, prices, contracts and tax rules are those that were recorded"] == (
        f"price {price.id}: nano is frozen as 2500000000, and was recorded as 2000000000",
    )
    assert found["rated again, the frozen inputs give the same amounts"] == (
        "line 2: 1.000000000 card-hours for 250 minor units when rated again, "
        "1.000000000 card-hours for 200 minor units when billed",
        "net: 18.67 when rated again, 18.17 in the document",
        "total: 18.67 when rated again, 18.17 in the document",
    )
    assert len(found["frozen inputs have their digest"]) == 3  # row, document and audit log all say otherwise


def test_one_byte_of_the_pdf_that_was_changed_is_named(ledger: MemoryLedger) -> None:
    if connection.vendor == "postgresql":
        change = "content = set_byte(content, 100, (get_byte(content, 100) + 1) % 256)"
    else:
        change = "content = CAST(substr(content, 1, 100) || x'00' || substr(content, 102) AS BLOB)"
    without_guards(f"UPDATE billing_rendereddocument SET {change} WHERE format = 'pdf'", "billing_rendereddocument")
    found = findings(ledger)
    (where, log) = found.pop("the files are those that were issued")
    assert where.startswith("the pdf has SHA-256")
    assert "the audit log" in log
    assert found == {}


def test_a_pdf_changed_together_with_its_hash_is_found_by_the_audit_log(ledger: MemoryLedger) -> None:
    forged = hashlib.sha256(b"forged").hexdigest()
    content = "'\\x666f72676564'" if connection.vendor == "postgresql" else "x'666f72676564'"
    without_guards(
        f"UPDATE billing_rendereddocument SET content = {content}, sha256 = '{forged}' WHERE format = 'pdf'",
        "billing_rendereddocument",
    )
    (finding,) = findings(ledger)["the files are those that were issued"]
    assert "the audit log" in finding


def test_an_amount_changed_in_the_invoices_own_row_is_named(ledger: MemoryLedger) -> None:
    without_guards("UPDATE billing_invoice SET net = net + 1, total = total + 1", "billing_invoice")
    found = findings(ledger)
    assert found == {
        "the document says what was rated": (
            "net is 1817 minor units in the document, and 1818 in the invoice's row",
            "total is 1817 minor units in the document, and 1818 in the invoice's row",
        )
    }


def tamper(column: str, content: bytes) -> None:
    """Overwrite a column of the only invoice, past its trigger."""
    literal = "'\\x" + content.hex() + "'" if connection.vendor == "postgresql" else f"x'{content.hex()}'"
    without_guards(f"UPDATE billing_invoice SET {column} = {literal}", "billing_invoice")


def test_what_is_known_today_stands_beside_what_was_billed(store: Store, ledger: MemoryLedger) -> None:
    """Five late hours on the first line; the second line's usage turned out to be another's; a model nobody knew of."""
    apply(store.home, PRICE.replace("T4", "H100").replace("1.616532", "10"))
    ledger.held.pop()
    ledger.hold("k8s:acme", "T4", "2026-01-07T00:00:00Z", "2026-01-07T05:00:00Z")
    ledger.hold("k8s:acme", "H100", "2026-01-07T00:00:00Z", "2026-01-07T00:30:00Z", card="GPU-2")
    (invoice,) = issued()
    rows = known_today(invoice, ledger)
    assert [(each.position, each.model, each.billed_us, each.now_us, str(each.difference)) for each in rows] == [
        (1, "T4", 10 * CARD_HOUR_US, 15 * CARD_HOUR_US, "8.08"),
        (2, "T4", CARD_HOUR_US, 0, "-2.00"),
        (None, "H100", 0, CARD_HOUR_US // 2, "5.00"),
    ]
    assert findings(ledger) == {}


def test_a_quarter_changed_in_the_warehouse_is_found(store: Store, warehouse: Warehouse, tmp_path: Path) -> None:
    apply(store.home, MINIMAL)
    (tmp_path / "usage.csv").write_text(
        HEADER + "k8s:acme,job-1,n1,GPU-0,T4,,2026-01-05T00:00:00Z,2026-01-05T10:00:00Z,1,,\n"
    )
    import_csv(warehouse, tmp_path / "usage.csv")
    ledger = WarehouseLedger(warehouse)
    close(ledger, "2026-01", AFTER, issue=True, files=True)
    invoice = Invoice.objects.get(kind="invoice")
    assert all(check.agrees for check in verify(invoice, ledger))
    warehouse.command(  # the third quarter of the day's fourth hour
        "ALTER TABLE billed_quarter UPDATE billable_us = arrayMap((us, at) -> if(at = 15, 1, us), billable_us,"
        " arrayEnumerate(billable_us)) WHERE 1 SETTINGS mutations_sync = 1"
    )
    found = {check.what: check.findings for check in verify(invoice, ledger) if not check.agrees}
    assert found["frozen quarters are those that the document shows"][0].startswith(
        "line 1, 2026-01-05: 9.750000000 card-hours are frozen"
    )


def test_an_invoice_verifies_when_its_raw_records_have_expired(
    store: Store, warehouse: Warehouse, tmp_path: Path
) -> None:
    """Ten hours at 1.616532: 16.17. Of then is left what was frozen, and the pages; late usage is still adjusted."""
    apply(store.home, MINIMAL)
    ledger = WarehouseLedger(warehouse)

    def used(day: str, hours: int) -> None:
        (tmp_path / f"{day}.csv").write_text(
            f"{HEADER}k8s:acme,job-1,n1,GPU-0,T4,,{day}T00:00:00Z,{day}T{hours:02d}:00:00Z,1,,\n"
        )
        import_csv(warehouse, tmp_path / f"{day}.csv")

    used("2026-01-05", 10)
    close(ledger, "2026-01", AFTER, issue=True, files=True)
    (invoice,) = issued()
    assert expire(warehouse, SystemClock().now_ms() + 400 * DAY_MS, 30)
    assert warehouse.value("SELECT count() FROM usage_record") == 0
    assert [check.findings for check in verify(invoice, ledger) if not check.agrees] == []
    assert [line.difference.amount for line in known_today(invoice, ledger)] == [0]
    assert_golden(decode(bytes(invoice.frozen)), "after_retention")
    used("2026-01-20", 2)
    close(ledger, "2026-02", "2026-03-10T00:00:00Z", issue=True, files=True)
    late = issued()[1]
    assert [(line.kind, line.amount) for line in decode(bytes(late.frozen)).lines] == [("adjustment", "3.23")]
    assert [check.findings for check in verify(late, ledger) if not check.agrees] == []


def test_verifying_at_the_command_line(installation: Installation) -> None:
    (installation.folder / "catalog.toml").write_text(MINIMAL)
    (installation.folder / "usage.csv").write_text(
        HEADER + "k8s:acme,job-1,n1,GPU-0,T4,,2026-01-05T00:00:00Z,2026-01-05T10:00:00Z,1,,\n"
    )
    for command in (["catalog", "apply", "catalog.toml", "--yes"], ["import", "usage.csv"]):
        assert installation.run(*command).returncode == 0
    (closed,) = json.loads(installation.run("close", "2026-01", "--issue", "--format", "json").stdout)
    verified = installation.run("verify", closed["number"], "--format", "json")
    assert verified.returncode == 0, verified.stderr
    assert {row["state"] for row in json.loads(verified.stdout)} == {"agrees"}
    (today,) = json.loads(installation.run("verify", closed["number"], "--now", "--format", "json").stdout)
    assert (today["billed"], today["now"], today["difference"]) == ("16.17", "16.17", "0.00")
