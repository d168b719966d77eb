"""The webhook: one event as one signed HTTP request.

Owns the bytes, the signature and what counts as heard. Does not own when it is tried (``events``). The signature is
that of the Standard Webhooks specification, for which receivers find a library in their language: HMAC-SHA256 over
``id.timestamp.body``, so that neither the body nor its time can be another's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import urlsplit

import msgspec
import urllib3
from msgspec import Struct

from cardhour_billing.models import Event
from cardhour_billing.outgoing import WebhookSettings, webhook_key
from cardhour_contract.clock import Clock
from cardhour_contract.moment import SECOND_MS, format_rfc3339
from cardhour_contract.settings import Secret


class Heard(Struct, frozen=True, kw_only=True):
    """What the receiver said; ``status`` is ``None`` where it said nothing."""

    status: int | None
    outcome: str

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def body_of(event: Event) -> bytes:
    """The event as canonical JSON."""
    content = {
        "type": event.kind,
        "timestamp": format_rfc3339(event.at_ms),
        "data": {"customer": event.customer.key, "subject": event.subject, "sequence": event.sequence, **event.detail},
    }
    return msgspec.json.encode(content, order="sorted")


def headers_of(event: Event, body: bytes, secret: Secret, at_s: int) -> dict[str, str]:
    """Headers of a request at a Unix time in seconds."""
    name = f"evt_{event.pk}"
    mac = hmac.new(webhook_key(secret), f"{name}.{at_s}.".encode() + body, hashlib.sha256)
    return {
        "content-type": "application/json",
        "user-agent": "cardhour",
        "webhook-id": name,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(mac.digest()).decode()}",
    }


def tell(event: Event, settings: WebhookSettings, clock: Clock, *, address: str = "") -> Heard:
    """Send one request. Redirects are not followed: what is signed is for one receiver.

    ``address``: the IP address to connect to, whatever the name in the URL means by now.
    """
    body = body_of(event)
    headers = headers_of(event, body, settings.secret, clock.now_ms() // SECOND_MS)
    timeout = urllib3.Timeout(total=settings.timeout_s)
    try:
        if not address:
            with urllib3.PoolManager(timeout=timeout, retries=False) as http:
                answer = http.request("POST", settings.url, body=body, headers=headers, redirect=False)
        else:
            with _pool(settings.url, address, timeout) as pool:
                parsed = urlsplit(settings.url)
                path = f"{parsed.path or '/'}{f'?{parsed.query}' if parsed.query else ''}"
                answer = pool.request(
                    "POST", path, body=body, headers={**headers, "host": parsed.netloc}, redirect=False
                )
    except urllib3.exceptions.HTTPError as error:
        return Heard(status=None, outcome=_reason(error, settings))
    status = int(answer.status)
    return Heard(status=status, outcome="delivered" if 200 <= status < 300 else f"the receiver answered {status}")


def _pool(url: str, address: str, timeout: urllib3.Timeout) -> urllib3.HTTPConnectionPool:
    """Connections to one address, whose certificate must be that of the name in the URL."""
    parsed = urlsplit(url)
    if parsed.scheme == "http":
        return urllib3.HTTPConnectionPool(address, parsed.port or 80, timeout=timeout, retries=False)
    name = parsed.hostname or ""
    return urllib3.HTTPSConnectionPool(
        address, parsed.port or 443, timeout=timeout, retries=False, server_hostname=name, assert_hostname=name
    )


def _reason(error: urllib3.exceptions.HTTPError, settings: WebhookSettings) -> str:
    if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    ):
        return f"no answer within {settings.timeout_s} s"
    reason = getattr(error, "reason", None) or error
    return f"no answer: {type(reason).__name__}"  # the error's own text repeats the address, which may hold a token
