"""A clerk's month, step by step. Each function is a piece of it and begins where the one before it ended."""

from __future__ import annotations

import csv
import json
from base64 import b32decode
from decimal import Decimal
from pathlib import Path

from django_otp.oath import TOTP
from playwright.sync_api import expect

from cardhour_contract.moment import parse_rfc3339
from tests.billing.mail_server import Post, text_of
from tests.portal import pdf_text
from tests.portal.month_facts import CLERK, Names
from tests.portal.month_server import MonthPortal
from tests.portal.signing_in import PASSWORD
from tests.portal.walker import Walker


def sets_up_a_second_factor(clerk: Walker, portal: MonthPortal) -> str:
    """The role needs one: it is set up before anything else is seen. What the authenticator was given."""
    _types_the_password(clerk)
    clerk.sees("Set up a second factor")
    clerk.page.get_by_text(clerk.word("No camera? Type this key instead")).click()
    secret = clerk.page.locator("details").inner_text().splitlines()[-1].replace(" ", "")
    clerk.fill("Code", _code(secret, portal.moment))
    clerk.press("Continue")
    clerk.sees("Recovery codes")
    clerk.follow("I have kept them")
    clerk.sees("Today")
    return secret


def signs_in(clerk: Walker, portal: MonthPortal, secret: str) -> None:
    """With the password and the code of the moment."""
    _types_the_password(clerk)
    clerk.sees("Second factor")
    clerk.fill("Code", _code(secret, portal.moment))
    clerk.press("Continue")
    clerk.sees("Today")


def _types_the_password(clerk: Walker) -> None:
    clerk.opens("/")
    clerk.sees("Sign in")
    clerk.fill("User name", CLERK)
    clerk.fill("Password", PASSWORD)
    clerk.press("Continue")


def _code(secret: str, moment: str) -> str:
    """What an authenticator shows that knows ``secret``."""
    totp = TOTP(b32decode(secret + "=" * (-len(secret) % 8)))
    totp.time = parse_rfc3339(moment) / 1000
    return f"{totp.token():06d}"


def binds_whose_usage_it_is(clerk: Walker, names: Names) -> None:
    """Today says whose usage is nobody's. It is bound once the effect in money was seen, and then nobody's is none."""
    clerk.shows("k8s:lab", "20.00 CNY", within="Usage that nobody is bound to")
    clerk.follow("Bind…", about="k8s:lab")
    clerk.sees("New binding")
    clerk.choose("Customer", names.blue)
    clerk.press("Preview")
    clerk.sees("1 change, not yet saved")
    expect(clerk.row(names.blue, "53.00", "74.20", "+21.20")).to_be_visible()
    clerk.press("Save 1 change")
    clerk.sees("Bindings")
    clerk.is_told("1 change was applied.")
    clerk.goes("Today")
    clerk.tells("0.00 card-hours, 0 owners")


def looks_at_the_silent_node(clerk: Walker) -> None:
    clerk.tells("Node silent", "32 min", within="Needs a person")
    clerk.follow("See the node", within="Needs a person")
    expect(clerk.page.get_by_role("heading", level=1)).to_have_text("hz-07")
    clerk.shows("2026-10-30 09:30", within="What it says")
    clerk.reads()
    clerk.goes("Today")


def replays_dead_letters(clerk: Walker) -> None:
    """Fifteen minutes by a clock that was an hour ahead: tried, and what they are worth is seen, before it is done."""
    clerk.tells("15 messages of the last week", within="Needs a person")
    clerk.follow("Review", within="Needs a person")
    clerk.sees("Dead letters")
    clerk.press("Replay all…", about=": clock_skew")
    clerk.sees("Replay 15 letters?")
    clerk.tells("tried on every one")
    expect(clerk.row("hz-07", "+1:00:00.000", "15")).to_be_visible()
    clerk.shows("0.25", "2.50")
    clerk.press("Replay 15 letters")
    clerk.sees("Replay of dead letters")
    clerk.tells("15 accepted")
    expect(clerk.link("Look again")).to_have_count(0)  # it has ended, and with it what it changes


def mends_what_blocks(clerk: Walker, names: Names) -> None:
    """The checklist holds one draft back: a model has no price. The finding leads to the form that gives it one."""
    clerk.tells("4 days", "1 draft is held back", within="Needs a person")
    clerk.follow("Open month close", within="Needs a person")
    clerk.sees("Close October 2026")
    clerk.tells("2 ready, 1 blocked")
    clerk.tells("Price gap", "1 blocking", within="Checklist")
    expect(clerk.row(names.blue, clerk.word("Blocked"), "76.85")).to_be_visible()
    clerk.follow("Add price", about=": " + clerk.word("Price gap"))
    clerk.sees("New price")
    clerk.fill("Per card-hour", "3.00")
    clerk.press("Preview")
    clerk.sees("1 change, not yet saved")
    clerk.tells("What October 2026 would come to")
    expect(clerk.row(names.blue, "76.85", "89.57", "+12.72")).to_be_visible()
    clerk.press("Save 1 change")
    clerk.sees("Prices")
    clerk.follow("Month close")
    clerk.press("Recompute drafts")
    ended = clerk.page.get_by_role("status").filter(has_text=CLERK)
    expect(ended).to_contain_text(clerk.word("3 drafts"))  # by itself: the page is loaded anew when the run has ended
    clerk.tells("3 ready, 0 blocked")
    clerk.tells("Every price and tax is known", within="Checklist")
    expect(clerk.row(names.blue, "84.50", "5.07", "89.57", "+12.00")).to_be_visible()  # since the last draft
    expect(clerk.row("CNY", "344.50", "300.00", "644.50", "38.67", "683.17").last).to_be_visible()
    clerk.sees("Close October 2026")


def issues(clerk: Walker, names: Names) -> None:
    """One invoice first, then all that are left: each time what will be issued is confirmed."""
    clerk.tick(names.red)
    clerk.press("Issue selected")
    clerk.sees("Issue 1 invoice of October 2026?")
    clerk.shows("106.00")
    clerk.press("Issue 1 invoice")
    clerk.tells("2 ready, 0 blocked", "1 issued")
    clerk.follow("Issue all 2 ready")
    clerk.sees("Issue 2 invoices of October 2026?")
    clerk.tells("Cannot be undone.")
    clerk.shows("577.17")
    clerk.press("Issue 2 invoices")
    clerk.tells("0 ready, 0 blocked", "2 issued")
    clerk.sees("Close October 2026")


def sends(clerk: Walker, names: Names, post: Post, folder: Path) -> None:
    """What is due on the page is due in its PDF, which is mailed once the letter was read."""
    clerk.picks(names.red)
    clerk.sees("Statement EC-2026-0001")
    clerk.tells("Amount due, 4 December 2026")
    pdf = clerk.loads(clerk.word("Download PDF"), folder)
    assert pdf.name == "EC-2026-0001.pdf"
    assert "106.00 CNY" in pdf_text.text_of(pdf)
    clerk.follow("Mail it")
    clerk.sees("Mail EC-2026-0001")
    clerk.press("Send")
    clerk.sees("Statement EC-2026-0001")
    clerk.tells("Mailed 2026-11-04 09:00")
    ((recipients, letter),) = post.received
    assert recipients == ["accounts@red.example"]
    assert "106.00 CNY" in text_of(letter)
    assert [each.get_filename() for each in letter.iter_attachments()] == ["EC-2026-0001.pdf", "EC-2026-0001.xml"]


def explains(clerk: Walker, folder: Path) -> None:
    """Red disputes 4 October: its line, the day and a quarter hour are three clicks, and the records can be kept."""
    clerk.picks("100.00")
    clerk.sees("Where 100.00 CNY comes from")
    clerk.link_in_chart("Days of the line", "2026-10-04").click()
    clerk.tells("4 October 2026 by card")
    clerk.link_in_chart("Quarter hours of the card, by state", "10:30").click()
    clerk.tells("Quarter hour 10:30 – 10:45")
    expect(clerk.row("10:30:00.000", "10:45:00.000", "900.000", "2.50", "k8s:red", "train-8")).to_be_visible()
    clerk.sees("Where 100.00 CNY comes from")
    records = clerk.loads("CSV", folder, within="Quarter hour 10:30 – 10:45")
    (row,) = csv.DictReader(records.read_text("utf-8-sig").splitlines())
    assert (row["owner"], row["workload"]) == ("k8s:red", "train-8")
    clerk.picks("EC-2026-0001")
    clerk.sees("Statement EC-2026-0001")


def gives_back(clerk: Walker) -> None:
    """The node did hang: the two hours of that day are credited, after the effect was seen."""
    clerk.follow("Credit note")
    clerk.sees("Credit note for EC-2026-0001")
    clerk.fill("Give back of line 1", "20.00")
    clerk.choose("Reason", clerk.word("Correction: it was billed wrongly"))
    clerk.press("Preview")
    clerk.shows("21.20", "20.00 + 1.20")
    clerk.tells("84.80 open after")
    clerk.press("Issue credit note")
    clerk.sees("Statement EC-2026-0001")
    clerk.tells("Part-paid", within="Where it stands")
    clerk.shows("EC-CN-2026-0001", "21.20", "84.80", within="Settled by")


def records_the_payment(clerk: Walker) -> None:
    """What came in settles the rest to the cent, which is seen first."""
    clerk.follow("Record a payment")
    clerk.sees("Record a payment for EC-2026-0001")
    clerk.fill("Amount received", "84.80")
    clerk.fill("Value date", "2026-11-04")
    clerk.fill("Bank reference", "TT-1104")
    clerk.press("Preview")
    clerk.tells("What 84.80 CNY settles")
    expect(clerk.row("EC-2026-0001", "84.80", "0.00")).to_be_visible()
    clerk.press("Record payment")
    clerk.sees("Statement EC-2026-0001")
    clerk.tells("Paid", within="Where it stands")
    clerk.goes("Invoices")
    expect(clerk.row("EC-2026-0001", clerk.word("Paid"))).to_be_visible()
    expect(clerk.row("EC-2026-0002", clerk.word("Open"))).to_be_visible()


def sends_the_statement(clerk: Walker, portal: MonthPortal, post: Post, names: Names) -> None:
    """What red owed, was charged and has paid, for red to confirm; staff see how it stands."""
    row, = json.loads(portal.command("statement", "draft", "--customer", "red", "--from", "2026-10-01", "--to",
                                     "2026-11-04", "--format", "json"))  # fmt: skip
    assert row["closing"] == "0.00"
    portal.command("statement", "send", str(row["statement"]), "--yes")
    _, letter = post.received[-1]
    assert [str(each.get_filename())[-4:] for each in letter.iter_attachments()] == [".pdf", ".csv"]
    clerk.goes("Statements")
    expect(clerk.row(names.red, clerk.word("Sent"), "0.00")).to_be_visible()


def looks_at_the_fleet(clerk: Walker) -> None:
    """Every card-hour of October is accounted for: what was sold and all else add up to the fleet's capacity."""
    clerk.goes("Fleet and margin")
    clerk.tells("October 2026")
    sold = clerk.row("A100", within="Card-hour ledger").get_by_role("cell")
    *terms, capacity = (Decimal(text.replace(",", "")) for text in sold.all_inner_texts())
    assert terms[1] == Decimal("27.25"), terms
    assert sum(terms) == capacity


DONE = (
    ("second-factor.enrol", CLERK), ("catalog.add", "binding k8s:lab"), ("dead letters replay", "clock_skew"),
    ("catalog.add", "price L40S"), ("invoice.issue", "EC-2026-0001"), ("invoice.issue", "EC-2026-0002"),
    ("invoice.issue", "EC-2026-0003"), ("mail.send", "invoice EC-2026-0001"),
    ("credit-note.issue", "EC-CN-2026-0001"), ("payment.record", "P1"),
)  # fmt: skip
"""Acts of the month, as the audit log calls them, and what each was about."""


def stands_in_the_audit_log(clerk: Walker, folder: Path) -> None:
    """Every act is there, by whom, and the chain of entries is whole."""
    clerk.follow("Audit log")
    clerk.press("Verify the chain")
    clerk.is_told("The log is whole")
    clerk.fill("Who", CLERK)
    clerk.press("Apply")
    clerk.page.wait_for_url("**who=**")
    clerk.sees("Audit log")
    for action, subject in DONE:
        expect(clerk.row(action, subject.rpartition(" ")[2]).first).to_be_visible()
    log = clerk.loads("CSV", folder)
    entries = list(csv.DictReader(log.read_text("utf-8-sig").splitlines()))
    assert {each["who"] for each in entries} == {CLERK}
    assert set(DONE) <= {(each["action"], each["subject"]) for each in entries}
    clerk.press("Sign out")
    clerk.sees("Sign in")
