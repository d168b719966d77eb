"""The money store for each test: a fresh, migrated SQLite file and a fresh PostgreSQL database, one test on each."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connections
from psycopg import sql
from pytest_django import DjangoDbBlocker

from cardhour_billing.settings import postgresql_database, sqlite_database
from tests.billing.in_process import Desk, Installation, Store
from tests.services.engine import EngineProcess, running_engine
from tests.services.postgres import UnavailableError, postgres_server

__all__ = ["Store"]

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a real server's ``postgres`` database."""
    try:
        with postgres_server() as url:
            yield url
    except UnavailableError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> str:
    """A migrated SQLite file that tests copy."""
    url = str(tmp_path_factory.mktemp("migrated") / "billing.db")
    with django_db_blocker.unblock(), _connected(url):
        call_command("migrate", verbosity=0, interactive=False)
    return settled(url)


@pytest.fixture(scope="session")
def migrated_database(postgres: str, django_db_blocker: DjangoDbBlocker) -> str:
    """URL of a migrated PostgreSQL database that tests copy."""
    url = created(postgres, "migrated")
    with django_db_blocker.unblock(), _connected(url):
        call_command("migrate", verbosity=0, interactive=False)
    return url


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def migrated(request: pytest.FixtureRequest) -> str:
    """A migrated store that tests copy: a file, or the URL of a database."""
    url: str = request.getfixturevalue("migrated_file" if request.param == "sqlite" else "migrated_database")
    return url


@pytest.fixture
def store(migrated: str, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Store]:
    """A store of this test's own, which Django's default connection now speaks to."""
    with django_db_blocker.unblock(), copied(migrated, tmp_path) as made:
        yield made


@contextmanager
def copied(template: str, home: Path) -> Iterator[Store]:
    """A copy of the store ``template``, which nothing is connected to; Django's default connection speaks to it."""
    if template.startswith("postgresql://"):
        server, _, name = template.rpartition("/")
        url = created(f"{server}/postgres", f"test_{next(_numbers)}", name)
    else:
        url = str(home / "billing.db")
        shutil.copy(template, url)
    with _connected(url):
        yield Store(vendor="postgresql" if url.startswith("postgresql") else "sqlite", url=url, home=home)


def settled(url: str) -> str:
    """The store ``url`` as a file that may be copied: without its write-ahead log."""
    if not url.startswith("postgresql://"):
        with sqlite3.connect(url) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
    return url


def created(server: str, name: str, template: str = "template0") -> str:
    """URL of a new database ``name`` on ``server``, copied from ``template``."""
    with psycopg.connect(server, autocommit=True) as connection:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        connection.execute(drop)
        connection.execute(create)
    return f"{server.rpartition('/')[0]}/{name}"


@contextmanager
def _connected(url: str) -> Iterator[None]:
    """Django's default connection to ``url``; what it was before, afterwards."""
    before = connections.settings["default"]
    raw: dict[str, Any] = postgresql_database(url) if url.startswith("postgresql://") else sqlite_database(Path(url))
    _use(connections.configure_settings({"default": raw})["default"])
    try:
        yield
    finally:
        _use(before)


def _use(settings: dict[str, Any]) -> None:
    connections["default"].close()
    del connections["default"]
    connections.settings["default"] = settings
    ContentType.objects.clear_cache()


@pytest.fixture(scope="session")
def served_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """An engine that serves every installation below."""
    with running_engine(tmp_path_factory.mktemp("served")) as process:
        yield process


@pytest.fixture(scope="session")
def install(
    served_engine: EngineProcess, migrated_file: str, django_db_blocker: DjangoDbBlocker
) -> Callable[[Path], Installation]:
    """Makes an installation in a folder: a migrated store, and usage in a database of its own."""

    @contextmanager
    def connected(url: str) -> Iterator[None]:
        with django_db_blocker.unblock(), _connected(url):
            yield

    def made(folder: Path) -> Installation:
        installation = Installation(folder, connected)
        installation.home.mkdir(mode=0o700, parents=True)
        shutil.copy(migrated_file, installation.home / "billing.db")
        with served_engine.empty_warehouse() as warehouse:
            target = warehouse.target
        (installation.home / "cardhour.toml").write_text(
            f'[warehouse]\nurl = "{target.url}"\ndatabase = "{target.database}"\n'
            f'password = "{target.password.reveal()}"\n'
        )
        return installation

    return made


@pytest.fixture
def installation(install: Callable[[Path], Installation], tmp_path: Path) -> Installation:
    """An installation of this test's own."""
    return install(tmp_path)


@pytest.fixture
def desk(store: Store, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Commands on this test's store."""
    return Desk(store, monkeypatch)
