"""Opening the money store for the first time, and the key that signs the portal's sessions."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from cardhour_billing.secret import signing_key
from cardhour_billing.store import open_store
from cardhour_contract.errors import Refuse
from tests.billing.in_process import Store
from tests.billing.stores import created
from tests.billing.test_numbering import together


@pytest.fixture(params=["sqlite", "postgresql"])
def untouched(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store that has no tables yet."""
    if request.param == "sqlite":
        return Store(vendor="sqlite", url=str(tmp_path / "folder" / "billing.db"), home=tmp_path)
    url = created(request.getfixturevalue("postgres"), "untouched")
    return Store(vendor="postgresql", url=url, home=tmp_path)


def test_processes_that_open_a_new_store_together_make_its_tables_once(untouched: Store) -> None:
    assert together(untouched, *[["tests.billing.opener_process"]] * 3) == ["0\n"] * 3


def test_a_store_of_another_version_is_refused_and_left_as_it_is(store: Store) -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_applied("billing", "0999_of_next_year")
    before = connection.introspection.table_names()
    with pytest.raises(Refuse, match=r"does not know its migration billing\.0999_of_next_year; install that version"):
        open_store()
    assert connection.introspection.table_names() == before


def test_the_signing_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    key = signing_key(home)
    assert len(key) >= 50
    assert signing_key(home) == key
    assert stat.S_IMODE((home / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [path.name for path in home.iterdir()] == ["secret_key"]


def test_a_signing_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    signing_key(tmp_path)
    (tmp_path / "secret_key").chmod(0o644)
    with pytest.raises(Refuse, match="chmod 600"):
        signing_key(tmp_path)
