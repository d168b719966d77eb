"""The second factor: enrolled with a first code, asked for after the password, good once, and reset by an admin."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from cardhour_billing.models import AuditLog
from cardhour_billing.portal.qr import qr_path
from tests.billing.in_process import Desk, Store

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def half_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything happens at one instant: codes change every half minute, and a try that failed holds up the next one
    for some seconds, however long a test takes.
    """
    now = timezone.now()
    monkeypatch.setattr("django_otp.oath.time", now.timestamp)
    monkeypatch.setattr("django_otp.plugins.otp_totp.models.time", SimpleNamespace(time=now.timestamp))
    monkeypatch.setattr("django_otp.models.timezone", SimpleNamespace(now=lambda: now))


@pytest.fixture
def login(desk: Desk) -> User:
    desk.text("user", "add", "lin", "--staff", "--role", "admin", "--password-stdin", answer=f"{PASSWORD}\n")
    return User.objects.get(username="lin")


def signed_in(leads_to: str = "/") -> Client:
    """A browser in which the password was typed; where it leads first."""
    client = Client(SERVER_NAME="localhost")
    answer = client.post("/sign-in/", {"username": "lin", "password": PASSWORD, "next": "/invoices/"})
    assert answer.status_code == 302
    shown = client.get("/invoices/")
    assert (shown.headers.get("Location") or "/").startswith(leads_to), shown.status_code
    return client


def code_of(device: TOTPDevice, steps: int = 0) -> str:
    """What the authenticator shows, or will after so many steps of half a minute: both are accepted, each once."""
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    totp.time = totp.time + steps * device.step
    return f"{totp.token():06d}"


def enrolled(client: Client) -> list[str]:
    """Enrol; the recovery codes."""
    page = client.get("/profile/second-factor/").content.decode()
    device = TOTPDevice.objects.get(confirmed=False)
    assert '<svg class="qr"' in page
    shown = client.post("/profile/second-factor/", {"code": code_of(device)}).content.decode()
    codes = re.findall(r"<li>([a-z2-7]{8})</li>", shown)
    assert len(codes) == 10
    return codes


def test_a_login_enrols_and_is_asked_for_a_code_from_then_on(login: User) -> None:
    codes = enrolled(signed_in())
    client = signed_in("/second-factor/?next=/invoices/")
    for page in ("/close/", "/today/", "/profile/", "/profile/second-factor/", "/"):
        assert client.get(page).headers["Location"].startswith("/second-factor/"), page
    assert client.post("/profile/second-factor/off/", {"code": codes[0]}).headers["Location"].startswith("/second")
    wrong = client.post("/second-factor/", {"code": "000000"})
    assert (wrong.status_code, b"The code is wrong" in wrong.content) == (403, True)
    TOTPDevice.objects.update(throttling_failure_count=0)
    device = TOTPDevice.objects.get()
    answer = client.post("/second-factor/", {"code": code_of(device, 1), "next": "/invoices/"})
    assert answer.headers["Location"] == "/invoices/"
    assert client.get("/invoices/").status_code == 200
    assert AuditLog.objects.filter(action="second-factor.enrol", who="lin").count() == 1


def test_no_code_is_good_twice(login: User) -> None:
    codes = enrolled(signed_in())
    used = code_of(TOTPDevice.objects.get())  # the one that enrolled
    assert signed_in("/second-factor/").post("/second-factor/", {"code": used}).status_code == 403
    StaticDevice.objects.update(throttling_failure_count=0)
    assert signed_in("/second-factor/").post("/second-factor/", {"code": codes[0]}).status_code == 302
    assert signed_in("/second-factor/").post("/second-factor/", {"code": codes[0]}).status_code == 403


def test_wrong_codes_make_the_next_try_wait(login: User) -> None:
    enrolled(signed_in())
    client = signed_in("/second-factor/")
    for _ in range(3):
        assert client.post("/second-factor/", {"code": "000000"}).status_code == 403
    right = code_of(TOTPDevice.objects.get(), 1)
    assert client.post("/second-factor/", {"code": right}).status_code == 403


def test_a_role_that_must_have_one_enrols_before_anything_else(login: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARDHOUR_WEB_SECOND_FACTOR", "admin,billing")
    client = signed_in("/profile/second-factor/")
    assert client.get("/close/").headers["Location"].startswith("/profile/second-factor/")
    enrolled(client)
    assert client.get("/invoices/").status_code == 200
    device = TOTPDevice.objects.get()
    client.post("/profile/second-factor/off/", {"code": code_of(device, 1)})
    assert TOTPDevice.objects.exists()  # the setting wants it


def test_an_admin_resets_what_was_lost(login: User, desk: Desk) -> None:
    enrolled(signed_in())
    assert (
        desk.text("user", "reset-second-factor", "lin") == "The second factor of lin is gone; lin can set up another.\n"
    )
    assert "has no second factor" in desk.text("user", "reset-second-factor", "lin")
    assert "no login 'nobody'" in desk.refusal("user", "reset-second-factor", "nobody")
    assert AuditLog.objects.get(action="second-factor.reset").subject == "lin"
    signed_in()


def test_the_password_is_changed_by_whoever_knows_it(login: User, store: Store) -> None:
    client = signed_in()
    fields = {
        "old_password": "wrong",
        "new_password1": "another horse battery",
        "new_password2": "another horse battery",
    }
    refused = client.post("/profile/", fields)
    assert refused.status_code == 409
    assert client.post("/profile/", fields | {"old_password": PASSWORD}).status_code == 302
    assert client.get("/profile/").status_code == 200  # this session stays
    assert User.objects.get().check_password("another horse battery")
    assert AuditLog.objects.get(action="user.password").who == "lin"


def test_the_picture_is_the_code_of_its_text() -> None:
    shown = qr_path("otpauth://totp/CardHour:lin?secret=JBSWY3DPEHPK3PXP")
    assert shown.size > 2 * 4 + 21
    assert shown.path.startswith("M4 4h1v1h-1z")  # the finder pattern begins after the quiet zone
