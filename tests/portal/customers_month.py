"""A customer's month, step by step. Each function is a piece of it and begins where the one before it ended."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import json
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path

from playwright.sync_api import expect

from tests.billing.mail_server import Post, link_in, text_of
from tests.billing.receiver import Receiver
from tests.portal import pdf_text
from tests.portal.month_server import MonthPortal
from tests.portal.signing_in import PASSWORD
from tests.portal.walker import Walker

ADMIN, COLLEAGUE, FINANCE = "wang.fang@green.example", "li.na@green.example", "finance@green.example"


def letters_to(post: Post, address: str) -> list[EmailMessage]:
    """What was mailed to ``address``, oldest first."""
    return [letter for recipients, letter in post.received if recipients == [address]]


def minor(text: str) -> int:
    """An amount as a page or a file has it, in minor units."""
    return int(text.replace(",", "").replace(".", ""))


def accepts_the_invitation(reader: Walker, portal: MonthPortal, post: Post, address: str) -> None:
    """The letter's link leads to a password of one's own, and that to one's pages."""
    reader.opens(link_in(letters_to(post, address)[0], portal.address))
    reader.sees("Welcome: set your password")
    reader.fill("New password", PASSWORD)
    reader.fill("New password again", PASSWORD)
    reader.press("Set password")
    reader.sees("Sign in")
    reader.is_told("Your password is set. Sign in with it.")
    reader.fill("User name", address)
    reader.fill("Password", PASSWORD)
    reader.press("Continue")
    reader.sees("Usage and charges")


def reads_the_month_to_date(reader: Walker, folder: Path) -> None:
    """By day, project and model the month adds up to one sum, and so does the report that is downloaded."""
    whole = reader.row(reader.word("Sum"), within="By model").get_by_role("cell").last.inner_text()
    for model, hours, net in (("A100", "14.00", "140.00"), ("H800", "2.00", "40.00"), ("green-h800", "—", "200.00")):
        expect(reader.row(model, hours, net, within="By model")).to_be_visible()
    assert whole == "380.00"
    expect(reader.row("speech", "140.00", within="By project")).to_be_visible()
    expect(reader.row("vision", "40.00", within="By project")).to_be_visible()
    expect(reader.row(reader.word("Sum"), "180.00", within="By project")).to_be_visible()
    for coloured in ("Project", "Model"):
        reader.follow(coloured, within="Charges by day")
        expect(reader.link(coloured, within="Charges by day")).to_have_attribute("aria-current", "true")
        reader.shows(whole, within="Charges by day")
    file = reader.loads(reader.word("Download report"), folder, by="button")
    rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    assert sum(minor(row["net"]) for row in rows) == minor(whole)
    assert {row["project"] for row in rows} >= {"speech", "vision"}


def subscribes(reader: Walker) -> None:
    """To the report of each month, which comes when the month is closed."""
    reader.follow("Monthly by e-mail")
    reader.sees("Monthly reports by e-mail")
    reader.press("Subscribe")
    reader.sees("Monthly reports by e-mail")
    expect(reader.row("CSV", reader.word("November 2026"), within="Your subscriptions")).to_be_visible()


def looks_at_what_is_paid_ahead(reader: Walker) -> None:
    """Leases with how much of them is used, what is left of a promise, and the balance."""
    reader.goes("Leases", "Leases and commitments")
    expect(reader.row("green-h800", reader.word("Running"), "300.00 CNY", within="Leases")).to_be_visible()
    expect(reader.row("green-a100", "100", "24", "76", within="Commitments")).to_be_visible()
    reader.goes("Balance")
    reader.shows("100.00")
    expect(reader.row("TT-1119", "100.00", within="Entries")).to_be_visible()


def sets_a_budget(reader: Walker, receiver: Receiver) -> str:
    """With a threshold that mail and a webhook tell of; a test of the webhook arrives. Its secret."""
    reader.goes("Budgets", "Budgets and alerts")
    reader.fill("Amount", "400.00")
    reader.fill("Thresholds, percent", "100")
    reader.fill("E-mail to", FINANCE)
    reader.press("Add budget")
    reader.sees("Budgets and alerts")
    expect(reader.row(reader.word("Everything"), "400.00", FINANCE, within="Budgets")).to_be_visible()
    reader.fill("Address", receiver.url)
    reader.press("Set webhook")
    reader.sees("Budgets and alerts")
    secret = reader.page.get_by_label(reader.word("Secret"), exact=True).input_value()
    reader.press("Send a test")
    reader.tells("Delivered", within="Delivery log")
    assert heard(receiver, secret)[-1]["type"] == "webhook.test"
    return secret


def heard(receiver: Receiver, secret: str) -> list[dict[str, str]]:
    """What the receiver was told; each must be signed with the secret, as Standard Webhooks describes."""
    key, told = base64.b64decode(secret.removeprefix("whsec_")), []
    for headers, body in receiver.heard:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{mac}"
        told.append(json.loads(body))
    return told


def hears_that_it_is_crossed(reader: Walker, post: Post, receiver: Receiver, secret: str) -> None:
    """By mail, by the webhook, and on the page, which says what was delivered."""
    (letter,) = letters_to(post, FINANCE)
    assert "400.00" in text_of(letter)
    assert "budget.threshold" in {each["type"] for each in heard(receiver, secret)}
    reader.goes("Budgets", "Budgets and alerts")
    expect(reader.row(reader.word("Everything"), reader.word("Over"), "400.00", within="Budgets")).to_be_visible()
    expect(reader.row("budget.threshold", reader.word("Delivered"), within="Delivery log")).to_be_visible()
    expect(reader.row(FINANCE, reader.word("sent"), within="Alerts")).to_be_visible()


def invites_a_colleague(reader: Walker) -> None:
    reader.goes("Users", "Users of your organisation")
    reader.fill("E-mail address, to sign in with", COLLEAGUE)
    reader.press("Send invitation")
    reader.sees("Users of your organisation")
    expect(reader.row(COLLEAGUE, reader.word("Invited"), reader.word("Member"))).to_be_visible()


def colleague_only_looks(colleague: Walker) -> None:
    """A member sees the same figures, and nothing of what an admin keeps."""
    colleague.goes("Budgets", "Budgets and alerts")
    expect(colleague.row(colleague.word("Everything"), "400.00", within="Budgets")).to_be_visible()
    expect(colleague.page.get_by_role("button", name=colleague.word("Add budget"))).to_have_count(0)
    assert [colleague.status(path) for path in ("/organisation/", "/api-keys/")] == [403, 403]


def gives_a_program_a_key(reader: Walker) -> None:
    """It reads what its customer reads, until it is revoked."""
    reader.goes("API keys")
    reader.fill("Name", "ledger export")
    reader.tick(reader.word("Read invoices, credit notes and their files"))
    reader.press("Make the key")
    reader.sees("API keys")
    token = reader.page.get_by_label(reader.word("Token"), exact=True).input_value()
    bearer = {"authorization": f"Bearer {token}"}
    answer = reader.page.request.get("/api/v1/invoices", headers=bearer)
    assert answer.status == 200, answer.text()
    reader.press("Revoke", about="ledger export")
    reader.sees("API keys")
    expect(reader.row("ledger export", reader.word("Revoked"))).to_be_visible()
    assert reader.page.request.get("/api/v1/invoices", headers=bearer).status == 401


def reads_the_other_language(reader: Walker, other: Mapping[str, str]) -> None:
    """One button changes the language where one stands, and another changes it back. ``other``: its words."""
    reader.goes("Usage", "Usage and charges")
    reader.press("中文")
    heading = reader.page.get_by_role("heading", level=1)
    expect(heading).to_have_text(other.get("Usage and charges", "Usage and charges"))
    reader.page.get_by_role("button", name=other.get("中文", "中文"), exact=True).click()
    reader.sees("Usage and charges")


def has_the_invoice(reader: Walker, folder: Path) -> None:
    """What is due on the page is due in its PDF; the XML is for the customer's own books."""
    reader.goes("Invoices")
    reader.row(reader.word("November 2026")).get_by_role("link").first.click()
    reader.tells("Amount due, 2 January 2027")
    reader.reads()
    pdf = reader.loads(reader.word("Download PDF"), folder)
    assert "514.80 CNY" in pdf_text.text_of(pdf)
    reader.shows("514.80", "614.80")
    xml = reader.loads(reader.word("E-invoice") + " XML, EN 16931", folder)
    assert "614.80" in xml.read_text("utf-8")


def is_sent_a_statement(portal: MonthPortal) -> int:
    """Of November, by the provider; its number."""
    words = ("statement", "draft", "--customer", "green", "--month", "2026-11", "--format", "json")
    key: int = json.loads(portal.command(*words))[0]["statement"]
    portal.command("statement", "send", str(key), "--yes")
    return key


def confirms_the_statement(reader: Walker) -> None:
    """What was owed before, charged, paid and is owed now."""
    reader.goes("Statements", "Statements of account")
    reader.picks("2026-11-01 – 2026-11-30")
    reader.sees("Statement of account")
    reader.shows("487.60", "514.80", "1,002.40")
    reader.press("Confirm all of it")
    reader.tells("Confirmed")
    reader.sees("Statement of account")


def gets_the_report(post: Post) -> None:
    """The month that was subscribed to, as it was billed."""
    *_, letter = letters_to(post, ADMIN)
    (file,) = letter.iter_attachments()
    content = file.get_payload(decode=True)
    assert isinstance(content, bytes)
    rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    assert sum(minor(row["net"]) for row in rows) == 58_000


def finds_nobody_elses(reader: Walker, statement: int) -> None:
    """Of all invoices and statements that there are, only one's own exist; the provider's pages are refused."""
    reader.goes("Invoices")
    links = reader.part("").get_by_role("rowheader").get_by_role("link").all()
    own = {str(link.get_attribute("href")) for link in links}
    assert len(own) == 2
    others = {f"/invoices/{key}/" for key in range(1, 9)} - own
    assert {reader.status(path) for path in own} == {200}
    assert {reader.status(path + file) for path in others for file in ("", "statement.pdf", "document.xml")} == {404}
    found = {key: reader.status(f"/statements/{key}/statement.csv") for key in range(1, 5)}
    assert found == {key: 200 if key == statement else 404 for key in found}
    for path in ("/today/", "/close/2026-11/", "/records/customers/", "/audit/"):
        assert reader.status(path) == 403
