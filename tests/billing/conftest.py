"""The money store for each test: a fresh, migrated SQLite file and a fresh PostgreSQL database, one test on each."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from cardhour_ingest.warehouse.client import Warehouse
from tests.billing.in_process import Desk, Installation, Store
from tests.billing.stores import connected, copied, created, lent, settled
from tests.billing.two_customers import books_of_two, program, written
from tests.services.engine import EngineProcess, running_engine
from tests.services.postgres import UnavailableError, postgres_server

__all__ = ["Store", "books_of_two", "program", "written"]


@pytest.fixture(scope="package", autouse=True)
def quick_hashes() -> Iterator[None]:
    """A password is hashed at once: ours takes a fifth of a second on purpose, and hundreds of tests make a login."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


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
    with django_db_blocker.unblock(), connected(url):
        call_command("migrate", verbosity=0, interactive=False)
    return settled(url)


@pytest.fixture(scope="session")
def migrated_database(postgres: str, django_db_blocker: DjangoDbBlocker) -> str:
    """URL of a migrated PostgreSQL database that tests copy."""
    url = created(postgres, "migrated")
    with django_db_blocker.unblock(), connected(url):
        call_command("migrate", verbosity=0, interactive=False)
    return url


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def migrated(request: pytest.FixtureRequest) -> str:
    """A migrated store that tests copy: a file, or the URL of a database."""
    url: str = request.getfixturevalue("migrated_file" if request.param == "sqlite" else "migrated_database")
    return url


Prepare = Callable[[str, Callable[[Path], object]], str]


@pytest.fixture(scope="session")
def prepare(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Prepare:
    """Makes of a store one with books in it. A file whose tests all begin with the same books gives it as its own
    ``migrated``: they are written once, and each test has a copy.
    """

    def made(template: str, write: Callable[[Path], object]) -> str:
        with django_db_blocker.unblock(), copied(template, tmp_path_factory.mktemp("prepared")) as store:
            write(store.home)
        return settled(store.url)

    return made


@pytest.fixture
def store(migrated: str, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Store]:
    """A store of this test's own, which Django's default connection now speaks to."""
    with django_db_blocker.unblock(), lent(migrated, tmp_path) as made:
        yield made


@pytest.fixture
def desk(store: Store, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Commands on this test's store."""
    return Desk(store, monkeypatch)


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
    def unblocked(url: str) -> Iterator[None]:
        with django_db_blocker.unblock(), connected(url):
            yield

    def made(folder: Path) -> Installation:
        with served_engine.empty_warehouse() as warehouse:
            target = warehouse.target
        installation = Installation(folder, target.database, unblocked)
        installation.home.mkdir(mode=0o700, parents=True)
        shutil.copy(migrated_file, installation.home / "billing.db")
        (installation.home / "cardhour.toml").write_text(
            f'[warehouse]\nurl = "{target.url}"\ndatabase = "{target.database}"\n'
            f'password = "{target.password.reveal()}"\n'
        )
        return installation

    return made


@pytest.fixture
def installation(
    install: Callable[[Path], Installation], served_engine: EngineProcess, tmp_path: Path
) -> Iterator[Installation]:
    """An installation of this test's own."""
    made = install(tmp_path)
    yield made
    served_engine.give_back(Warehouse(served_engine.target(made.database)))
