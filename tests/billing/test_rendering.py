"""The files of an issued invoice: made once, after the commit, and never again, whatever the template says later."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from msgspec.structs import replace
from pytest_django.fixtures import Settings

from cardhour_billing.config import BillingConfig, BillingSettings, StoreSettings, WebSettings
from cardhour_billing.documents import invoice_pdf, invoice_xlsx, renderers, rendering
from cardhour_billing.documents.invoice_files import absent, find_invoice, save_files
from cardhour_billing.documents.renderers import RENDERERS
from cardhour_billing.documents.rendering import content_of, render_missing, unrendered
from cardhour_billing.einvoice import ubl
from cardhour_billing.einvoice.checking import checked
from cardhour_billing.einvoice.gate import broken
from cardhour_billing.frozen.document import InvoiceDocument, decode, encode
from cardhour_billing.models import AuditLog, Invoice, RenderedDocument
from cardhour_billing.scheduler import run_due
from cardhour_billing.sending.invoice_mail import invoice_letter, kept_xml
from cardhour_contract.errors import InvariantBroken, Refuse
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, close, issued
from tests.billing.conftest import Store
from tests.billing.in_process import Installation
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_commands import HEADER
from tests.billing.visitor import Visitor
from tests.portal import sample

MINIMAL = ISSUER + ACME + PRICE
AFTER = "2026-02-10T00:00:00Z"
CLOCK = clock_at(AFTER)


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    apply(store.home, MINIMAL)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    return ledger


def invoice_of(ledger: MemoryLedger) -> Invoice:
    close(ledger, "2026-01", AFTER, issue=True, files=True)
    (invoice,) = issued()
    return invoice


def kept(invoice: Invoice) -> dict[str, bytes]:
    rows = RenderedDocument.objects.filter(invoice=invoice, absent_because="")
    return {row.format: bytes(row.content) for row in rows}


class Printer:
    """Another template: prints the word it was given."""

    def __init__(self, word: bytes) -> None:
        self.word = word

    def __call__(self, document: InvoiceDocument) -> bytes:
        if not self.word:
            raise InvariantBroken(f"invoice {document.number} cannot be typeset")
        return self.word


def test_issuing_keeps_its_files_with_their_hashes(ledger: MemoryLedger) -> None:
    invoice = invoice_of(ledger)
    rows = {row.format: row for row in RenderedDocument.objects.filter(invoice=invoice)}
    assert set(rows) == {"pdf", "csv", "xml"}
    assert bytes(rows["pdf"].content) == invoice_pdf.render(decode(bytes(invoice.frozen)))
    hashes = {name: hashlib.sha256(bytes(row.content)).hexdigest() for name, row in rows.items()}
    assert {name: row.sha256 for name, row in rows.items()} == hashes
    assert AuditLog.objects.get(action="invoice.render").detail == hashes


def test_an_invoice_that_can_be_said_in_xml_keeps_it_and_another_keeps_why_not(
    store: Store, ledger: MemoryLedger
) -> None:
    invoice = invoice_of(ledger)
    assert list(absent(invoice)) == ["xml"]
    with pytest.raises(Refuse, match="EC-2026-0001 has no xml: the issuer has no country"):
        content_of(invoice, "xml", CLOCK, who="tests")
    apply(store.home, ISSUER + 'country = "US"\ntax_id = "12-3456789"\n')
    apply(store.home, ACME.replace('name = "Acme Ltd"', 'name = "Acme Ltd"\ncountry = "US"'))
    ledger.hold("k8s:acme", "T4", "2026-02-05T00:00:00Z", "2026-02-05T10:00:00Z")
    close(ledger, "2026-02", "2026-03-10T00:00:00Z", issue=True, files=True)
    later = issued()[-1]
    assert absent(later) == {}
    assert content_of(later, "xml", CLOCK, who="tests") == ubl.render(decode(bytes(later.frozen)))
    found = dict(checked(["EC-2026-0001", "EC-2026-0002"], "", []))
    assert found["EC-2026-0002"] == []
    assert {each.rule for each in found["EC-2026-0001"]} == {"CH-WORDS"}


def test_a_draft_is_checked_as_if_it_were_issued_today(store: Store, ledger: MemoryLedger, tmp_path: Path) -> None:
    close(ledger, "2026-01", AFTER)
    (broken,) = checked([], "2026-01", [], CLOCK)
    assert broken[0] == "draft acme 2026-01"
    assert [each.text.split(":")[0] for each in broken[1]] == [
        "the issuer has no country",
        "the customer 'acme' has no country",
        "the issuer has no tax_id, by which an EN 16931 document names its seller",
    ]
    with pytest.raises(Refuse, match="cannot be read"):
        list(checked([], "", [tmp_path / "absent.xml"]))


def test_kept_files_outlive_their_template(ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = invoice_of(ledger)
    before = kept(invoice)
    monkeypatch.setattr(renderers, "RENDERERS", dict.fromkeys(RENDERERS, Printer(b"another")))
    close(ledger, "2026-01", AFTER, issue=True, files=True)
    assert content_of(invoice, "pdf", CLOCK, who="tests") == before["pdf"]
    assert kept(invoice) == before


def test_a_draft_keeps_no_file_and_is_made_anew(ledger: MemoryLedger) -> None:
    close(ledger, "2026-01", AFTER)
    draft = Invoice.objects.select_related("customer").get()
    assert b"draft,acme" in content_of(draft, "csv", CLOCK, who="tests")
    assert not RenderedDocument.objects.exists()


def test_what_a_crash_left_without_files_gets_them_at_the_next_close(
    ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The invoice stands with its number although typesetting failed; a later close of any month makes the files."""
    monkeypatch.setitem(RENDERERS, "pdf", Printer(b""))
    with pytest.raises(InvariantBroken, match="EC-2026-0001 cannot be typeset"):
        close(ledger, "2026-01", AFTER, issue=True, files=True)
    (invoice,) = issued()
    assert (invoice.number, kept(invoice), unrendered().count()) == ("EC-2026-0001", {}, 1)
    monkeypatch.undo()
    close(ledger, "2026-02", "2026-02-10T00:00:00Z", files=True)
    assert set(kept(invoice)) == {"pdf", "csv"}


def test_the_scheduler_makes_missing_files_too(
    store: Store, ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RENDERERS, "pdf", Printer(b""))
    with pytest.raises(InvariantBroken):
        close(ledger, "2026-01", AFTER, issue=True, files=True)
    monkeypatch.undo()
    config = BillingConfig(
        home=store.home, store=StoreSettings(url=store.url), web=WebSettings(), billing=BillingSettings()
    )
    run_due(config, ledger, clock_at("2026-01-15T00:00:00Z"))  # nothing is due
    assert set(kept(issued()[0])) == {"pdf", "csv"}


def test_a_document_that_cannot_be_typeset_keeps_no_other_from_being(
    store: Store, ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Picky(Printer):
        def __call__(self, document: InvoiceDocument) -> bytes:
            return super().__call__(document) if document.customer.id == "acme" else b"fine"

    apply(store.home, ACME.replace("acme", "beta"))
    ledger.hold("k8s:beta", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z", card="GPU-1")
    monkeypatch.setitem(RENDERERS, "pdf", Picky(b""))
    with pytest.raises(InvariantBroken, match="1 issued invoices"):
        close(ledger, "2026-01", AFTER, issue=True, files=True)
    assert kept(issued("beta")[0])["pdf"] == b"fine"


def test_with_the_official_rules_on_an_xml_that_breaks_one_is_neither_kept_nor_sent(
    store: Store, ledger: MemoryLedger, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BR-CO-10 holds the sum of the lines against their total: one is a cent off, and the other invoice is fine."""

    def off_by_a_cent(document: InvoiceDocument) -> bytes:
        xml = ubl.render(document)
        if document.customer.id == "beta":
            xml = xml.replace(b">16.17</cbc:LineExtensionAmount>", b">16.16</cbc:LineExtensionAmount>", 1)
        return xml

    issuer = ISSUER + 'tax_id = "US123"\ncountry = "US"\n'
    customer = ACME.replace('name = "Acme Ltd"', 'name = "Acme Ltd"\ncountry = "US"\nemail = "ap@acme.example"')
    apply(store.home, issuer + customer + customer.replace("acme", "beta"))
    ledger.hold("k8s:beta", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z", card="GPU-1")
    monkeypatch.setitem(RENDERERS, "xml", off_by_a_cent)
    settings.CHECK_EINVOICES = True
    with pytest.raises(InvariantBroken, match=r"1 issued invoices.*EC-2026-0002 breaks.*BR-CO-10"):
        close(ledger, "2026-01", AFTER, issue=True, files=True)
    assert (set(kept(issued()[0])), kept(issued("beta")[0])) == ({"pdf", "csv", "xml"}, {})
    with pytest.raises(Refuse, match="EC-2026-0002 has no PDF yet"):
        invoice_letter(issued("beta")[0])
    settings.CHECK_EINVOICES = False  # kept unchecked, and checked before it leaves
    render_missing(CLOCK, who="tests")
    settings.CHECK_EINVOICES = True
    assert list(broken(kept_xml([*issued(), *issued("beta")]))) == ["EC-2026-0002"]
    for name, value in (("HOST", "127.0.0.1"), ("PORT", "9"), ("SENDER", "a@b.example")):
        monkeypatch.setenv(f"CARDHOUR_MAIL_{name}", value)
    page = Visitor().get(f"/invoices/{issued('beta')[0].pk}/mail/")
    assert "BR-CO-10" in page
    assert 'name="round"' not in page  # nor is it offered to be mailed from the portal


def test_many_documents_are_made_by_several_processes_in_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    good = [encode(replace(sample.ISSUED, number=f"EC-2026-{at:04d}")) for at in range(3)]
    alone = [renderers.made(each) for each in good]
    monkeypatch.setattr(renderers, "MANY", 2)
    assert list(renderers.made_of_many([*good, b"{}"]))[:3] == alone
    assert "cannot be read" in str(list(renderers.made_of_many([*good, b"{}"]))[3])


def test_rendering_twice_makes_nothing_twice(ledger: MemoryLedger) -> None:
    invoice = invoice_of(ledger)
    rendering.keep(invoice, CLOCK, who="another process")
    assert render_missing(CLOCK, who="tests") == 0
    assert RenderedDocument.objects.count() == len(RENDERERS)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_rendereddocument SET sha256 = ''",
        "DELETE FROM billing_rendereddocument",
        "TRUNCATE billing_rendereddocument",
    ],
)
def test_the_database_refuses_to_change_a_kept_file(ledger: MemoryLedger, statement: str) -> None:
    invoice = invoice_of(ledger)
    before = kept(invoice)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)  # SQLite has no TRUNCATE and refuses the word
    assert kept(invoice) == before


def test_the_database_refuses_a_kept_file_of_a_draft(ledger: MemoryLedger) -> None:
    close(ledger, "2026-01", AFTER)
    with pytest.raises(DatabaseError), transaction.atomic():
        RenderedDocument.objects.create(invoice=Invoice.objects.get(), format="pdf", content=b"", rendered_at_ms=0)


def test_bytes_that_are_not_those_kept_are_not_served(ledger: MemoryLedger) -> None:
    invoice = invoice_of(ledger)
    without_guards("UPDATE billing_rendereddocument SET sha256 = 'x' WHERE format = 'pdf'", "billing_rendereddocument")
    with pytest.raises(InvariantBroken, match="is not the file that was issued"):
        content_of(invoice, "pdf", CLOCK, who="tests")


def without_guards(statement: str, table: str) -> None:
    """Do what the triggers of ``table`` refuse, as somebody with the database's own keys could."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(statement)
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            return
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [table])
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        cursor.execute(statement)
        for _, text in triggers:
            cursor.execute(text)


def test_files_are_saved_as_they_were_issued(ledger: MemoryLedger, tmp_path: Path) -> None:
    invoice = invoice_of(ledger)
    files = save_files(find_invoice("EC-2026-0001"), tmp_path / "out", CLOCK, who="tests")
    workbook = invoice_xlsx.render(decode(bytes(invoice.frozen)))
    assert {file.name: file.read_bytes() for file in files} == {
        f"EC-2026-0001.{name}": content for name, content in (kept(invoice) | {"xlsx": workbook}).items()
    }
    with pytest.raises(Refuse, match="no invoice 'EC-2026-0009'"):
        find_invoice("EC-2026-0009")


def test_invoices_are_listed_shown_and_saved_at_the_command_line(installation: Installation) -> None:
    (installation.folder / "catalog.toml").write_text(MINIMAL)
    (installation.folder / "usage.csv").write_text(
        HEADER + "k8s:acme,job-1,n1,GPU-0,T4,,2026-01-05T00:00:00Z,2026-01-05T10:00:00Z,1,,\n"
    )
    for command in (["catalog", "apply", "catalog.toml", "--yes"], ["import", "usage.csv"]):
        assert installation.run(*command).returncode == 0
    (closed,) = json.loads(installation.run("close", "2026-01", "--issue", "--format", "json").stdout)
    number = closed["number"]
    (listed,) = json.loads(installation.run("invoice", "list", "--month", "2026-01", "--format", "json").stdout)
    assert (listed["number"], listed["customer"], listed["state"], listed["total"]) == (
        number, "acme", "open", "16.17",
    )  # fmt: skip
    shown = installation.run("invoice", "show", number)
    assert "16.17" in shown.stdout
    assert "SHA-256" in shown.stdout, shown.stderr
    saved = installation.run("invoice", "save", number, "--to", "out", "--format", "json")
    assert [row["file"] for row in json.loads(saved.stdout)] == [
        f"out/{number}.{name}" for name in ("csv", "pdf", "xlsx")
    ]
    assert (installation.folder / "out" / f"{number}.pdf").read_bytes().startswith(b"%PDF")
    missing = installation.run("invoice", "show", "EC-0")
    assert (missing.returncode, "cardhour invoice list" in missing.stderr) == (2, True)
