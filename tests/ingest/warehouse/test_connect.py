"""Finding the warehouse: what the settings say decides, and nothing is migrated on a server behind its owner's back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.services.engine import EngineProcess

from cardhour_contract.errors import Refuse, Retry
from cardhour_contract.settings import Loader, Secret
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.connect import WarehouseSettings, migrate_warehouse, open_warehouse
from cardhour_ingest.warehouse.migrate import migrations


@pytest.fixture
def server(engine_process: EngineProcess) -> Iterator[WarehouseSettings]:
    """Settings of a server whose database does not exist yet; after the test it is gone again."""
    yield WarehouseSettings(url=engine_process.url, password=Secret(engine_process.token), database="of_a_server")
    with Warehouse(engine_process.target("default")) as warehouse:
        warehouse.command("DROP DATABASE IF EXISTS of_a_server")


def test_a_server_is_migrated_only_when_told_to(server: WarehouseSettings, tmp_path: Path) -> None:
    with pytest.raises(Refuse, match="run `cardhour-ingest migrate`"):
        open_warehouse(server, tmp_path)
    assert migrate_warehouse(server, tmp_path) == migrations()
    assert migrate_warehouse(server, tmp_path) == []
    with open_warehouse(server, tmp_path) as warehouse:
        assert warehouse.value("SELECT count() FROM card_hour") == 0
    assert list(tmp_path.iterdir()) == [], "a server needs no folder here"


def test_a_server_with_pending_migrations_is_refused(server: WarehouseSettings, tmp_path: Path) -> None:
    migrate_warehouse(server, tmp_path)
    with open_warehouse(server, tmp_path) as warehouse:
        warehouse.command("ALTER TABLE migration DELETE WHERE number = 2 SETTINGS mutations_sync = 1")
        with pytest.raises(Refuse, match=r"lacks 1 migrations, from 0002_ledger: run `cardhour-ingest migrate`"):
            open_warehouse(server, tmp_path)


def test_a_server_that_does_not_answer_may_come_back(tmp_path: Path) -> None:
    with pytest.raises(Retry):
        open_warehouse(WarehouseSettings(url="http://127.0.0.1:9"), tmp_path)


def test_settings_come_from_the_file_and_the_environment_and_hide_the_password(tmp_path: Path) -> None:
    file = tmp_path / "cardhour.toml"
    file.write_text('[warehouse]\nurl = "http://clickhouse:8123"\nuser = "ingest"\n')
    loader = Loader(file, {"CARDHOUR_WAREHOUSE_PASSWORD": "hunter2"})
    settings = loader.section("warehouse", WarehouseSettings)
    loader.finish()
    assert (settings.url, settings.user, settings.database) == ("http://clickhouse:8123", "ingest", "cardhour")
    assert settings.password.reveal() == "hunter2"
    assert "hunter2" not in repr(settings)


def test_the_engine_of_this_machine_is_migrated_by_opening_it(engine: Path) -> None:
    mine = WarehouseSettings(database="of_this_machine")
    assert migrate_warehouse(mine, engine) == migrations()
    assert migrate_warehouse(mine, engine) == []
    with open_warehouse(mine, engine) as warehouse:
        warehouse.command("INSERT INTO migration (number, name, state) VALUES (99, 'later', 'done')")
        with pytest.raises(Refuse, match="0099_later, which this version does not know"):
            open_warehouse(mine, engine)
        warehouse.command("DROP DATABASE of_this_machine")


def test_threads_may_open_it_at_the_same_moment(engine: Path) -> None:
    mine = WarehouseSettings(database="of_threads")

    def tables(_: int) -> int:
        with open_warehouse(mine, engine) as warehouse:
            return len(warehouse.rows("SHOW TABLES"))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(tables, range(8)))) == 1
    with open_warehouse(mine, engine) as warehouse:
        warehouse.command("DROP DATABASE of_threads")


def test_without_the_embedded_engine_a_server_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chdb", None)
    with pytest.raises(Refuse, match="embedded"):
        open_warehouse(WarehouseSettings(), tmp_path)
