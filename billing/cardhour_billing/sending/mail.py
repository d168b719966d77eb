"""The only door to SMTP: a letter as a message, and what the mail server said to it.

Owns the message's form and which failures are certain. Does not own what is written to whom (``invoice_mail``) nor that
nothing is sent twice (``mailing``).
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy, default
from email.utils import format_datetime, make_msgid, parseaddr
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from cardhour_billing.outgoing import MailSettings
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import from_ms

BYTES_MAX = 20_000_000
"""Larger messages are refused by most servers, some only after hours and with a mail that nobody reads."""


class Attachment(Struct, frozen=True, kw_only=True):
    """A file, with its MIME type such as ``application/pdf``."""

    name: str
    mime: str
    content: bytes


class Letter(Struct, frozen=True, kw_only=True):
    """What is to be said to whom. ``key`` names it: the same key is not sent twice unless somebody says so."""

    key: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    attachments: tuple[Attachment, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """More of them, such as how to hear no more."""


class Posted(Struct, frozen=True, kw_only=True):
    """What became of a message."""

    state: Literal["sent", "refused", "uncertain"]
    detail: str = ""


class _OneLine(UnstructuredHeader, BaseHeader):
    """``List-Unsubscribe`` in one line, however long: folded it would be encoded, and no program follows that."""

    def fold(self, *, policy: Policy[Any]) -> str:
        return f"List-Unsubscribe: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _OneLine)
_POLICY = default.clone(header_factory=_HEADERS)


def message_of(letter: Letter, settings: MailSettings, clock: Clock) -> EmailMessage:
    """The letter as a message, with a date and an id of its own."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = settings.sender
    message["To"] = ", ".join(letter.recipients)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(from_ms(clock.now_ms()))
    message["Message-ID"] = make_msgid(domain=parseaddr(settings.sender)[1].rpartition("@")[2])
    for name, value in letter.headers:
        message[name] = value
    message.set_content(letter.text, cte="base64")  # Chinese text in any other form is longer or not safe everywhere
    for each in letter.attachments:
        main, _, sub = each.mime.partition("/")
        message.add_attachment(each.content, maintype=main, subtype=sub, filename=each.name)
    if (size := len(sent_bytes(message))) > BYTES_MAX:
        raise Refuse(f"{letter.key}: the message has {size:,} bytes, and mail carries {BYTES_MAX:,}")
    return message


def sent_bytes(message: EmailMessage) -> bytes:
    """The message as it goes over the wire: lines end in CRLF, which smtplib does not see to for bytes."""
    return message.as_bytes(policy=SMTP)


def post(message: EmailMessage, recipients: Sequence[str], settings: MailSettings) -> Posted:
    """Hand a message to the server. It goes to all recipients, or to none."""
    try:
        server = _connected(settings)
    except (OSError, smtplib.SMTPException) as error:
        return Posted(state="refused", detail=f"{settings.host}:{settings.port}: {_reason(error)}")
    with server:
        try:
            _address(server, parseaddr(settings.sender)[1], recipients)
        except (OSError, smtplib.SMTPException) as error:
            return Posted(state="refused", detail=_reason(error))
        # From here on a broken connection says nothing: the server may have the message, and its answer be lost.
        try:
            code, answer = server.data(sent_bytes(message))
        except smtplib.SMTPDataError as error:
            return Posted(state="refused", detail=_reason(error))
        except (OSError, smtplib.SMTPException) as error:
            return Posted(state="uncertain", detail=_reason(error))
        if code != 250:
            return Posted(state="refused", detail=_answer(code, answer))
    return Posted(state="sent", detail=_answer(code, answer))


def _connected(settings: MailSettings) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=settings.ca_file or None)
    if settings.ca_file and not Path(settings.ca_file).is_file():
        raise Refuse(f"[mail] ca_file: there is no {settings.ca_file}")
    if settings.tls == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            settings.host, settings.port, timeout=settings.timeout_s, context=context
        )
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_s)
    try:
        if settings.tls == "starttls":
            server.starttls(context=context)
        if settings.user:
            server.login(settings.user, settings.password.reveal())
    except BaseException:
        server.close()
        raise
    return server


def _address(server: smtplib.SMTP, sender: str, recipients: Sequence[str]) -> None:
    server.ehlo_or_helo_if_needed()
    code, answer = server.mail(sender)
    if code != 250:
        raise smtplib.SMTPSenderRefused(code, answer, sender)
    for each in recipients:
        code, answer = server.rcpt(each)
        if code not in (250, 251):
            raise smtplib.SMTPRecipientsRefused({each: (code, answer)})


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        ((recipient, (code, answer)),) = error.recipients.items()
        return f"{recipient}: {_answer(code, answer)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    if isinstance(error, ssl.SSLError):
        return f"no trust in its certificate: {error.reason or error}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error)


def _answer(code: int, answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return f"{code} {' '.join(text.split())}"[:250]
