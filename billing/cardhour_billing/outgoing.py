"""Settings of what leaves CardHour: the sections ``[webhook]`` and ``[mail]`` of ``cardhour.toml``.

Owns what each setting means and what is refused of it. Does not own sending (``webhook``, ``mail``).
"""

from __future__ import annotations

import base64
import binascii
from email.utils import parseaddr
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from cardhour_contract.errors import Refuse
from cardhour_contract.settings import Secret

BASE64_PREFIX = "whsec_"
"""Secrets that begin so are base64, as Standard Webhooks writes them; any other is taken as it stands."""


class WebhookSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[webhook]``: who hears of events."""

    url: str = ""
    """``https://…`` of the receiver. Empty: events are kept, and told to nobody."""
    secret: Secret = msgspec.field(default_factory=lambda: Secret(""))
    """What requests are signed with; the receiver has it too."""
    timeout_s: int = 10
    """How long the receiver may take to answer."""
    customers_anywhere: bool = False
    """Whether customers' own webhooks may be inside a private network, and without TLS: for a closed installation."""


class MailSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[mail]``: the SMTP server that invoices leave through."""

    host: str = ""
    """Empty: nothing can be sent."""
    port: int = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """``starttls`` (usual on 587), ``tls`` from the first byte (465), or ``none``, for a server on this machine."""
    user: str = ""
    password: Secret = msgspec.field(default_factory=lambda: Secret(""))
    sender: str = ""
    """From whom: ``Example Compute <billing@example.com>``."""
    ca_file: str = ""
    """PEM file of the authority that signed the server's certificate. Empty: the system's authorities."""
    timeout_s: int = 30


def check_webhook(settings: WebhookSettings) -> None:
    """Refuse a webhook that could not be told anything, or not safely."""
    if not settings.url:
        return
    try:
        parsed = urlsplit(settings.url)
    except ValueError as error:
        raise Refuse("[webhook] url: not an address such as https://billing.example.com/hooks") from error
    if parsed.scheme not in ("http", "https") or not parsed.hostname:
        raise Refuse("[webhook] url: not an address such as https://billing.example.com/hooks")
    if not settings.secret:
        raise Refuse("[webhook] secret: needed with a url, and known to the receiver; openssl rand -hex 32 makes one")
    webhook_key(settings.secret)


def webhook_key(secret: Secret) -> bytes:
    """The bytes that a secret stands for."""
    text = secret.reveal()
    if not text.startswith(BASE64_PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(BASE64_PREFIX), validate=True)
    except binascii.Error as error:
        raise Refuse(f"[webhook] secret: what follows {BASE64_PREFIX} is not base64") from error


def check_mail(settings: MailSettings) -> None:
    """Refuse mail settings that name a server and cannot work."""
    if not settings.host:
        return
    if "@" not in parseaddr(settings.sender)[1]:
        raise Refuse("[mail] sender: an address such as Example Compute <billing@example.com> is needed with a host")
    if bool(settings.user) != bool(settings.password):
        raise Refuse("[mail] user and password: give both, or neither")
    if settings.user and settings.tls == "none":
        raise Refuse("[mail] tls: a password must not travel in the clear; use starttls or tls")
