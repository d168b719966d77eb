"""Sending letters, once: each is recorded before it leaves, and what the server said after.

Owns that nothing is sent twice unless somebody says so, in whatever number of processes. Does not own SMTP (``mail``)
nor what is written (``invoice_mail``). A mail whose fate nobody knows, because the connection or the process broke at
the wrong moment, counts as sent until a person looks.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from django.db import IntegrityError, transaction
from msgspec import Struct

from cardhour_billing.audit.log import audit
from cardhour_billing.models import Customer, Mail, MailOutcome
from cardhour_billing.outgoing import MailSettings
from cardhour_billing.sending.mail import Letter, message_of, post, sent_bytes
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse

State = Literal["sent", "refused", "uncertain", "never"]


class Fate(Struct, frozen=True, kw_only=True):
    """Where a letter stands. ``detail`` is what the server said, or why nobody knows."""

    state: State
    round: int = 0
    at_ms: int | None = None
    detail: str = ""

    @property
    def open(self) -> bool:
        """Whether it may be sent without anybody saying so."""
        return self.state in ("never", "refused")


def fate_of(key: str) -> Fate:
    """Where the letter of that key stands after its last mail."""
    last = Mail.objects.filter(key=key).order_by("-round").first()
    if last is None:
        return Fate(state="never")
    outcome = MailOutcome.objects.filter(mail=last).first()
    if outcome is None:
        return Fate(state="uncertain", round=last.round, at_ms=last.at_ms, detail="cut off while it was sent")
    state: State = "sent" if outcome.state == "sent" else "refused" if outcome.state == "refused" else "uncertain"
    return Fate(state=state, round=last.round, at_ms=outcome.at_ms, detail=outcome.detail)


def send(
    customer: Customer | None, letter: Letter, settings: MailSettings, *, clock: Clock, who: str, again: bool = False
) -> Fate:
    """Send a letter that was not sent yet, or ``again``; what became of it. To staff where there is no customer."""
    check_sendable(settings)
    before = fate_of(letter.key)
    if not before.open and not again:
        return before
    message = message_of(letter, settings, clock)
    # 1. What is about to leave is on record; of two processes one gets the number of the round, the other nothing.
    try:
        with transaction.atomic():
            mail = Mail.objects.create(
                customer=customer,
                key=letter.key,
                round=before.round + 1,
                recipients=list(letter.recipients),
                subject=letter.subject,
                message_id=str(message["Message-ID"]),
                sha256=hashlib.sha256(sent_bytes(message)).hexdigest(),
                at_ms=clock.now_ms(),
                who=who,
            )
    except IntegrityError as error:
        raise Refuse(f"{letter.key} is being sent by another process at this moment") from error
    # 2. It leaves. 3. What the server said is on record.
    posted = post(message, letter.recipients, settings)
    with transaction.atomic():
        MailOutcome.objects.create(mail=mail, state=posted.state, detail=posted.detail[:256], at_ms=clock.now_ms())
        detail = {"to": list(letter.recipients), "state": posted.state, "answer": posted.detail}
        audit(clock, who, "mail.send", letter.key, detail)
    return fate_of(letter.key)


def check_sendable(settings: MailSettings) -> None:
    """Refuse where no server is set."""
    if not settings.host:
        raise Refuse("nothing can be sent: set host, port and sender in [mail]")
