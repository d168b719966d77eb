"""A statement by mail: it leaves once, and whoever has the mail confirms or disputes by its link, without a login."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.test import Client

from cardhour_billing.models import AuditLog, Customer, Statement, StatementEvent
from cardhour_billing.outgoing import MailSettings
from cardhour_billing.statements.mail import ANSWER_DAYS, link_token, send_statement, statement_letter
from cardhour_billing.statements.mail import statement_named_by as named_by
from cardhour_billing.statements.statement import confirm, document_of, draw_up, state
from cardhour_contract.clock import SystemClock, VirtualClock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import DAY_MS
from tests.billing.books import apply, on_sqlite
from tests.billing.conftest import Store
from tests.billing.in_process import Desk
from tests.billing.mail_server import Post, post_office
from tests.billing.test_statement import CLOCK, FEBRUARY, customer
from tests.billing.test_tax_invoices import CNY_ISSUER

__all__ = ["customer", "on_sqlite"]

PORTAL = "https://billing.example.com/"
NOW = VirtualClock(SystemClock().now_ms())
"""Pages have the system's clock, so links that they are asked for are made by it."""


@pytest.fixture
def office() -> Iterator[tuple[Post, MailSettings]]:
    with post_office() as (post, port):
        yield post, MailSettings(host="127.0.0.1", port=port, tls="none", sender="Billing <b@example.com>", timeout_s=5)


@pytest.fixture
def statement(store: Store, customer: Customer) -> Statement:
    """February of Qinghe, drawn up and not sent."""
    apply(store.home, CNY_ISSUER.replace('name = "清禾智能"', 'name = "清禾智能"\nemail = "ap@qinghe.example"'))
    found = Customer.objects.select_related("issuer").get(key="qinghe")
    return draw_up(found, *FEBRUARY, clock=CLOCK, who="tests")


def mailed(statement: Statement, settings: MailSettings, portal: str = PORTAL, *, again: bool = False) -> str:
    return send_statement(statement, settings, portal, clock=NOW, who="tests", again=again).state


def link_of(post: Post) -> str:
    body = post.received[-1][1].get_body()
    assert body is not None
    links: set[str] = set(re.findall(re.escape(PORTAL.rstrip("/")) + r"(/\S+)", body.get_content()))
    assert len(links) == 1
    return links.pop()


def answered(statement: Statement) -> list[tuple[str, int | None, str, str]]:
    return list(StatementEvent.objects.filter(statement=statement).values_list("kind", "line", "note", "who"))


def test_a_statement_leaves_once_in_both_languages_and_is_marked_as_sent(
    statement: Statement, office: tuple[Post, MailSettings]
) -> None:
    post, settings = office
    assert [mailed(statement, settings) for _ in range(2)] == ["sent", "sent"]
    ((recipients, message),) = post.received
    assert recipients == ["ap@qinghe.example"]
    assert message["subject"].startswith("示例算力: 对账单（截至 2026 年 2 月 28 日） / Statement of account to 28 Feb")
    body = message.get_body()
    assert body is not None
    closing = document_of(statement).closing
    assert closing == "254.10"
    assert f"期末余额  {closing}" in body.get_content()
    assert f"closing balance  {closing}" in body.get_content()
    assert [each.get_content_type() for each in message.iter_attachments()] == ["application/pdf", "text/csv"]
    assert answered(statement) == [("sent", None, "ap@qinghe.example", "tests")]
    assert mailed(statement, settings, again=True) == "sent"
    assert len(post.received) == 2


def test_the_reader_disputes_a_line_and_confirms_once_it_is_settled(
    statement: Statement, office: tuple[Post, MailSettings]
) -> None:
    post, settings = office
    mailed(statement, settings)
    link, reader = link_of(post), Client()
    page = reader.get(link)
    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]
    assert "254.10" in page.content.decode()
    assert state(statement) == "sent"  # looking changes nothing
    incomplete = reader.post(link, {"answer": "dispute", "name": "李会计", "line": "2"})
    assert (incomplete.status_code, state(statement)) == (409, "sent")
    assert reader.post(link, {"answer": "confirm", "name": " "}).status_code == 409
    told = reader.post(link, {"answer": "dispute", "name": "李会计", "line": "2", "reason": "10 日已退租"})
    assert "10 日已退租" in told.content.decode()
    assert reader.post(link, {"answer": "dispute", "name": "x", "line": "99", "reason": "y"}).status_code == 409
    assert reader.post(link, {"answer": "confirm", "name": "李会计"}).status_code == 200
    assert answered(statement)[1:] == [
        ("disputed", 2, "李会计: 10 日已退租", "qinghe by mail"),
        ("confirmed", None, "李会计", "qinghe by mail"),
    ]
    assert AuditLog.objects.filter(who="qinghe by mail", action="statement.confirmed").count() == 1
    again = reader.post(link, {"answer": "dispute", "name": "x", "line": "1", "reason": "y"})
    assert (again.status_code, state(statement)) == (409, "confirmed")
    with pytest.raises(Refuse, match="is confirmed: draw up another revision"):
        mailed(statement, settings, again=True)


def test_a_link_is_of_one_statement_for_sixty_days_and_only_as_we_signed_it(statement: Statement) -> None:
    token, now_ms = link_token(statement, CLOCK), CLOCK.now_ms()
    end_ms = now_ms + ANSWER_DAYS * DAY_MS
    assert named_by(token, end_ms - 1) == statement
    for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), "B" + token[1:], "", "x", token + "é"):
        assert named_by(wrong, now_ms) is None
    assert named_by(token, end_ms) is None
    fresh = f"/statements/answer/{link_token(statement, NOW)}/"
    assert Client().get(fresh).status_code == 404  # it was not sent: a draft is ours to draw up again
    assert Client().get("/statements/answer/x/").status_code == 404
    assert Client(enforce_csrf_checks=True).post(fresh, {"answer": "confirm", "name": "x"}).status_code == 403


def test_without_an_address_of_the_portal_the_reader_is_asked_to_write_back(statement: Statement) -> None:
    text = statement_letter(statement, "", CLOCK).text
    assert "直接回复本邮件即可" in text
    assert "Answering this mail is enough." in text
    assert "http" not in text


def test_what_the_server_refuses_is_not_sent(statement: Statement, office: tuple[Post, MailSettings]) -> None:
    post, settings = office
    post.answer = "554 5.7.1 no"
    assert (mailed(statement, settings), state(statement)) == ("refused", "draft")
    post.answer = "250 2.0.0 kept"
    assert (mailed(statement, settings), state(statement)) == ("sent", "sent")


def test_a_statement_that_somebody_confirmed_by_telephone_is_answered(statement: Statement) -> None:
    StatementEvent.objects.create(statement=statement, kind="sent", note="by courier", at_ms=0, who="tests")
    confirm(statement, "Ms Li", clock=CLOCK, who="tests")
    page = Client().get(f"/statements/answer/{link_token(statement, NOW)}/").content.decode()
    assert "Ms Li has confirmed it" in page
    assert '<button class="button' not in page


def test_statements_are_sent_at_the_command_line(
    desk: Desk, statement: Statement, office: tuple[Post, MailSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    post, settings = office
    mail = {"HOST": "127.0.0.1", "PORT": str(settings.port), "TLS": "none", "SENDER": "b@example.com"}
    for name, value in mail.items():
        monkeypatch.setenv(f"CARDHOUR_MAIL_{name}", value)
    monkeypatch.setenv("CARDHOUR_WEB_URL", PORTAL)
    key = str(statement.pk)
    (planned,) = desk.rows("statement", "send", key, "--dry-run")
    assert (planned["state"], post.received) == ("to send", [])
    (row,) = desk.rows("statement", "send", key, "--yes")
    assert (row["state"], row["to"]) == ("sent", "ap@qinghe.example")
    assert link_of(post).startswith("/statements/answer/")
