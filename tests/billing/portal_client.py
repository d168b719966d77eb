"""A browser's requests without a browser: a login of the portal over this test's store and warehouse."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.test import Client

from cardhour_billing.logins.users import add_user
from cardhour_billing.models import StaffRole
from cardhour_ingest.warehouse.client import Warehouse
from tests.billing.books import clock_at

PASSWORD = "a long pass phrase"  # of every login that a test makes


def staff(role: str = "admin", name: str = "") -> Client:
    """A client signed in as staff of ``role``."""
    login = add_user(
        name or f"the.{role}", PASSWORD, customer=None, role=role, clock=clock_at("2026-01-01T00:00:00Z"), who="tests"
    )
    assert StaffRole.objects.filter(user=login, role=role).exists()
    client = Client(raise_request_exception=True)
    client.force_login(login, backend="cardhour_billing.portal.backend.LoginBackend")
    return client


def over(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, *views: str) -> None:
    """Let these modules find the test's own warehouse: the engine admits one home a process."""

    @contextmanager
    def opened(_config: object) -> Iterator[Warehouse]:
        yield warehouse

    for each in views:
        monkeypatch.setattr(f"{each}.kept_warehouse", opened)


def at_home(home: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are looked for in the test's own home."""
    monkeypatch.setenv("CARDHOUR_HOME", str(home))
