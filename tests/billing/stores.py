"""Money stores for tests: made, copied from one that is migrated, and spoken to by Django's default connection."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from psycopg import sql

from cardhour_billing.settings import postgresql_database, sqlite_database
from tests.billing.in_process import Store

_numbers = count(1)


@contextmanager
def copied(template: str, home: Path) -> Iterator[Store]:
    """A copy of the store ``template``, which nothing is connected to; Django's default connection speaks to it."""
    if template.startswith("postgresql://"):
        server, _, name = template.rpartition("/")
        url = created(f"{server}/postgres", f"test_{next(_numbers)}", name)
    else:
        url = str(home / "billing.db")
        shutil.copy(template, url)
    with connected(url):
        yield Store(vendor="postgresql" if url.startswith("postgresql") else "sqlite", url=url, home=home)


@contextmanager
def lent(template: str, home: Path) -> Iterator[Store]:
    """A copy for one test. A database goes with the test: it may lie in memory, which hundreds of them would fill."""
    with copied(template, home) as store:
        yield store
    if store.vendor == "postgresql":
        server, _, name = store.url.rpartition("/")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def settled(url: str) -> str:
    """The store ``url`` as a file that may be copied: without its write-ahead log."""
    if not url.startswith("postgresql://"):
        with sqlite3.connect(url) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
    return url


def created(server: str, name: str, template: str = "template0") -> str:
    """URL of a new database ``name`` on ``server``, copied from ``template``: as files, which is half the work."""
    with psycopg.connect(server, autocommit=True) as connection:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        connection.execute(drop)
        connection.execute(create)
    return f"{server.rpartition('/')[0]}/{name}"


@contextmanager
def connected(url: str) -> Iterator[None]:
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
