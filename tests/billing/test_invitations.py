"""Invitations: a letter by a real mail server, a password that only its owner knows, sent again and withdrawn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client

from cardhour_billing.logins.invitation import GOOD_MS, InvitationTokens
from cardhour_billing.logins.users import role_of
from cardhour_billing.models import AuditLog, Invitation, Mail
from cardhour_contract.errors import Refuse
from tests.billing.books import ACME, ISSUER, apply
from tests.billing.in_process import Desk, Store
from tests.billing.mail_server import Post, link_in, served_mail, text_of
from tests.billing.visitor import Visitor

PASSWORD = "an unlikely pass phrase"
on_one_database = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)


@pytest.fixture
def post(store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    apply(store.home, ISSUER + ACME)
    with served_mail(monkeypatch) as office:
        yield office


def accept(link: str) -> int:
    """Follow the link and set a password; the status of the last answer."""
    client = Client(SERVER_NAME="localhost")
    page = client.get(link, follow=True)
    if page.status_code != 200:
        return page.status_code
    fields = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    return client.post(page.redirect_chain[-1][0], fields).status_code


def signing_in(name: str) -> int:
    fields = {"username": name, "password": PASSWORD}
    return Client(SERVER_NAME="localhost").post("/sign-in/", fields).status_code


def test_an_admin_of_a_customer_invites_and_the_invited_sets_a_password(post: Post) -> None:
    boss = Visitor("boss", role="admin", customer="acme")
    boss.send("/organisation/", {"action": "invite", "email": "Mei@Acme.example", "admin": "1"})
    page = boss.get("/organisation/")
    assert "mei@acme.example is invited" in page.lower()
    assert "Invited" in page
    assert "Withdraw" in page
    ((recipients, message),) = post.received
    assert recipients == ["mei@acme.example"]
    assert "boss invites you to the portal of Example Compute, for the usage and invoices of Acme Ltd" in text_of(
        message
    )
    assert signing_in("mei@acme.example") == 200, "there is no password yet"
    assert accept(link_in(message)) == 302
    assert accept(link_in(message)) == 404
    assert signing_in("mei@acme.example") == 302
    assert role_of(User.objects.get(username="mei@acme.example")) == "admin"
    assert "Invited" not in boss.get("/organisation/").partition("<form")[0]
    told = AuditLog.objects.filter(subject="mei@acme.example").order_by("position")
    assert list(told.values_list("action", "who")) == [
        ("user.invite", "boss"), ("user.password", "mei@acme.example"), ("user.accept", "mei@acme.example"),
    ]  # fmt: skip


@on_one_database
def test_sent_again_the_link_before_is_no_good_and_withdrawn_none_is(post: Post) -> None:
    boss = Visitor("boss", role="admin", customer="acme")
    boss.send("/organisation/", {"action": "invite", "email": "mei@acme.example"})
    mei = User.objects.get(username="mei@acme.example")
    boss.send(f"/organisation/{mei.pk}", {"action": "invite"})
    first, second = (link_in(message) for _, message in post.received)
    assert accept(first) == 404
    boss.send(f"/organisation/{mei.pk}", {"action": "remove"})
    assert accept(second) == 404
    assert not User.objects.filter(username="mei@acme.example").exists()
    assert Mail.objects.count() == 2, "what was sent to whom stays"


@on_one_database
def test_a_link_is_good_for_a_week(post: Post) -> None:
    Visitor("boss", role="admin", customer="acme").send(
        "/organisation/", {"action": "invite", "email": "mei@acme.example"}
    )
    Invitation.objects.update(expires_at_ms=Invitation.objects.get().expires_at_ms - GOOD_MS)
    assert accept(link_in(post.received[0][1])) == 404
    assert "Invitation ended" in Visitor("boss", customer="acme").get("/organisation/")
    assert not InvitationTokens().check_token(None, "x")


@on_one_database
def test_staff_invite_staff_and_customers(post: Post) -> None:
    admin = Visitor("root", role="admin")
    admin.send("/users/", {"action": "invite", "email": "wei@provider.example", "owner": "", "role": "viewer"})
    admin.send("/users/", {"action": "invite", "email": "mei@acme.example", "owner": "acme", "role": ""})
    assert [to for to, _ in post.received] == [["wei@provider.example"], ["mei@acme.example"]]
    assert {mail.customer_id is None for mail in Mail.objects.all()} == {True, False}
    wei = User.objects.get(username="wei@provider.example")
    assert (wei.is_staff, role_of(wei)) == (True, "viewer")
    assert admin.get("/users/").count(">Invited<") == 2
    admin.send(f"/users/{wei.pk}/invite/", {})
    assert accept(link_in(post.received[-1][1])) == 302
    assert "set a password already" in admin.send(f"/users/{wei.pk}/invite/", {}, status=422)


@on_one_database
def test_what_cannot_be_invited_is_said_and_nothing_is_left(post: Post) -> None:
    admin = Visitor("root", role="admin")
    before = User.objects.count()
    for email, owner, role, problem in (
        ("nobody", "", "", "no address such as"),
        ("", "", "", "needs an address"),
        ("mei@acme.example", "nobody", "", "no customer"),
        ("mei@acme.example", "acme", "viewer", "no role"),
        ("a/b@acme.example", "acme", "", "letters, digits"),
    ):
        fields = {"action": "invite", "email": email, "owner": owner, "role": role}
        assert problem in admin.send("/users/", fields, status=422), problem
    assert User.objects.count() == before
    assert post.received == []
    admin.send("/users/", {"action": "invite", "email": "mei@acme.example", "owner": "acme"})
    again = {"action": "invite", "email": "MEI@acme.example", "owner": "acme"}
    assert "exists already" in admin.send("/users/", again, status=422)


@on_one_database
def test_a_letter_that_did_not_leave_is_said_and_sent_again(post: Post) -> None:
    post.refuse_recipient = "mei@acme.example"
    boss = Visitor("boss", role="admin", customer="acme")
    boss.send("/organisation/", {"action": "invite", "email": "mei@acme.example"})
    assert "550 5.1.1 no such mailbox" in boss.get("/organisation/")
    post.refuse_recipient = ""
    mei = User.objects.get(username="mei@acme.example")
    for _ in range(4):
        boss.send(f"/organisation/{mei.pk}", {"action": "invite"})
    assert len(post.received) == 4
    boss.send(f"/organisation/{mei.pk}", {"action": "invite"})
    assert "5 times within a day" in boss.get("/organisation/")
    assert accept(link_in(post.received[-1][1])) == 302


@on_one_database
def test_where_no_mail_is_sent_a_first_password_is_handed_over(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARDHOUR_MAIL_HOST")
    boss = Visitor("boss", role="admin", customer="acme")
    assert "sends no mail, so nobody can be invited" in boss.get("/organisation/")
    boss.send("/organisation/", {"action": "invite", "email": "mei@acme.example"}, status=422)
    assert not User.objects.filter(username="mei@acme.example").exists()
    assert "mei can sign in" in boss.send("/organisation/", {"name": "mei"}, status=200)


@on_one_database
def test_an_invited_admin_does_not_count_before_the_password_is_set(post: Post) -> None:
    admin = Visitor("root", role="admin")
    admin.send("/users/", {"action": "invite", "email": "wei@provider.example", "owner": "", "role": "admin"})
    root = User.objects.get(username="root")
    assert "only admin of staff" in admin.send(f"/users/{root.pk}/disable/", {}, status=422)


@on_one_database
def test_the_command_invites_where_it_is_known_where_the_portal_is(
    post: Post, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "set [web] url" in desk.refusal("user", "invite", "mei@acme.example", "--customer", "acme")
    monkeypatch.setenv("CARDHOUR_WEB_URL", "https://billing.example.com")
    assert desk.text("user", "invite", "mei@acme.example", "--customer", "acme").startswith("Invited mei@acme.example")
    assert link_in(post.received[0][1], "https://billing.example.com").startswith("/invitation/")
    assert desk.rows("user", "list")[0]["invited_until"]
    desk.text("user", "invite", "mei@acme.example", "--again")
    assert accept(link_in(post.received[1][1], "https://billing.example.com")) == 302
    assert "has set a password already" in desk.refusal("user", "invite", "mei@acme.example", "--again")
    assert desk.text("user", "email", "mei@acme.example", "mei@new.example").endswith("at mei@new.example.\n")


def test_a_portal_address_that_links_cannot_begin_with_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from cardhour_billing.config import load_config

    for wrong in ("billing.example.com", "https://billing.example.com/portal", "ftp://x"):
        monkeypatch.setenv("CARDHOUR_WEB_URL", wrong)
        with pytest.raises(Refuse, match=r"\[web\] url"):
            load_config()
