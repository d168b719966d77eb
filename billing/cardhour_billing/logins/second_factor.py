"""The second factor of a login: an authenticator's code (TOTP), and recovery codes for when it is lost.

Owns enrolling, checking, recovery codes and resetting, each audited. django-otp keeps the secrets, counts failures
(each makes the next try wait longer) and lets no code be used twice. Does not own who must have one
(``[web] second_factor``) nor what a session may see before (``portal.access``).
"""

from __future__ import annotations

from base64 import b32encode
from binascii import unhexlify

from django.contrib.auth.models import User
from django.db import transaction
from django_otp import match_token
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from msgspec import Struct

from cardhour_billing.audit.log import audit
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse

CODES = 10
"""Recovery codes at a time: enough for years, few enough to print."""
NAME = "authenticator"


class Standing(Struct, frozen=True, kw_only=True):
    """Whether a login has a second factor, and how many recovery codes are left."""

    enrolled: bool
    codes_left: int


class Enrolment(Struct, frozen=True, kw_only=True):
    """What an authenticator must know: as an address for its camera, and as letters to type."""

    address: str
    letters: str


def standing(login: User) -> Standing:
    """How a login stands."""
    enrolled = TOTPDevice.objects.filter(user=login, confirmed=True).exists()
    return Standing(enrolled=enrolled, codes_left=StaticToken.objects.filter(device__user=login).count())


def enrolment(login: User) -> Enrolment:
    """A secret that waits to be confirmed with a first code; the same one until it is. Refuses a second factor more."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=login.pk)
        if TOTPDevice.objects.filter(user=login, confirmed=True).exists():
            raise Refuse(f"{login.username} has a second factor already")
        device, _ = TOTPDevice.objects.get_or_create(user=login, confirmed=False, defaults={"name": NAME})
    letters = b32encode(unhexlify(device.key)).decode().rstrip("=")
    groups = " ".join(letters[at : at + 4] for at in range(0, len(letters), 4))
    return Enrolment(address=device.config_url, letters=groups)


def confirm(login: User, code: str, *, clock: Clock) -> tuple[str, ...]:
    """Confirm the enrolment with the authenticator's first code; the recovery codes, which are shown only now."""
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=login, confirmed=False).first()
        if device is None:
            raise Refuse("there is no enrolment to confirm: begin again")
        if not device.verify_token(_digits(code)):
            return ()
        device.confirmed = True
        device.save()
        codes = _new_codes(login)
        audit(clock, login.username, "second-factor.enrol", login.username, {})
    return codes


def passes(login: User, code: str) -> bool:
    """Whether ``code`` is the authenticator's present one, or a recovery code, which is used up by it."""
    return bool(match_token(login, _digits(code)))


def renew_codes(login: User, *, clock: Clock) -> tuple[str, ...]:
    """New recovery codes in place of the old ones."""
    with transaction.atomic():
        codes = _new_codes(login)
        audit(clock, login.username, "second-factor.codes", login.username, {})
    return codes


def reset(login: User, *, clock: Clock, who: str) -> bool:
    """Take a login's second factor away: its owner enrols again. Whether there was one."""
    with transaction.atomic():
        had = TOTPDevice.objects.filter(user=login).exists() or StaticDevice.objects.filter(user=login).exists()
        TOTPDevice.objects.filter(user=login).delete()
        StaticDevice.objects.filter(user=login).delete()
        if had:
            audit(clock, who, "second-factor.reset", login.username, {})
    return bool(had)


def _new_codes(login: User) -> tuple[str, ...]:
    StaticDevice.objects.filter(user=login).delete()
    device = StaticDevice.objects.create(user=login, name="recovery")
    codes = tuple(StaticToken.random_token() for _ in range(CODES))
    StaticToken.objects.bulk_create([StaticToken(device=device, token=code) for code in codes])
    return codes


def _digits(code: str) -> str:
    """As it was meant: people type the space that the authenticator shows."""
    return "".join(code.split()).lower()[:32]
