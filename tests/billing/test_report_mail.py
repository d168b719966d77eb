"""The monthly report by mail: once a month and subscription, when the month is closed, and ended by one click."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from cardhour_billing.config import load_config
from cardhour_billing.models import AuditLog, Invoice, JobRun, Mail, ReportSubscription
from cardhour_billing.money import Money
from cardhour_billing.sending.mail import Letter, message_of, sent_bytes
from cardhour_billing.usage_report import mailing as report_mail
from cardhour_billing.usage_report.mailing import TRIES_MAX, mail_reports
from cardhour_billing.usage_report.subscription import subscribe
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import MINUTE_MS
from tests.billing.books import clock_at
from tests.billing.in_process import Desk, Store
from tests.billing.mail_server import Post, link_in, served_mail, text_of
from tests.billing.visitor import Visitor

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""Which database keeps subscriptions makes no difference to them."""

JANUARY, FEBRUARY = clock_at("2026-01-15T00:00:00Z"), "2026-02-11T00:00:00Z"
PORTAL = "https://billing.example.com"


@pytest.fixture
def post(books_of_two: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    """A mail server, and Ada of acme with an address."""
    monkeypatch.setenv("CARDHOUR_WEB_URL", PORTAL)
    Visitor("ada", customer="acme")
    User.objects.filter(username="ada").update(email="ada@acme.example")
    with served_mail(monkeypatch) as office:
        yield office


def subscribed(grouping: str = "day-project-model", form: str = "csv", language: str = "en") -> ReportSubscription:
    ada = User.objects.get(username="ada")
    return subscribe(ada, grouping=grouping, form=form, language=language, clock=JANUARY, who="ada")[0]


def tick(at: str = FEBRUARY, after_ms: int = 0) -> list[str]:
    """What the scheduler does then: how each report that it tried went."""
    clock = clock_at(at)
    clock.sleep_ms(after_ms)
    return [run.state for run in mail_reports(load_config(), clock)]


def test_a_report_is_mailed_once_when_its_month_is_closed(post: Post) -> None:
    subscribed()
    assert tick("2026-01-31T12:00:00Z") == [], "the month is not over"
    assert tick() == ["done"]
    assert tick() == []
    ((recipients, message),) = post.received
    assert recipients == ["ada@acme.example"]
    assert message["subject"] == "Example Compute: usage of Acme Ltd, January 2026"
    (file,) = message.iter_attachments()
    assert file.get_filename() == "usage-acme-2026-01-01-2026-01-31-day-project-model.csv"
    content = file.get_payload(decode=True)
    assert isinstance(content, bytes)
    rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    invoice = Invoice.objects.get(customer__key="acme")
    net = Money(amount=invoice.net, currency=invoice.currency)
    assert sum(int(row["net"].replace(".", "")) for row in rows) == net.amount
    assert f"without tax: {int(net.amount) // 100:,}." in text_of(message)
    sent = Mail.objects.get(key__startswith="report of ")
    assert (sent.recipients, sent.outcome.state) == (["ada@acme.example"], "sent")
    assert tick("2026-03-11T00:00:00Z") == [], "February is not closed"


def test_each_subscription_is_a_report_of_its_own_in_its_language(post: Post) -> None:
    subscribed()
    subscribed("day-card", "xlsx", "zh-hans")
    assert tick() == ["done", "done"]
    (_, first), (_, second) = post.received
    assert second["subject"] == "Example Compute: Acme Ltd 2026 年 1 月用量报表"
    (book,) = second.iter_attachments()
    content = book.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.startswith(b"PK")
    assert link_in(first, PORTAL) != link_in(second, PORTAL)


def test_what_was_refused_is_tried_again_after_a_while_and_not_for_ever(post: Post) -> None:
    found = subscribed()
    post.answer = "451 4.3.0 try later"
    assert tick() == ["failed"]
    assert tick() == [], "not at once"
    run = JobRun.objects.get(job=f"report-mail {found.pk}")
    assert "451 4.3.0 try later" in run.outcome
    assert tick(after_ms=MINUTE_MS) == ["failed"]
    post.answer = "250 2.0.0 kept"
    assert tick(after_ms=4 * MINUTE_MS) == ["done"]
    assert len(post.received) == 1
    JobRun.objects.update(state=JobRun.State.FAILED, attempts=TRIES_MAX)
    assert tick("2026-03-01T00:00:00Z") == []


def test_a_report_whose_fate_nobody_knows_is_not_sent_twice(post: Post) -> None:
    subscribed()
    post.break_off = post.keep_before_breaking = True
    assert tick() == ["done"]
    post.break_off = False
    JobRun.objects.update(state=JobRun.State.RUNNING)  # the process died before it could say so
    assert tick() == ["done"]
    assert len(post.received) == 1


def test_a_report_that_is_too_large_for_mail_is_a_link(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_mail, "ATTACHED_MAX", 10)
    subscribed()
    assert tick() == ["done"]
    ((_, message),) = post.received
    assert list(message.iter_attachments()) == []
    link = link_in(message, PORTAL)
    assert link.startswith("/usage/report?from=2026-01-01&to=2026-01-31")
    assert Client(SERVER_NAME="localhost").get(link).status_code == 302, "behind signing in"


def test_nobody_is_written_to_who_is_gone_or_has_no_address(post: Post) -> None:
    subscribed()
    for change in ({"is_active": False}, {"is_active": True, "email": ""}):
        User.objects.filter(username="ada").update(**change)
        assert tick() == []
    User.objects.filter(username="ada").delete()
    assert tick() == []
    assert post.received == []


def test_one_click_ends_a_subscription_and_looking_does_not(post: Post) -> None:
    found = subscribed()
    tick()
    ((_, message),) = post.received
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Unsubscribe"] == f"<{PORTAL}{link_in(message, PORTAL)}>"
    link = link_in(message, PORTAL)
    mail_program = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)
    assert "Get no more of these reports?" in mail_program.get(link).content.decode()
    assert ReportSubscription.objects.exists()
    assert mail_program.get(f"{link[:-2]}x/").status_code == 404
    assert mail_program.post(f"{link[:-2]}x/").status_code == 404
    assert mail_program.post(link, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert not ReportSubscription.objects.filter(pk=found.pk).exists()
    assert mail_program.post(link).status_code == 200, "a second click finds it done"
    assert AuditLog.objects.get(action="report.unsubscribe").subject == "ada"


def test_the_header_that_a_mail_program_follows_is_never_folded(post: Post) -> None:
    end = f"<{PORTAL}/{'x' * 300}/>"
    letter = Letter(key="x", recipients=("a@b.example",), subject="x", text="x", headers=(("List-Unsubscribe", end),))
    sent = sent_bytes(message_of(letter, load_config().mail, JANUARY))
    assert f"\r\nList-Unsubscribe: {end}\r\n".encode() in sent


def test_a_login_subscribes_on_its_page_and_sees_what_was_sent(post: Post) -> None:
    ada, eve = Visitor("ada"), Visitor("eve", customer="rival")
    order = {"by": "day-model", "format": "xlsx", "language": "en"}
    ada.send("/usage/subscriptions/", order)
    ada.send("/usage/subscriptions/", order)
    (made,) = ReportSubscription.objects.all()
    assert "You have this subscription already." in ada.get("/usage/subscriptions/")
    assert "no grouping" in ada.send("/usage/subscriptions/", order | {"by": "x", "format": "exe"}, status=422)
    assert "no e-mail address" in eve.send("/usage/subscriptions/", order, status=422)
    eve.send(f"/usage/subscriptions/{made.pk}/end", {}, status=404)
    ReportSubscription.objects.update(since="2026-01")
    tick()
    page = ada.get("/usage/subscriptions/")
    assert "ada@acme.example" in page.partition('id="sent"')[2]
    assert "ada@acme.example" not in eve.get("/usage/subscriptions/")
    ada.send(f"/usage/subscriptions/{made.pk}/end", {})
    assert not ReportSubscription.objects.exists()
    assert "ada@acme.example" in ada.get("/usage/subscriptions/").partition('id="sent"')[2], "the log stays"


def test_nobody_subscribes_for_ever_more(post: Post) -> None:
    groupings = ("day-model", "day-card", "hour-card", "day-workload", "month-project-model", "day-project-model")
    with pytest.raises(Refuse, match="end one first"):
        for each in groupings:
            subscribed(each)


def test_where_no_mail_is_sent_nothing_is_promised(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    subscribed()
    monkeypatch.delenv("CARDHOUR_WEB_URL")
    assert tick() == []
    ada = Visitor("ada")
    assert "sends no reports by mail" in ada.get("/usage/subscriptions/")
    assert "sends no reports" in ada.send("/usage/subscriptions/", {"by": "day-model", "format": "csv"}, status=422)


def test_commands_list_preview_send_and_end(
    post: Post, books_of_two: Store, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(books_of_two, monkeypatch)
    monkeypatch.setenv("CARDHOUR_HOME", str(engine))
    number = str(subscribed().pk)
    file = books_of_two.home / "january.csv"
    shown = desk.text("report-mail", "preview", number, "--month", "2026-01", "--output", str(file))
    assert "Subject: Example Compute: usage of Acme Ltd, January 2026" in shown
    assert "sent as an attachment" in shown
    assert file.read_bytes().startswith(b"\xef\xbb\xbfday,project,model")
    assert post.received == []
    assert "2026-01 to ada@acme.example: sent" in desk.text("report-mail", "send", number, "--month", "2026-01")
    desk.text("report-mail", "send", number, "--month", "2026-01")
    assert len(post.received) == 1
    desk.text("report-mail", "send", number, "--month", "2026-01", "--again")
    assert len(post.received) == 2
    assert desk.rows("report-mail", "list")[0]["last"] == "2026-01: sent"
    assert desk.text("report-mail", "end", number) == f"Ended subscription {number}.\n"
    assert "no subscription" in desk.refusal("report-mail", "preview", number)
