"""Invoices leave by mail through a real SMTP server: once, as they were issued, with a record of what became of it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from django.db import DatabaseError, connection, transaction
from msgspec.structs import replace

from cardhour_billing.catalog.file import read_catalog
from cardhour_billing.config import load_config
from cardhour_billing.documents import renderers
from cardhour_billing.models import AuditLog, Invoice, Mail, MailOutcome, RenderedDocument
from cardhour_billing.outgoing import MailSettings
from cardhour_billing.sending.invoice_mail import invoice_letter, key_of, subject, text
from cardhour_billing.sending.mailing import Fate, fate_of, send
from cardhour_contract.errors import InvariantBroken, Refuse
from cardhour_contract.settings import Secret
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, close, issued
from tests.billing.conftest import Store
from tests.billing.in_process import Desk
from tests.billing.mail_server import PASSWORD, PATIENCE_S, USER, Post, post_office
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_rendering import Printer
from tests.portal import sample

AFTER = "2026-02-10T00:00:00Z"
CLOCK = clock_at(AFTER)
WITH_EMAIL = ACME.replace('name = "Acme Ltd"', 'name = "Acme Ltd"\nemail = ["ap@acme.example", "cfo@acme.example"]')
SENDER = "Example Compute <billing@example.com>"


@pytest.fixture
def office() -> Iterator[tuple[Post, MailSettings]]:
    with post_office() as (post, port):
        yield post, MailSettings(host="127.0.0.1", port=port, tls="none", sender=SENDER, timeout_s=PATIENCE_S)


@pytest.fixture
def invoice(store: Store) -> Invoice:
    apply(store.home, ISSUER + WITH_EMAIL + PRICE)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    close(ledger, "2026-01", AFTER, issue=True, files=True)
    return issued()[0]


def sent(invoice: Invoice, settings: MailSettings, *, again: bool = False) -> Fate:
    return send(invoice.customer, invoice_letter(invoice), settings, clock=CLOCK, who="tests", again=again)


def test_the_mail_has_both_languages_and_the_kept_pdf(invoice: Invoice, office: tuple[Post, MailSettings]) -> None:
    post, settings = office
    assert sent(invoice, settings).state == "sent"
    ((recipients, message),) = post.received
    assert recipients == ["ap@acme.example", "cfo@acme.example"]
    assert message["from"] == SENDER
    assert "EC-2026-0001" in message["subject"]
    assert "2026 年 1 月" in message["subject"]
    body = message.get_body()
    assert body is not None
    text = body.get_content()
    assert "16.17 USD is due on 12 March 2026" in text
    assert "应付 16.17 USD，请于 2026 年 3 月 12 日前付款" in text
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == "EC-2026-0001.pdf"
    kept = RenderedDocument.objects.get(invoice=invoice, format="pdf")
    assert attached.get_content() == bytes(kept.content)


def test_a_credit_note_asks_for_no_payment_nor_does_an_invoice_that_was_paid_ahead() -> None:
    """What a credit note gives back is said without a minus; bank details are for who owes something."""
    note = sample.CREDIT_NOTE
    assert subject(note).startswith("Credit note EC-CN-2026-0007, October 2026 / 贷项账单 EC-CN-2026-0007")
    assert "credit note EC-CN-2026-0007 for October 2026: 1,060.00 CNY of EC-2026-0424." in text(note)
    ahead = replace(sample.ISSUED, due="0.00")
    assert "there is nothing to do" in text(ahead)
    for asks_nothing in (text(note), text(ahead)):
        for words in ("is due on", "Please pay to", "请于", "收款账户", "−"):
            assert words not in asks_nothing
    assert "Please pay to" in text(sample.MIXED)  # half a million was paid ahead, and the rest is due


def test_sending_twice_sends_once_unless_somebody_says_so(invoice: Invoice, office: tuple[Post, MailSettings]) -> None:
    post, settings = office
    assert [sent(invoice, settings).round for _ in range(2)] == [1, 1]
    assert len(post.received) == 1
    assert sent(invoice, settings, again=True).round == 2
    assert len(post.received) == 2
    assert AuditLog.objects.filter(action="mail.send", subject="invoice EC-2026-0001").count() == 2


def test_a_recipient_that_is_refused_keeps_the_mail_here_until_it_is_mended(
    invoice: Invoice, office: tuple[Post, MailSettings]
) -> None:
    post, settings = office
    post.refuse_recipient = "cfo@acme.example"
    fate = sent(invoice, settings)
    assert (fate.state, fate.detail) == ("refused", "cfo@acme.example: 550 5.1.1 no such mailbox")
    assert post.received == []
    post.refuse_recipient = ""
    assert sent(invoice, settings).state == "sent"


def test_a_message_that_the_server_refuses_may_be_sent_again(
    invoice: Invoice, office: tuple[Post, MailSettings]
) -> None:
    post, settings = office
    post.answer = "554 5.7.1 looks like spam"
    assert sent(invoice, settings) == Fate(
        state="refused", round=1, at_ms=CLOCK.now_ms(), detail="554 5.7.1 looks like spam"
    )
    post.answer = "250 2.0.0 kept"
    assert sent(invoice, settings).state == "sent"


def test_a_connection_that_breaks_after_the_message_leaves_it_uncertain_and_unrepeated(
    invoice: Invoice, office: tuple[Post, MailSettings]
) -> None:
    """The server may have it: a customer with two invoices is worse than one who is asked."""
    post, settings = office
    post.break_off = post.keep_before_breaking = True
    assert sent(invoice, settings).state == "uncertain"
    post.break_off = False
    assert sent(invoice, settings).state == "uncertain"
    assert len(post.received) == 1
    assert sent(invoice, settings, again=True).state == "sent"


def test_a_server_that_is_not_there_refuses_nothing_for_good(invoice: Invoice) -> None:
    nowhere = MailSettings(host="127.0.0.1", port=1, tls="none", sender=SENDER, timeout_s=PATIENCE_S)
    fate = sent(invoice, nowhere)
    assert (fate.state, fate.open) == ("refused", True)
    assert "127.0.0.1:1" in fate.detail


def test_a_process_that_died_while_sending_leaves_it_uncertain(invoice: Invoice) -> None:
    Mail.objects.create(
        customer=invoice.customer, key=key_of("EC-2026-0001"), round=1, recipients=[], subject="", message_id="",
        sha256="", at_ms=1, who="tests",
    )  # fmt: skip
    assert (fate_of(key_of("EC-2026-0001")).state, fate_of(key_of("EC-2026-0001")).open) == ("uncertain", False)


def test_an_unrendered_document_cannot_be_sent(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(store.home, ISSUER + WITH_EMAIL + PRICE)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    close(ledger, "2026-01", AFTER)
    with pytest.raises(Refuse, match="is a draft"):
        invoice_letter(Invoice.objects.get())
    monkeypatch.setitem(renderers.RENDERERS, "pdf", Printer(b""))
    with pytest.raises(InvariantBroken):
        close(ledger, "2026-01", AFTER, issue=True, files=True)
    with pytest.raises(Refuse, match="has no PDF yet: run cardhour close 2026-01 --issue"):
        invoice_letter(issued()[0])


def test_a_customer_without_an_address_is_named(store: Store, invoice: Invoice) -> None:
    apply(store.home, ACME)
    with pytest.raises(Refuse, match="customer 'acme' has no email in the catalog"):
        invoice_letter(issued()[0])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_mail SET subject = ''",
        "DELETE FROM billing_mail",
        "UPDATE billing_mailoutcome SET state = 'refused'",
        "DELETE FROM billing_mailoutcome",
    ],
)
def test_the_database_refuses_to_change_what_was_sent(
    invoice: Invoice, office: tuple[Post, MailSettings], statement: str
) -> None:
    sent(invoice, office[1])
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert MailOutcome.objects.get().state == "sent"


class TestSecured:
    """A server that wants STARTTLS and a login."""

    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def secured(self, authority: trustme.CA, tmp_path: Path) -> Iterator[tuple[Post, MailSettings]]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        with post_office(context) as (post, port):
            yield post, MailSettings(
                host="127.0.0.1", port=port, sender=SENDER, user=USER, password=Secret(PASSWORD),
                ca_file=str(tmp_path / "ca.pem"), timeout_s=PATIENCE_S,
            )  # fmt: skip

    def test_it_is_given_both(self, invoice: Invoice, secured: tuple[Post, MailSettings]) -> None:
        assert sent(invoice, secured[1]).state == "sent"

    def test_a_wrong_password_is_an_answer_and_stays_unsaid(
        self, invoice: Invoice, secured: tuple[Post, MailSettings]
    ) -> None:
        wrong = MailSettings(
            **{name: getattr(secured[1], name) for name in secured[1].__struct_fields__}
            | {"password": Secret("another")}
        )
        fate = sent(invoice, wrong)
        assert (fate.state, "535" in fate.detail, "another" in fate.detail) == ("refused", True, False)

    def test_a_server_that_nobody_vouches_for_gets_nothing(
        self, invoice: Invoice, secured: tuple[Post, MailSettings]
    ) -> None:
        stranger = MailSettings(
            **{name: getattr(secured[1], name) for name in secured[1].__struct_fields__} | {"ca_file": ""}
        )
        fate = sent(invoice, stranger)
        assert (fate.state, "certificate" in fate.detail.lower()) == ("refused", True)
        assert secured[0].received == []


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("SENDER", "", r"\[mail\] sender"),
        ("USER", "billing", "give both, or neither"),
        ("TLS", "sometimes", "Invalid enum value 'sometimes'"),
    ],
)
def test_mail_settings_that_cannot_work_are_refused(tmp_path: Path, setting: str, value: str, problem: str) -> None:
    environ = {"CARDHOUR_HOME": str(tmp_path), "CARDHOUR_MAIL_HOST": "mail.example.com"}
    environ |= {"CARDHOUR_MAIL_SENDER": SENDER, f"CARDHOUR_MAIL_{setting}": value}
    with pytest.raises(Refuse, match=problem):
        load_config(environ)


def test_a_months_invoices_are_sent_at_the_command_line(
    store: Store, invoice: Invoice, office: tuple[Post, MailSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    post, settings = office
    desk = Desk(store, monkeypatch)
    assert "[mail]" in desk.refusal("send", "2026-01")
    for name, value in (("HOST", "127.0.0.1"), ("PORT", str(settings.port)), ("TLS", "none"), ("SENDER", SENDER)):
        monkeypatch.setenv(f"CARDHOUR_MAIL_{name}", value)
    assert "is issued yet" in desk.refusal("send", "2026-02")
    assert [row["state"] for row in desk.rows("send", "2026-01", "--dry-run")] == ["to send"]
    assert post.received == []
    assert [row["state"] for row in desk.rows("send", "2026-01", "--yes")] == ["sent"]
    assert "0 of 1 invoices to send" in desk.text("send", str(invoice.number), "--yes")
    assert len(post.received) == 1
    post.refuse_recipient = "cfo@acme.example"
    assert "not known to be sent: EC-2026-0001" in desk.refusal("send", "2026-01", "--again", "--yes")


def test_an_address_that_is_none_is_refused_in_the_catalog(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text(ACME.replace('name = "Acme Ltd"', 'name = "A"\nemail = "ap at acme"'))
    (problem,) = read_catalog(tmp_path / "catalog.toml").problems
    assert "'ap at acme' is not an address such as billing@example.com" in problem
