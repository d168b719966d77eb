"""What both pages that invite have in common: how a letter leaves from here, and what is said of it."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from cardhour_billing.config import load_config
from cardhour_billing.logins.invitation import Sending, invited_until_ms
from cardhour_billing.portal_links import can_link, portal_link
from cardhour_billing.sending.mailing import Fate
from cardhour_contract.moment import from_ms


def sending_from(request: HttpRequest, language: str = "") -> Sending:
    """Invitations that leave from this page, in ``language`` or else that of the page."""
    config = load_config()
    return Sending(
        settings=config.mail,
        link_of=partial(portal_link, config, request=request),
        language=language or get_language() or "en",
    )


def can_invite(request: HttpRequest) -> bool:
    """Whether letters leave at all."""
    return can_link(load_config(), request)


def say(request: HttpRequest, email: str, fate: Fate) -> None:
    """What became of the letter."""
    if fate.state == "sent":
        messages.success(request, _("%(email)s is invited: the link is good for a week.") % {"email": email})
    else:
        problem = _("%(email)s is invited, but the letter may not have left: %(why)s. Send it again.")
        messages.error(request, problem % {"email": email, "why": fate.detail or fate.state})


def invited(login: User, now_ms: int) -> dict[str, object] | None:
    """How an invitation stands, for a list of users; nothing for who has a password."""
    until_ms = invited_until_ms(login)
    if until_ms is None:
        return None
    return {"until_ms": until_ms, "until": from_ms(until_ms), "over": now_ms >= until_ms}
