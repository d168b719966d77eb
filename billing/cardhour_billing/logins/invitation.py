"""Invitations: a login without a password, and a link by mail with which its owner sets one.

Owns that a link is good for a week and once, is sent again with another link, and ends when the invitation is
withdrawn, which removes the login. The link has 256 random bits, of which a SHA-256 is kept. Does not own the page
(``portal.views.passwords``) nor the letter (``logins.letters``).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from hmac import compare_digest

from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from msgspec import Struct

from cardhour_billing.audit.log import audit
from cardhour_billing.logins.letters import invitation_letter
from cardhour_billing.logins.password_reset import sender_name
from cardhour_billing.logins.users import add_invited, customer_of_login, find_login
from cardhour_billing.models import Customer, Invitation, Mail
from cardhour_billing.outgoing import MailSettings
from cardhour_billing.sending.mailing import Fate, check_sendable, send
from cardhour_contract.clock import Clock, SystemClock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import DAY_MS, from_ms

GOOD_MS = 7 * DAY_MS
LETTERS_A_DAY, LETTERS_OF_CUSTOMER_A_DAY = 5, 100
"""To one who was invited, and to all whom a customer invites: our server writes to whomever they name."""


class Sending(Struct, frozen=True, kw_only=True):
    """How an invitation leaves: through which server, from which page of the portal, in which language."""

    settings: MailSettings
    link_of: Callable[[str], str]
    """Makes a path of the portal whole."""
    language: str


def invite(email: str, *, customer: str | None, role: str, sending: Sending, clock: Clock, who: str) -> Fate:
    """Add a login called as its address, without a password, and write to it; what became of the letter."""
    check_sendable(sending.settings)
    sending.link_of("/")  # refuses before anything is done, where no link can be made
    with transaction.atomic():
        login = add_invited(email.strip(), customer=customer, role=role, clock=clock, who=who)
        _check_pace(login, clock)
        token = _renew(login, clock, who)
    return _send(login, token, sending, clock, who)


def invite_again(login: User, *, sending: Sending, clock: Clock, who: str) -> Fate:
    """Write once more, with another link; the one before is no good from now on."""
    check_sendable(sending.settings)
    sending.link_of("/")
    with transaction.atomic():
        if not Invitation.objects.select_for_update().filter(user=login).exists():
            raise Refuse(f"{login.username} has set a password already: there is no invitation to send again")
        _check_pace(login, clock)
        token = _renew(login, clock, who)
        audit(clock, who, "user.invite-again", login.username, {"email": login.email})
    return _send(login, token, sending, clock, who)


def accept(login: User, *, clock: Clock) -> None:
    """The login has a password now, in the transaction of whoever sets it."""
    Invitation.objects.filter(user=login).delete()
    audit(clock, login.username, "user.accept", login.username, {})


def invited_until_ms(login: User) -> int | None:
    """Until when its link is good; ``None`` for a login that needs none."""
    found: Invitation | None = getattr(login, "invitation", None)  # Django's "there is none" is an AttributeError, too
    return found.expires_at_ms if found else None


class InvitationTokens:
    """Checks the links of invitations where Django checks those of resets."""

    def check_token(self, user: User | None, token: str | None) -> bool:
        """Whether ``token`` is the last one that the login was sent, and still good."""
        found = Invitation.objects.filter(user=user).first() if user else None
        if found is None or not token or SystemClock().now_ms() >= found.expires_at_ms:
            return False
        return compare_digest(found.digest, _digest(token))


def find_invited(name: str) -> User:
    """The login of that name or address, which was invited."""
    login = find_login(name)
    if invited_until_ms(login) is None:
        raise Refuse(f"{name} was not invited, or has set a password already")
    return login


def _renew(login: User, clock: Clock, who: str) -> str:
    token, now_ms = secrets.token_urlsafe(32), clock.now_ms()
    Invitation.objects.update_or_create(
        user=login,
        defaults={
            "digest": _digest(token),
            "invited_at_ms": now_ms,
            "expires_at_ms": now_ms + GOOD_MS,
            "who": who,
        },
    )
    return token


def _send(login: User, token: str, sending: Sending, clock: Clock, who: str) -> Fate:
    customer = customer_of_login(login)
    path = reverse("invitation", args=(urlsafe_base64_encode(force_bytes(login.pk)), token))
    until = from_ms(clock.now_ms() + GOOD_MS).strftime("%Y-%m-%d %H:%M UTC")
    letter = invitation_letter(
        _key(login), login.email, login=login.username, of=customer.name if customer else "", who=who,
        link=sending.link_of(path), until=until, sender=customer.issuer.name if customer else sender_name(),
        language=sending.language,
    )  # fmt: skip
    return send(customer, letter, sending.settings, clock=clock, who=who, again=True)


def _check_pace(login: User, clock: Clock) -> None:
    recent = Mail.objects.filter(at_ms__gt=clock.now_ms() - DAY_MS)
    if recent.filter(key=_key(login)).count() >= LETTERS_A_DAY:
        raise Refuse(f"{login.email} was written to {LETTERS_A_DAY} times within a day: wait until tomorrow")
    customer: Customer | None = customer_of_login(login)
    if customer is None:
        return
    written = recent.filter(customer=customer, key__startswith="invitation of ").count()
    if written >= LETTERS_OF_CUSTOMER_A_DAY:
        raise Refuse(f"{customer.key} sent {LETTERS_OF_CUSTOMER_A_DAY} invitations within a day: wait until tomorrow")


def _key(login: User) -> str:
    return f"invitation of {login.pk}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
