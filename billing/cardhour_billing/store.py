"""Opening the money store: Django set up once, its folder made, its tables brought up to date.

Owns when that happens: when a command first needs it, never on import. Does not own the tables (``models``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.core.management import call_command
from django.db import InterfaceError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from cardhour_billing.config import BillingConfig, load_config
from cardhour_billing.lock import exclusive
from cardhour_contract.errors import Refuse, Retry


def set_up() -> None:
    """Django's applications, as ``cardhour.toml`` says. May be called again."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cardhour_billing.settings")
    django.setup()


def open_store() -> BillingConfig:
    """The store, ready for use and up to date. Raises Retry where it does not answer, Refuse where it cannot be."""
    config = load_config()
    set_up()
    try:
        config.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not config.on_postgresql:
            config.sqlite_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refuse(
            f"{config.home} cannot be used as the home: {error.strerror}; name another in CARDHOUR_HOME"
        ) from error
    with answering():
        executor = MigrationExecutor(connection)
        _refuse_unknown(executor.loader)
        if _missing(executor):
            with exclusive("migrate", config.home, wait=True):
                call_command("migrate", verbosity=0, interactive=False)
    return config


def _refuse_unknown(loader: MigrationLoader) -> None:
    """Nothing is changed in a store whose tables another version has made, of which this one knows nothing."""
    unknown = sorted(set(loader.applied_migrations) - set(loader.disk_migrations))
    if unknown:
        raise Refuse(
            f"the money store {place()} was made by another version of CardHour: this one does not know its migration "
            f"{'.'.join(unknown[-1])}; install that version or a later one, or name another store or CARDHOUR_HOME"
        )


def pending() -> list[str]:
    """Names of migrations that the store still lacks."""
    return _missing(MigrationExecutor(connection))


def _missing(executor: MigrationExecutor) -> list[str]:
    steps = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in steps]


@contextmanager
def answering() -> Iterator[None]:
    """Turns a store that does not answer into Retry, with its name and without its password."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        reason = str(error).strip().splitlines()[0]
        raise Retry(f"the money store {place()} did not answer: {reason}; see [store] in the settings") from error


def place() -> str:
    """Where the store is, for messages."""
    settings = connection.settings_dict
    if connection.vendor == "postgresql":
        return f"postgresql://{settings['HOST'] or 'localhost'}:{settings['PORT'] or 5432}/{settings['NAME']}"
    return str(settings["NAME"])
