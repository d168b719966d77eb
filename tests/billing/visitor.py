"""A person at the portal, in this process: asks for pages, fills in their forms and sends them, on the test's store."""

from __future__ import annotations

import threading
from html.parser import HTMLParser

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from cardhour_billing.models import Customer, PortalUser, StaffRole

BACKEND = "cardhour_billing.portal.backend.LoginBackend"


class Visitor:
    """Signed in as ``name``. ``role`` is one of staff; with ``customer``, the login is that customer's."""

    def __init__(self, name: str = "lin", role: str = "billing", customer: str = "") -> None:
        user, created = User.objects.get_or_create(username=name, defaults={"is_staff": not customer})
        if created and customer:
            PortalUser.objects.create(user=user, customer=Customer.objects.get(key=customer), is_admin=role == "admin")
        elif created:
            StaffRole.objects.create(user=user, role=role)
        self._client = Client(SERVER_NAME="localhost")
        self._client.force_login(user, backend=BACKEND)

    def get(self, path: str, status: int = 200, language: str = "en") -> str:
        """The text of a page, in the language that the browser asks for."""
        answer = self._client.get(path, headers={"Accept-Language": language})
        return self._checked(answer, path, status).content.decode()

    def form(self, path: str, action: str = "") -> dict[str, list[str]]:
        """What the form of a page holds before a person touches it: the one that is sent to ``action``."""
        reader = _Forms()
        reader.feed(self.get(path))
        return next(fields for sent_to, fields in reader.forms if sent_to == action)

    def send(self, path: str, fields: dict[str, list[str]] | dict[str, str], status: int = 302) -> str:
        """Send a form. Where it leads, or what is said instead."""
        answer = self._checked(self._client.post(path, fields), path, status)
        return answer.headers["Location"] if status == 302 else answer.content.decode()

    @staticmethod
    def _checked(answer: object, path: str, status: int) -> HttpResponse:
        assert isinstance(answer, HttpResponse)
        assert answer.status_code == status, (path, answer.status_code, answer.content.decode()[-3000:])
        return answer


def finish_runs() -> None:
    """Wait for every close that was asked for."""
    for thread in threading.enumerate():
        if thread.name.startswith("close-run-"):
            thread.join(timeout=180)
            assert not thread.is_alive()


class _Forms(HTMLParser):
    """Forms of a page: where each is sent, and its fields that have a value."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, list[str]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((given.get("action", ""), {}))
        elif tag == "input" and self.forms and given.get("type") not in ("checkbox", "radio", "search"):
            self.forms[-1][1].setdefault(given["name"], []).append(given.get("value", ""))
