"""A new password for whoever forgot theirs: a link by mail, good once and for an hour.

Owns who may ask how often, and that asking tells nobody whether an address is known: what is found out is found out
after the answer, in a thread. Tokens are Django's: they die with the password, the address and the hour. Does not own
the page (``portal.views.passwords``) nor the letter (``logins.letters``).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

import structlog
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.db import connections, transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from cardhour_billing.logins.letters import reset_letter
from cardhour_billing.logins.users import customer_of_login, logins
from cardhour_billing.models import Issuer, ResetAsk
from cardhour_billing.outgoing import MailSettings
from cardhour_billing.sending.mailing import send
from cardhour_contract.clock import Clock
from cardhour_contract.errors import CardHourError
from cardhour_contract.moment import HOUR_MS

log = structlog.get_logger()

ASKS_OF_PLACE = 20
"""From one address of the network in an hour; a whole office may be behind one."""
LETTERS_TO_ADDRESS = 3
"""To one e-mail address in an hour, whoever asks: the page is no way to fill a mailbox."""
LOGINS_MAX = 5
"""Logins with one address that are written to."""


def may_ask(place: str, email: str, clock: Clock) -> tuple[bool, bool]:
    """Count one more ask: whether the place may ask, and whether the address may be written to."""
    now_ms, digest = clock.now_ms(), hashlib.sha256(email.strip().lower().encode()).hexdigest()
    with transaction.atomic():
        ResetAsk.objects.filter(at_ms__lte=now_ms - HOUR_MS).delete()
        if ResetAsk.objects.filter(place=place).count() >= ASKS_OF_PLACE:
            return False, False
        letters = ResetAsk.objects.filter(address_digest=digest).count()
        ResetAsk.objects.create(place=place, address_digest=digest, at_ms=now_ms)
    return True, letters < LETTERS_TO_ADDRESS


def mail_links(
    email: str, link_of: Callable[[str], str], settings: MailSettings, *, language: str, clock: Clock
) -> threading.Thread:
    """Write to every login of this address, after the answer has gone. ``link_of`` makes a path whole."""

    def work() -> None:
        try:
            for login in logins_of(email):
                _mail(login, link_of, settings, language, clock)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name="reset-mail")
    thread.start()
    return thread


def logins_of(email: str) -> list[User]:
    """Logins that can sign in and have this address, whatever its case. Who was invited has a link already."""
    found = logins().filter(email__iexact=email.strip(), is_active=True).exclude(email="")
    return [each for each in found[:LOGINS_MAX] if each.has_usable_password()]


def path_of(login: User) -> str:
    """Where the login sets its new password."""
    uid = urlsafe_base64_encode(force_bytes(login.pk))
    return reverse("password-new", args=(uid, default_token_generator.make_token(login)))


def sender_name() -> str:
    """Who signs letters to staff."""
    return Issuer.objects.values_list("name", flat=True).first() or "CardHour"


def _mail(login: User, link_of: Callable[[str], str], settings: MailSettings, language: str, clock: Clock) -> None:
    customer = customer_of_login(login)
    letter = reset_letter(
        f"password of {login.pk} {clock.now_ms()}", login.email, login=login.username, link=link_of(path_of(login)),
        sender=customer.issuer.name if customer else sender_name(), language=language,
    )  # fmt: skip
    try:
        fate = send(customer, letter, settings, clock=clock, who="portal")
    except CardHourError as error:
        log.warning("link to a new password not mailed", login=login.username, error=str(error))
    else:
        log.info("link to a new password", login=login.username, state=fate.state, answer=fate.detail)
