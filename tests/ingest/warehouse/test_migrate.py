"""Migrations: applied once, in order, recorded, and never half without saying so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.ingest.warehouse.schema import GOLDEN, listing
from tests.services.engine import EngineProcess

from cardhour_contract.errors import InvariantBroken, Refuse
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.migrate import (
    MIGRATION_TABLE,
    Migration,
    create_database,
    embedded,
    migrate,
    migrations,
    on_server,
    pending,
    statements,
)

ONE = Migration(number=1, name="cards", text="CREATE TABLE card (name String) ENGINE = MergeTree ORDER BY name;")
TWO = Migration(
    number=2,
    name="nodes",
    text="""
        CREATE TABLE node (name String) ENGINE = MergeTree ORDER BY name; -- one; two
        CREATE TABLE node_name (name String) ENGINE = MergeTree ORDER BY name;
    """,
)
BREAKS = Migration(number=2, name="nodes", text=TWO.text.replace("node_name (name String)", "node_name (name Strin)"))


@pytest.fixture
def empty(engine_process: EngineProcess) -> Iterator[Warehouse]:
    """A database with no table."""
    target = engine_process.target("unmigrated")
    create_database(target)
    warehouse = Warehouse(target)
    yield warehouse
    engine_process.drop(warehouse)


def tables(warehouse: Warehouse) -> list[str]:
    return [row["name"] for row in warehouse.rows("SHOW TABLES")]


def test_the_schema_is_the_one_that_was_read_and_agreed(warehouse: Warehouse) -> None:
    assert listing(warehouse) == GOLDEN.read_text(encoding="utf-8")


def test_nothing_that_is_billed_is_a_float(warehouse: Warehouse) -> None:
    floats = "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND type LIKE '%Float%'"
    assert warehouse.rows(floats) == []


def test_a_fresh_database_gets_everything_in_order_and_once(empty: Warehouse) -> None:
    assert pending(empty) == migrations()
    assert migrate(empty) == migrations()
    assert pending(empty) == []
    assert migrate(empty) == []
    rows = empty.rows(
        "SELECT number, groupArray(state) AS states FROM (SELECT * FROM migration ORDER BY number, state) "
        "GROUP BY number ORDER BY number"
    )
    assert rows == [{"number": known.number, "states": ["done", "started"]} for known in migrations()]


def test_a_later_version_applies_only_what_is_new(empty: Warehouse) -> None:
    assert migrate(empty, [ONE]) == [ONE]
    assert pending(empty, [ONE, TWO]) == [TWO]
    assert migrate(empty, [ONE, TWO]) == [TWO]
    assert tables(empty) == ["card", "migration", "node", "node_name"]


def test_a_migration_that_broke_in_its_middle_is_reported_until_it_is_resumed(empty: Warehouse) -> None:
    with pytest.raises(InvariantBroken, match="Strin"):
        migrate(empty, [ONE, BREAKS])
    empty.insert("node", pa.table({"name": ["kept"]}))
    for attempt in (pending, migrate):
        with pytest.raises(Refuse, match=r"0002_nodes .* never finished.*`cardhour-ingest migrate --resume`"):
            attempt(empty, [ONE, TWO])
    assert migrate(empty, [ONE, TWO], resume=True) == [TWO]
    assert pending(empty, [ONE, TWO]) == []
    assert tables(empty) == ["card", "migration", "node", "node_name"]
    assert empty.value("SELECT name FROM node") == "kept"


def test_every_migration_can_be_resumed_from_any_point(empty: Warehouse) -> None:
    migrate(empty)
    empty.command("TRUNCATE TABLE migration")
    empty.command("INSERT INTO migration (number, state) VALUES (1, 'started')")
    before = listing(empty)
    assert migrate(empty, resume=True) == migrations()
    assert listing(empty) == before


def test_an_applied_file_must_not_change(empty: Warehouse) -> None:
    migrate(empty, [ONE])
    changed = Migration(number=1, name="cards", text=ONE.text + "\n")
    with pytest.raises(Refuse, match="0001_cards was changed after it was applied"):
        migrate(empty, [changed, TWO])
    assert tables(empty) == ["card", "migration"]


def test_a_newer_warehouse_is_not_touched(empty: Warehouse) -> None:
    migrate(empty, [ONE, TWO])
    with pytest.raises(Refuse, match="0002_nodes, which this version does not know"):
        pending(empty, [ONE])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';' ; -- a; b\nSELECT 'it''s; \\'; -- no' ;", ["SELECT ';'", "SELECT 'it''s; \\'; -- no'"]),
        ('/* ; \' */ SELECT `a;b`, "c;d"', ['SELECT `a;b`, "c;d"']),
        ("SELECT 1 -- it's\n, 2", ["SELECT 1 \n, 2"]),
        ("; -- nothing\n ;", []),
    ],
)
def test_statements_are_cut_where_the_engine_would_cut_them(text: str, expected: list[str]) -> None:
    assert statements(text) == expected


def test_in_our_process_every_table_writes_to_disk_before_an_insert_returns(engine: Path, warehouse: Warehouse) -> None:
    """The settings are read back from the engine: a rendering that missed a table would lose rows at a power cut."""
    assert warehouse.target.embedded
    made = warehouse.rows("SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()")
    assert len(made) > 10
    for table in made:
        assert "fsync_after_insert = 1" in table["engine_full"], table["name"]
        assert "fsync_part_directory = 1" in table["engine_full"], table["name"]


def test_only_the_rendering_differs_between_installations() -> None:
    plain = "CREATE TABLE t (a UInt8) ENGINE = ReplacingMergeTree(a)\nORDER BY a"
    durable = "fsync_after_insert = 1, fsync_part_directory = 1"
    assert on_server(plain) == plain
    assert embedded(plain) == f"{plain}\nSETTINGS {durable}"
    assert (
        embedded(f"{plain}\nSETTINGS index_granularity = 64") == f"{plain}\nSETTINGS index_granularity = 64, {durable}"
    )
    assert embedded("ALTER TABLE t ADD COLUMN b UInt8") == "ALTER TABLE t ADD COLUMN b UInt8"
    assert embedded(MIGRATION_TABLE).endswith(durable)
