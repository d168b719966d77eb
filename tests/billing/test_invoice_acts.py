"""What staff do to an invoice in the portal: shown before, done once, only by who may, with their name in the log."""

from __future__ import annotations

import pytest

from cardhour_billing.documents.rendering import render_missing
from cardhour_billing.models import Allocation, AuditLog, Invoice, Mail, Payment
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, issue
from tests.billing.in_process import Desk, Store
from tests.billing.mail_server import post_office
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.portal_client import staff
from tests.billing.visitor import Visitor

EMAIL = 'email = ["bills@acme.example"]\n'


@pytest.fixture
def invoice(store: Store, desk: Desk) -> Invoice:
    """January of acme: 100 hours of a T4, 161.65 USD."""
    apply(store.home, ISSUER + ACME.replace('name = "Acme Ltd"\n', f'name = "Acme Ltd"\n{EMAIL}') + PRICE)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-09T04:00:00Z")
    issue(ledger, "2026-01", "2026-02-05T00:00:00Z")
    return Invoice.objects.get()


def path(invoice: Invoice, act: str = "") -> str:
    return f"/invoices/{invoice.pk}/{f'{act}/' if act else ''}"


def previewed(clerk: Visitor, at: str, fields: dict[str, str]) -> dict[str, str]:
    """The form as the preview gives it back, ready to be sent."""
    page = clerk.send(at, fields | {"step": "preview"}, status=200)
    seen = page.partition('name="seen" value="')[2].partition('"')[0]
    assert len(seen) == 64
    return fields | {"seen": seen}


def test_a_payment_is_previewed_and_recorded_once(invoice: Invoice) -> None:
    clerk, at = Visitor("lin"), path(invoice, "pay")
    form = clerk.form(at)
    assert form["amount"] == ["161.65"]
    fields = {"amount": "100", "day": "2026-02-10", "reference": "TRX-1", "fee": "1.65", "write_off": "0"}
    page = clerk.send(at, fields | {"step": "preview"}, status=200)
    assert "What 101.65 USD settles" in page
    assert "60.00" in page  # open after
    assert not Payment.objects.exists()
    ready = previewed(clerk, at, fields) | {"step": "record"}
    assert clerk.send(at, ready) == path(invoice)
    assert "is recorded already" in clerk.send(at, ready, status=409)
    payment = Payment.objects.get()
    assert (payment.amount, payment.fee, payment.who) == (10_000, 165, "lin")
    assert Allocation.objects.get().amount == 10_165
    page = clerk.get(path(invoice))
    assert "P1, 2026-02-10, TRX-1" in page or f"{payment.code}, 2026-02-10, TRX-1" in page


def test_what_was_not_previewed_is_not_recorded(invoice: Invoice) -> None:
    clerk, at = Visitor("lin"), path(invoice, "pay")
    ready = previewed(clerk, at, {"amount": "100", "day": "2026-02-10", "reference": "TRX-1"})
    page = clerk.send(at, ready | {"amount": "1000", "step": "record"}, status=409)
    assert "Stays with the customer" in page
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("amount", "12,50", "amount: &#x27;12,50&#x27; is not an amount"),
        ("amount", "0", "more than nothing"),
        ("day", "10/02/2026", "not a day such as"),
        ("reference", " ", "needs its bank reference"),
        ("write_off", "50", "above write_off_max"),
        ("fee", "-1", "zero or more"),
    ],
)
def test_a_payment_that_makes_no_sense_is_refused_with_the_form_as_it_was(
    invoice: Invoice, field: str, value: str, word: str
) -> None:
    fields = {"amount": "100", "day": "2026-02-10", "reference": "TRX-7"} | {field: value}
    page = Visitor().send(path(invoice, "pay"), fields | {"step": "record"}, status=409)
    assert word in page
    assert 'name="amount"' in page
    assert not Payment.objects.exists()


def test_a_credit_note_is_previewed_and_issued_once(invoice: Invoice) -> None:
    clerk, at = Visitor("lin"), path(invoice, "credit")
    known = clerk.form(at)["known"][0]
    fields = {"line-1": "61.65", "reason": "goodwill", "known": known}
    page = clerk.send(at, fields | {"step": "preview"}, status=200)
    assert "100.00 open after" in page
    assert not invoice.credit_notes.exists()
    ready = previewed(clerk, at, fields) | {"step": "issue"}
    clerk.send(at, ready)
    assert "Not what you were shown" in clerk.send(at, ready, status=409)
    note = invoice.credit_notes.get()
    assert (note.state, note.reason, note.total) == ("issued", "goodwill", -6_165)
    assert AuditLog.objects.get(action="credit-note.issue").who == "lin"
    assert str(note.number) in clerk.get(path(invoice))


def test_more_than_is_left_cannot_be_credited(invoice: Invoice) -> None:
    clerk, at = Visitor(), path(invoice, "credit")
    for fields, word in (
        ({"line-1": "161.66", "reason": "sla"}, "161.66 cannot be credited"),
        ({"line-1": "", "reason": "sla"}, "at least one line"),
        ({"line-1": "1", "reason": "void"}, "say why"),
        ({"line-9": "1", "reason": "sla"}, "does not exist"),
    ):
        assert word in clerk.send(at, fields | {"step": "preview"}, status=409)


def test_voiding_says_what_it_does_asks_why_and_happens_once(invoice: Invoice) -> None:
    clerk, at = Visitor("lin"), path(invoice, "void")
    page = clerk.get(at)
    assert "161.65" in page
    assert invoice.credit_notes.count() == 0
    fields = clerk.form(at)
    assert "say why" in clerk.send(at, fields | {"because": [" "]}, status=409)
    ready = fields | {"because": ["billed to the wrong legal entity"]}
    clerk.send(at, ready)
    clerk.send(at, ready, status=409)
    entry = AuditLog.objects.get(action="invoice.void")
    assert (entry.who, entry.detail["because"]) == ("lin", "billed to the wrong legal entity")
    page = clerk.get(path(invoice))
    assert ">Void<" in page
    assert path(invoice, "void") not in page  # nothing is left to void


def test_a_mail_is_shown_and_each_press_sends_one(
    invoice: Invoice, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    render_missing(clock_at("2026-02-05T00:00:00Z"), who="tests")
    clerk, at = Visitor("lin"), path(invoice, "mail")
    assert "nothing can be sent: set host" in clerk.get(at)
    with post_office() as (post, port):
        for name, value in (("HOST", "127.0.0.1"), ("PORT", str(port)), ("TLS", "none"), ("SENDER", "a@b.example")):
            monkeypatch.setenv(f"CARDHOUR_MAIL_{name}", value)
        page = clerk.get(at)
        assert "bills@acme.example" in page
        fields = clerk.form(at)
        clerk.send(at, fields)
        assert "It was sent already." in clerk.get(clerk.send(at, fields))
        assert len(post.received) == 1
        clerk.send(at, clerk.form(at))
        assert len(post.received) == 2
    assert Mail.objects.filter(who="lin").count() == 2


def test_acts_are_for_billing_and_for_issued_invoices(invoice: Invoice) -> None:
    viewer, customer = Visitor("wen", "viewer"), Visitor("alice", "admin", customer="acme")
    assert path(invoice, "pay") not in viewer.get(path(invoice))
    assert "Settled by" not in customer.get(path(invoice))
    for act in ("pay", "credit", "void", "mail"):
        for visitor in (viewer, customer):
            visitor.get(path(invoice, act), status=403)
            visitor.send(path(invoice, act), {}, status=403)
    Visitor().get("/invoices/999/pay/", status=404)
    note = Visitor()
    note.send(path(invoice, "void"), note.form(path(invoice, "void")) | {"because": ["test"]})
    note.get(path(invoice.credit_notes.get(), "credit"), status=404)


def test_a_payment_recorded_by_mistake_is_reversed_from_its_page(invoice: Invoice) -> None:
    clerk, at = Visitor("lin"), path(invoice, "pay")
    fields = {"amount": "100", "day": "2026-02-10", "reference": "TRX-1", "fee": "1.65"}
    clerk.send(at, previewed(clerk, at, fields) | {"step": "record"})
    payment = Payment.objects.get()
    record, back = f"/records/payments/{payment.pk}/", f"/payments/{payment.pk}/reverse/"
    assert record in clerk.get(path(invoice))
    assert back in clerk.get(record)
    page = clerk.get(back)
    assert "101.65" in page  # no longer paid
    assert "161.65" in page  # open after
    assert Payment.objects.count() == 1  # looking is no deed
    ready = clerk.form(back)
    assert "say why" in clerk.send(back, ready | {"reason": [" "]}, status=409)
    assert "not a day such as" in clerk.send(back, ready | {"reason": ["typed twice"], "day": ["soon"]}, status=409)
    assert "Not what you were shown" in clerk.send(back, ready | {"reason": ["x"], "seen": [""]}, status=409)
    assert clerk.send(back, ready | {"reason": ["typed twice"]}) == record
    assert [(each.kind, each.amount, each.note) for each in Payment.objects.order_by("pk")] == [
        ("receipt", 10_000, ""), ("reversal", -10_000, "typed twice"),
    ]  # fmt: skip
    assert back not in clerk.get(record)
    assert "is reversed already" in clerk.get(back)
    assert "161.65 USD open" in clerk.get(at)


def test_the_month_of_a_void_invoice_is_opened_again(invoice: Invoice) -> None:
    clerk, again = Visitor("lin"), path(invoice, "reissue")
    assert again not in clerk.get(path(invoice))
    assert "is not void" in clerk.get(clerk.send(again, {}))
    void = path(invoice, "void")
    clerk.send(void, clerk.form(void) | {"because": ["billed to the wrong legal entity"]})
    assert again in clerk.get(path(invoice))
    assert clerk.send(again, {}) == "/close/2026-01/"
    assert Invoice.objects.filter(state="draft", period="2026-01").count() == 1
    assert clerk.send(again, {}) == "/close/2026-01/"  # twice opens it once
    assert Invoice.objects.filter(state="draft", period="2026-01").count() == 1


def test_the_list_is_taken_away_as_it_was_narrowed(invoice: Invoice) -> None:
    """Amounts as programs read them; what a page of the list has no room for is in it, too."""
    client, head = (
        staff("viewer"),
        "invoice,kind,customer,name,month,state,issue_date,due_date,currency,net,tax,total,open",
    )
    page = client.get("/invoices/?customer=acme&page=1").content.decode()
    assert "?customer=acme&amp;format=csv" in page
    taken = client.get("/invoices/?customer=acme&format=csv")
    assert taken.headers["Content-Disposition"] == 'attachment; filename="invoices.csv"'
    rows = taken.getvalue().decode("utf-8-sig").splitlines()
    assert rows[0] == head
    days = f"{invoice.issue_date},{invoice.due_date}"
    assert rows[1:] == [f"{invoice.number},invoice,acme,Acme Ltd,2026-01,overdue,{days},USD,161.65,0.00,161.65,161.65"]
    assert client.get("/invoices/?customer=acme&state=draft&format=csv").getvalue().decode("utf-8-sig").strip() == head
