"""A forgotten password: a link by a real mail server, good once and for an hour, and no word on who has a login."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from cardhour_billing.logins import password_reset
from cardhour_billing.logins.users import add_user, set_email
from cardhour_billing.models import AuditLog, Mail
from cardhour_contract.clock import SystemClock
from tests.billing.books import ACME, ISSUER, apply
from tests.billing.in_process import Desk, Store
from tests.billing.mail_server import Post, link_in, served_mail, text_of

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""Which database keeps the logins makes no difference to their mail."""

OLD, NEW = "an unlikely pass phrase", "another unlikely phrase"
ADDRESS = "chen@acme.example"


@pytest.fixture
def post(store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    """The mail server of an installation whose customer Acme has the login chen."""
    apply(store.home, ISSUER + ACME)
    add_user("chen", OLD, customer="acme", clock=SystemClock(), who="tests")
    set_email("chen", ADDRESS, clock=SystemClock(), who="tests")
    with served_mail(monkeypatch) as office:
        yield office


def ask(email: str = ADDRESS, language: str = "en", place: str = "192.0.2.1") -> HttpResponse:
    """Ask for a link, and wait until whatever follows from it is done."""
    client = Client(SERVER_NAME="localhost", REMOTE_ADDR=place, headers={"accept-language": language})
    answer = client.post("/forgotten/", {"email": email})
    for thread in threading.enumerate():
        if thread.name == "reset-mail":
            thread.join()
    assert isinstance(answer, HttpResponse)
    return answer


def set_password(client: Client, link: str, password: str = NEW) -> int:
    """Follow a link and fill in its form; the status of the answer."""
    page = client.get(link, follow=True)
    if page.status_code != 200:
        return page.status_code
    at = page.redirect_chain[-1][0]
    return client.post(at, {"new_password1": password, "new_password2": password}).status_code


def signing_in(password: str) -> int:
    return Client(SERVER_NAME="localhost").post("/sign-in/", {"username": "chen", "password": password}).status_code


def test_a_link_sets_a_new_password_once_and_ends_other_sessions(post: Post) -> None:
    elsewhere = Client(SERVER_NAME="localhost")
    elsewhere.post("/sign-in/", {"username": "chen", "password": OLD})
    assert elsewhere.get("/invoices/").status_code == 200
    answer = ask()
    assert answer.headers["Location"] == "/forgotten/?sent=1"
    ((recipients, message),) = post.received
    assert (recipients, message["subject"]) == ([ADDRESS], "Example Compute: A new password")
    assert "login chen" in text_of(message)
    client = Client(SERVER_NAME="localhost")
    assert "set-password" in client.get(link_in(message)).headers["Location"]  # no token stays in the address
    assert set_password(client, link_in(message), "short") == 422
    assert set_password(client, link_in(message)) == 302
    assert client.get("/sign-in/").content.count(b"Your password is set") == 1
    assert client.get("/invoices/").status_code == 302, "who sets a password signs in with it"
    assert elsewhere.get("/invoices/").status_code == 302
    assert (signing_in(OLD), signing_in(NEW)) == (200, 302)
    assert set_password(Client(SERVER_NAME="localhost"), link_in(message)) == 404
    told = [(each.action, each.who, each.detail) for each in AuditLog.objects.filter(action="user.password")]
    assert told == [("user.password", "chen", {"by": "link"})]


def test_the_answer_is_the_same_whoever_has_the_address(post: Post) -> None:
    User.objects.filter(username="chen").update(email="chen@elsewhere.example")
    known, unknown = ask("Chen@Elsewhere.example"), ask("nobody@acme.example")
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert known.headers["Location"] == unknown.headers["Location"]
    assert [recipients for recipients, _ in post.received] == [["chen@elsewhere.example"]]


def test_the_letter_is_in_the_language_of_the_page(post: Post) -> None:
    ask(language="zh-CN")
    ((_, message),) = post.received
    assert message["subject"] == "Example Compute: 重设登录密码"
    assert "一小时内" in text_of(message)


def test_a_link_ends_with_its_hour_its_login_and_its_address(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    ask()
    link = link_in(post.received[0][1])
    monkeypatch.setattr("django.conf.settings.PASSWORD_RESET_TIMEOUT", -1)
    assert set_password(Client(SERVER_NAME="localhost"), link) == 404
    monkeypatch.undo()
    for gone in ({"is_active": False}, {"is_active": True, "email": "new@acme.example"}):
        User.objects.filter(username="chen").update(**gone)
        assert set_password(Client(SERVER_NAME="localhost"), link) == 404, gone


def test_nobody_is_written_to_who_cannot_sign_in(post: Post) -> None:
    User.objects.filter(username="chen").update(is_active=False)
    ask()
    assert post.received == []
    assert Mail.objects.count() == 0


def test_asking_too_often_is_told_to_the_place_and_kept_from_the_mailbox(post: Post) -> None:
    for at in range(password_reset.LETTERS_TO_ADDRESS + 1):
        assert ask(place=f"192.0.2.{at}").status_code == 302
    assert len(post.received) == password_reset.LETTERS_TO_ADDRESS
    for at in range(password_reset.ASKS_OF_PLACE):
        assert ask(f"nobody{at}@acme.example", place="198.51.100.1").status_code == 302
    refused = ask(place="198.51.100.1")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3600")


def test_lock_out_and_second_factor_stay_where_they_are(post: Post) -> None:
    TOTPDevice.objects.create(user=User.objects.get(username="chen"), confirmed=True)
    for at in range(5):
        signing_in(f"guess {at}")
    ask()
    assert set_password(Client(SERVER_NAME="localhost"), link_in(post.received[0][1])) == 302
    assert signing_in(NEW) == 429
    from_elsewhere = Client(SERVER_NAME="localhost", REMOTE_ADDR="192.0.2.9")
    assert from_elsewhere.post("/sign-in/", {"username": "chen", "password": NEW}).status_code == 302
    assert from_elsewhere.get("/usage/").headers["Location"].startswith("/second-factor/")


def test_where_no_mail_is_sent_the_page_says_who_to_ask(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARDHOUR_MAIL_HOST")
    page = Client(SERVER_NAME="localhost").get("/forgotten/").content.decode()
    assert "Ask an admin of your organisation, or Example Compute" in page
    assert '<input type="email"' not in page
    assert ask().status_code == 503
    assert post.received == []


def test_a_host_that_a_browser_makes_up_is_in_no_letter(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARDHOUR_WEB_URL", "https://billing.example.com")
    ask()
    assert "\nhttps://billing.example.com/new-password/" in text_of(post.received[0][1])
    monkeypatch.delenv("CARDHOUR_WEB_URL")
    monkeypatch.setenv("CARDHOUR_WEB_ALLOWED_HOSTS", "*")
    assert ask().status_code == 503


def test_an_address_that_is_none_is_said(post: Post) -> None:
    for wrong in ("", "chen", "a@b", "x" * 200 + "@acme.example"):
        assert ask(wrong).status_code == 422, wrong
    assert post.received == []


def test_the_address_is_changed_by_whoever_knows_the_password(post: Post) -> None:
    client = Client(SERVER_NAME="localhost")
    client.post("/sign-in/", {"username": "chen", "password": OLD})
    change = {"action": "email", "email": "chen@new.example", "password": "wrong"}
    assert client.post("/profile/", change).status_code == 409
    assert client.post("/profile/", change | {"password": OLD, "email": "none"}).status_code == 422
    assert client.post("/profile/", change | {"password": OLD}).status_code == 302
    assert User.objects.get(username="chen").email == "chen@new.example"
    assert AuditLog.objects.get(action="user.email", who="chen").detail["before"] == ADDRESS
