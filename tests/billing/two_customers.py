"""Fixtures: the books of two customers in a store of the test's own, and programs that call the API over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from tests.billing import books_of_two as books
from tests.billing.api.program import Program
from tests.billing.in_process import Store
from tests.billing.stores import copied, settled
from tests.billing.test_commands import HEADER


@pytest.fixture(scope="session")
def written(migrated: str, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> str:
    """The books, written once for each database; tests have copies."""
    with django_db_blocker.unblock(), copied(migrated, tmp_path_factory.mktemp("books")) as store:
        books.write(store.home)
    return settled(store.url)


@pytest.fixture
def books_of_two(written: str, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Store]:
    """Acme and Rival, each with everything."""
    with django_db_blocker.unblock(), copied(written, tmp_path) as store:
        yield store


@pytest.fixture
def program(books_of_two: Store) -> Callable[..., Program]:
    """A program of a customer, with a key of its own: ``program("acme", "usage:read")``."""

    def made(customer: str = "acme", *scopes: str) -> Program:
        return Program(books.token(customer, *scopes))

    return made


@pytest.fixture
def used(books_of_two: Store, warehouse: Warehouse, engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Acme held a card for a day and another for two hours, Rival one; the engine that a call opens has it."""
    rows = (
        ("k8s:acme", "job-1", "GPU-0", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"),
        ("user:acme-eve", "", "GPU-1", "2026-01-05T00:00:00Z", "2026-01-05T02:00:00Z"),
        ("k8s:rival", "job-1", "GPU-2", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"),
    )
    lines = "".join(f"{owner},{job},n1,{card},T4,,{start},{end},1,,\n" for owner, job, card, start, end in rows)
    (books_of_two.home / "usage.csv").write_text(HEADER + lines)
    import_csv(warehouse, books_of_two.home / "usage.csv")
    roll_up(warehouse)
    monkeypatch.setenv("CARDHOUR_HOME", str(engine))
    monkeypatch.setenv("CARDHOUR_WAREHOUSE_DATABASE", warehouse.target.database)
