"""The warehouse on a cluster: what is sent to the servers, and the ledger over rows that lie on two shards.

No cluster runs here. The engine parses every statement and makes every replicated table, with its Keeper in memory; and
it reads the raw facts of a rollup as two shards of one process. docs/operations/scaling.md says what that leaves open.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import structs
from tests.ingest.warehouse.cluster import FLEET, GOLDEN, golden_text, rendered, sources
from tests.ledger.cases import SELDOM
from tests.ledger.facts import relabelled, together
from tests.ledger.fleet import HOURS_MS
from tests.ledger.store import put

from cardhour_contract.errors import InvariantBroken, Refuse
from cardhour_ingest.warehouse.client import Target, Warehouse
from cardhour_ingest.warehouse.cluster import SHARDED
from cardhour_ingest.warehouse.connect import WarehouseSettings, migrate_warehouse, open_warehouse
from cardhour_ingest.warehouse.migrate import Migration, embedded, rendering_for, statements
from cardhour_ingest.warehouse.rollup import roll_up

READ_FROM_SHARDS = ("usage_record", "card_record", "workload")


@pytest.mark.parametrize("migration", sources(), ids=lambda each: each.label)
def test_what_is_sent_to_a_cluster_was_read_and_agreed(migration: Migration) -> None:
    assert golden_text(migration) == (GOLDEN / f"{migration.label}.sql").read_text(encoding="utf-8")


@pytest.mark.parametrize("migration", sources(), ids=lambda each: each.label)
def test_the_engine_can_read_every_statement(migration: Migration, warehouse: Warehouse) -> None:
    for statement in rendered(migration.text):
        assert "ON CLUSTER" in warehouse.value("SELECT formatQuery({text:String})", text=statement) or (
            statement.startswith("ALTER TABLE")
        )


def test_the_engine_can_read_what_a_rollup_waits_with(warehouse: Warehouse) -> None:
    for statement in FLEET.catch_up():
        assert "SYSTEM SYNC REPLICA ON CLUSTER" in warehouse.value("SELECT formatQuery({text:String})", text=statement)
    for table, kept in (("usage_sum", "usage_sum"), ("card_hour", "card_hour_local")):
        for statement in FLEET.catch_up_here(table):
            read = warehouse.value("SELECT formatQuery({text:String})", text=statement)
            assert read == f"SYSTEM SYNC REPLICA {kept} LIGHTWEIGHT"


@pytest.mark.parametrize("migration", sources(), ids=lambda each: each.label)
def test_one_node_gets_the_statements_as_they_stand_in_the_file(migration: Migration) -> None:
    server, own = rendering_for(Target(url="http://clickhouse:8123")), rendering_for(Target(path="/var/lib/cardhour"))
    for statement in statements(migration.text):
        assert server(statement) == [statement]
        assert own(statement) == [embedded(statement)]


def test_copies_of_a_row_meet_on_one_shard(warehouse: Warehouse) -> None:
    """The sharding key is part of the sorting key: else FINAL and merges would each see one copy and keep both."""
    found = warehouse.rows("SELECT name, sorting_key FROM system.tables WHERE database = currentDatabase()")
    sorted_by = {row["name"]: row["sorting_key"].split(", ") for row in found}
    for table, sharded_by in SHARDED.items():
        assert sharded_by.removeprefix("cityHash64(").removesuffix(")") in sorted_by[table], table


def test_the_engine_makes_every_replicated_table(tmp_path: Path) -> None:
    """Tries macros, Keeper paths, keys and constraints. ``ON CLUSTER`` needs a server and is left out; so are changes,
    since no copy becomes writable here."""
    (tmp_path / "config.xml").write_text(KEEPER_IN_MEMORY, encoding="utf-8")
    given = [
        each.replace(" ON CLUSTER 'fleet'", "")
        for source in sources()
        for each in rendered(source.text)
        if each.startswith("CREATE")
    ]
    run = subprocess.run(
        [sys.executable, "-c", MAKE_TABLES, str(tmp_path)],
        cwd=tmp_path,
        input="\0".join(given),
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    made = dict(line.split("\t") for line in run.stdout.splitlines())
    assert all("Replicated" in engine or engine == "Distributed" for engine in made.values()), made
    for table in SHARDED:
        assert made[table] == "Distributed"
        assert made[f"{table}_local"].startswith("Replicated")


def pages(warehouse: Warehouse) -> list[dict[str, object]]:
    return warehouse.rows("SELECT * EXCEPT version FROM card_hour FINAL ORDER BY hour, card")


def shard(warehouse: Warehouse) -> None:
    """From now on the raw facts are read as two shards, each of which has its own cards."""
    for table in READ_FROM_SHARDS:
        key = SHARDED[table]
        for statement in (
            f"RENAME TABLE {table} TO {table}_local",
            f"CREATE VIEW {table}_shard AS SELECT * FROM {table}_local WHERE {key} % 2 + 1 = shardNum()",
            f"CREATE TABLE {table} AS remote('localhost,localhost', currentDatabase(), '{table}_shard', {key})",
        ):
            warehouse.command(statement)


def test_the_ledger_is_the_same_when_raw_rows_lie_on_two_shards(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Warehouse, "catch_up", lambda self: None)  # there is no copy here that could be behind
    put(warehouse, together([relabelled(each, number) for number, each in enumerate(SELDOM)]), HOURS_MS)
    roll_up(warehouse)
    alone = pages(warehouse)
    shard(warehouse)
    rows = warehouse.rows("SELECT _shard_num AS shard, count() AS rows FROM usage_record GROUP BY shard ORDER BY shard")
    assert [row["shard"] for row in rows] == [1, 2]
    assert sum(row["rows"] for row in rows) == warehouse.value("SELECT count() FROM usage_record_local")

    warehouse.command(
        "INSERT INTO dirty_hour (hour, node, mark, done) SELECT hour, node, mark + 1000000, 0 FROM dirty_hour"
    )
    warehouse.command("TRUNCATE TABLE card_hour")
    with Warehouse(structs.replace(warehouse.target, cluster=FLEET)) as of_a_cluster:
        assert of_a_cluster.value("SELECT getSetting('prefer_global_in_and_join')")
        roll_up(of_a_cluster)
    assert len(alone) > 10
    assert pages(warehouse) == alone


def test_a_change_of_a_sharded_table_is_made_on_both_of_its_sides() -> None:
    assert FLEET.render("ALTER TABLE usage_record ADD COLUMN zone UInt8") == [
        "ALTER TABLE usage_record_local ON CLUSTER 'fleet' ADD COLUMN zone UInt8",
        "ALTER TABLE usage_record ON CLUSTER 'fleet' ADD COLUMN zone UInt8",
    ]
    assert FLEET.render("ALTER TABLE usage_record MODIFY SETTING old_parts_lifetime = 60") == [
        "ALTER TABLE usage_record_local ON CLUSTER 'fleet' MODIFY SETTING old_parts_lifetime = 60"
    ]
    assert FLEET.render("DROP TABLE usage_record") == [
        "DROP TABLE usage_record ON CLUSTER 'fleet' SYNC",
        "DROP TABLE usage_record_local ON CLUSTER 'fleet' SYNC",
    ]


def test_a_change_of_a_table_that_is_everywhere_is_made_once_and_replicated() -> None:
    assert FLEET.render("ALTER TABLE node ADD COLUMN zone UInt8") == ["ALTER TABLE node ADD COLUMN zone UInt8"]
    assert FLEET.render("DROP TABLE IF EXISTS node") == ["DROP TABLE IF EXISTS node ON CLUSTER 'fleet' SYNC"]


def test_a_statement_of_no_known_form_is_not_sent_to_one_server_by_mistake() -> None:
    with pytest.raises(InvariantBroken, match="no rendering for a cluster is known for: OPTIMIZE TABLE node"):
        FLEET.render("OPTIMIZE TABLE node")


@pytest.mark.parametrize("opening", [open_warehouse, migrate_warehouse])
def test_a_cluster_without_a_server_is_refused(opening: object, tmp_path: Path) -> None:
    assert callable(opening)
    with pytest.raises(Refuse, match="cluster is set, but url is empty"):
        opening(WarehouseSettings(cluster="fleet"), tmp_path)


KEEPER_IN_MEMORY = """
<clickhouse>
    <zookeeper><implementation>testkeeper</implementation></zookeeper>
    <macros><shard>1</shard><replica>a</replica></macros>
    <remote_servers><fleet>
        <shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>
        <shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>
    </fleet></remote_servers>
</clickhouse>
"""

# It ends at once: the engine's orderly end waits for copies that this Keeper never lets in.
MAKE_TABLES = """
import os, sys, chdb
engine = chdb.connect(f"{sys.argv[1]}/engine")
engine.query("CREATE DATABASE cardhour")
engine.query("USE cardhour")
for statement in sys.stdin.read().split(chr(0)):
    engine.query(statement)
found = engine.query("SELECT name, engine FROM system.tables WHERE database = 'cardhour'", "TabSeparated")
sys.stdout.write(found.bytes().decode())
sys.stdout.flush()
os._exit(0)
"""
