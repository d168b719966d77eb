"""Addresses of the portal as they stand in mail: whole, and never led elsewhere by what a browser says.

Owns what a link begins with: ``[web] url``, or the host that a person is on, where only known hosts are answered.
"""

from __future__ import annotations

from django.http import HttpRequest

from cardhour_billing.config import BillingConfig
from cardhour_contract.errors import Refuse


def portal_link(config: BillingConfig, path: str, request: HttpRequest | None = None) -> str:
    """``path`` with what it begins with. Raises Refuse where nobody knows that."""
    if config.web.url:
        return config.web.url.rstrip("/") + path
    if request is not None and "*" not in config.web.allowed_hosts:
        return request.build_absolute_uri(path)
    raise Refuse("mail cannot say where the portal is: set [web] url, such as https://billing.example.com")


def can_link(config: BillingConfig, request: HttpRequest | None = None) -> bool:
    """Whether letters with links leave from here: there is a mail server, and it is known where the portal is."""
    known_host = request is not None and "*" not in config.web.allowed_hosts
    return bool(config.mail.host) and (bool(config.web.url) or known_host)
