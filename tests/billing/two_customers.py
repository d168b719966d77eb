"""Fixtures: the books of two customers, copied for each test, and programs that call the API over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import Struct
from pytest_django import DjangoDbBlocker

from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
from tests.billing import books_of_two as books
from tests.billing.api.program import Program
from tests.billing.in_process import Store
from tests.billing.stores import copied, lent, settled


class Written(Struct, frozen=True, kw_only=True):
    """Where the books are."""

    url: str
    database: str
    """Of the warehouse. No test changes it."""


@pytest.fixture(scope="session")
def written(
    migrated: str, engine: Path, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Written]:
    """The books, written once for each kind of store."""
    database = "books_on_postgresql" if migrated.startswith("postgresql") else "books_on_sqlite"
    with open_warehouse(WarehouseSettings(database=database), engine) as warehouse:
        with django_db_blocker.unblock(), copied(migrated, tmp_path_factory.mktemp("books")) as store:
            books.write(store.home, warehouse)
        yield Written(url=settled(store.url), database=database)


@pytest.fixture
def books_of_two(
    written: Written,
    engine: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Store]:
    """Acme and Rival, each with everything; what is called finds the engine that has their usage."""
    monkeypatch.setenv("CARDHOUR_HOME", str(engine))
    monkeypatch.setenv("CARDHOUR_WAREHOUSE_DATABASE", written.database)
    with django_db_blocker.unblock(), lent(written.url, tmp_path) as store:
        yield store


@pytest.fixture
def program(books_of_two: Store) -> Callable[..., Program]:
    """A program of a customer, with a key of its own: ``program("acme", "usage:read")``."""

    def made(customer: str = "acme", *scopes: str) -> Program:
        return Program(books.token(customer, *scopes))

    return made
