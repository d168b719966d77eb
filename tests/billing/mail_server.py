"""A real SMTP server on a free port of 127.0.0.1: it accepts, refuses, or breaks off as told."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

PATIENCE_S = 180
"""For the server to start, and for whoever mails through it: milliseconds, but on a busy machine."""

USER, PASSWORD = "billing", "not-a-real-password"


class Post:
    """What happens to mail. ``received`` has what was accepted."""

    def __init__(self) -> None:
        self.received: list[tuple[list[str], EmailMessage]] = []
        self.refuse_recipient = ""
        self.answer = "250 2.0.0 kept"
        self.break_off = False
        """Break the connection after the message has come, without an answer."""
        self.keep_before_breaking = False

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == self.refuse_recipient:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        message = BytesParser(policy=policy).parsebytes(content)
        if self.break_off:
            if self.keep_before_breaking:
                self.received.append((list(envelope.rcpt_tos), message))
            server.transport.abort()
            await asyncio.sleep(0)
            return "250 nobody hears this"
        if self.answer.startswith("250"):
            self.received.append((list(envelope.rcpt_tos), message))
        return self.answer


class _Office(Controller):
    """On whatever port is free."""

    def _trigger_server(self) -> Any:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        first_contact: Callable[[], Any] = super()._trigger_server
        return first_contact()


def _login(server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


@contextmanager
def post_office(tls: ssl.SSLContext | None = None) -> Iterator[tuple[Post, int]]:
    """A server's mail and its port. With ``tls`` it asks for STARTTLS and a login before it takes anything."""
    post = Post()
    secured: dict[str, Any] = {}
    if tls is not None:
        secured = {"tls_context": tls, "require_starttls": True, "auth_required": True, "authenticator": _login}
    controller = _Office(post, hostname="127.0.0.1", port=0, ready_timeout=PATIENCE_S, **secured)
    controller.start()
    try:
        yield post, controller.port
    finally:
        controller.stop()


@contextmanager
def served_mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    """A server that the settings of this test name in ``[mail]``."""
    with post_office() as (post, port):
        monkeypatch.setenv("CARDHOUR_MAIL_HOST", "127.0.0.1")
        monkeypatch.setenv("CARDHOUR_MAIL_PORT", str(port))
        monkeypatch.setenv("CARDHOUR_MAIL_TLS", "none")
        monkeypatch.setenv("CARDHOUR_MAIL_SENDER", "Example Compute <billing@example.com>")
        yield post


def text_of(message: EmailMessage) -> str:
    """What a letter says."""
    body = message.get_body()
    assert body is not None
    return str(body.get_content())


def link_in(message: EmailMessage, host: str = "http://localhost") -> str:
    """The path of the first link to the portal in a letter."""
    found = re.search(rf"{re.escape(host)}(/\S+)", text_of(message))
    assert found, text_of(message)
    return found[1]
