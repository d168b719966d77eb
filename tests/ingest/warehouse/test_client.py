"""One contract for a connection, held by the engine in this process and by the one behind HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from tests.services.engine import EngineProcess, running_engine

from cardhour_contract.errors import InvariantBroken, Refuse, Retry
from cardhour_contract.settings import Secret
from cardhour_ingest.warehouse.client import ConstraintViolated, Target, Warehouse
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
from cardhour_ingest.warehouse.engine_http import THREADS

LEDGER = """
CREATE OR REPLACE TABLE reading (
    at DateTime64(3, 'UTC'),
    card LowCardinality(String),
    held_us UInt64,
    energy_mj Nullable(UInt64),
    basis UInt8 DEFAULT 7,
    CONSTRAINT within_a_quarter CHECK held_us <= 900000000
) ENGINE = MergeTree ORDER BY (card, at)
"""

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def embedded(engine: Path) -> Iterator[Warehouse]:
    with open_warehouse(WarehouseSettings(database="contract"), engine) as opened:
        assert opened.target.embedded
        yield opened


@pytest.fixture(scope="module")
def served(engine_process: EngineProcess) -> Iterator[Warehouse]:
    opened = engine_process.empty_warehouse()
    yield opened
    engine_process.drop(opened)


@pytest.fixture(params=["embedded", "served"])
def either(request: pytest.FixtureRequest) -> Warehouse:
    warehouse: Warehouse = request.getfixturevalue(request.param)
    warehouse.command(LEDGER)
    return warehouse


def readings(*held_us: int, energy_mj: int | None = None) -> pa.Table:
    count = len(held_us)
    return pa.table({
        "at": pa.array([NOON] * count, pa.timestamp("ms", tz="UTC")),
        "card": [f"GPU-{n}" for n in range(count)],
        "held_us": pa.array(held_us, pa.uint64()),
        "energy_mj": pa.array([energy_mj] * count, pa.uint64()),
    })  # fmt: skip


def test_rows_come_back_as_they_went_in(either: Warehouse) -> None:
    either.insert("reading", readings(900_000_000))
    assert either.rows("SELECT * FROM reading") == [
        {"at": NOON, "card": "GPU-0", "held_us": 900_000_000, "energy_mj": None, "basis": 7}
    ]


def test_sixty_four_bits_are_kept(either: Warehouse) -> None:
    assert either.value("SELECT {key:UInt64}", key=2**64 - 1) == 2**64 - 1


def test_every_time_is_aware_and_in_utc(either: Warehouse) -> None:
    row = either.rows(
        "SELECT now() AS plain, now('UTC') AS named, toDateTime64('2026-01-31 12:00:00', 3, 'UTC') AS ms"
    )[0]
    assert {name: at.tzname() for name, at in row.items()} == {"plain": "UTC", "named": "UTC", "ms": "UTC"}
    assert row["ms"] == NOON


def test_parameters_are_values_and_names_never_text(either: Warehouse) -> None:
    either.insert("reading", readings(1, 2, 3))
    found = either.rows(
        "SELECT card FROM {name:Identifier} WHERE card IN {cards:Array(String)} AND at = {at:DateTime64(3, 'UTC')} "
        "ORDER BY card",
        name="reading",
        cards=["GPU-0", "GPU-2", "it's \\ not", "') OR 1 = 1 --"],
        at=NOON,
    )
    assert [row["card"] for row in found] == ["GPU-0", "GPU-2"]


def test_a_parameter_may_be_longer_than_an_address(either: Warehouse) -> None:
    cards = [f"GPU-{n:036d}" for n in range(20_000)]
    assert either.value("SELECT length({cards:Array(String)})", cards=cards) == 20_000


def test_an_empty_result_is_no_rows(either: Warehouse) -> None:
    assert either.rows("SELECT * FROM reading") == []
    assert list(either.stream("SELECT * FROM reading")) == []
    assert either.arrow("SELECT * FROM reading").num_rows == 0


def test_inserting_no_rows_is_nothing(either: Warehouse) -> None:
    either.insert("reading", readings())
    assert either.value("SELECT count() FROM reading") == 0


def test_a_long_result_streams_in_blocks(either: Warehouse) -> None:
    statement = "SELECT number, toString(number) AS text FROM numbers({rows:UInt64})"
    blocks = list(either.stream(statement, rows=300_000))
    assert len(blocks) > 1
    joined = pa.concat_tables(blocks)
    assert joined.equals(either.arrow(statement, rows=300_000))
    assert joined.schema.field("text").type == pa.string()


def test_streams_left_in_their_middle_hold_nothing_up(either: Warehouse) -> None:
    for _ in range(THREADS + 1):
        stream = either.stream("SELECT number FROM numbers(100000000)")
        next(stream)
        del stream
    assert either.value("SELECT 1") == 1


def test_an_insert_is_all_or_nothing_against_a_constraint(either: Warehouse) -> None:
    with pytest.raises(ConstraintViolated, match="within_a_quarter"):
        either.insert("reading", readings(1, 900_000_001))
    assert either.value("SELECT count() FROM reading") == 0


def test_a_missing_value_is_never_read_as_zero(either: Warehouse) -> None:
    missing = readings(1).set_column(2, "held_us", pa.array([None], pa.uint64()))
    with pytest.raises(InvariantBroken, match="held_us"):
        either.insert("reading", missing)
    assert either.value("SELECT count() FROM reading") == 0


def test_the_same_rows_twice_are_kept_twice(either: Warehouse) -> None:
    either.insert("reading", readings(5))
    either.insert("reading", readings(5))
    assert either.value("SELECT count() FROM reading") == 2


@pytest.mark.parametrize(
    "statement", ["SELECT * FROM nowhere", "SELEC 1", "SELECT throwIf(number = 9) FROM numbers(10)"]
)
def test_a_wrong_statement_breaks_an_invariant(either: Warehouse, statement: str) -> None:
    with pytest.raises(InvariantBroken):
        either.rows(statement)
    with pytest.raises(InvariantBroken):
        list(either.stream(statement))


def test_an_insert_into_no_table_breaks_an_invariant(either: Warehouse) -> None:
    with pytest.raises(InvariantBroken, match="nowhere"):
        either.insert("nowhere", readings(1))


def test_an_error_in_the_middle_of_a_stream_is_not_a_short_result(either: Warehouse) -> None:
    with pytest.raises((Retry, InvariantBroken)):
        list(either.stream("SELECT throwIf(number = 900000) FROM numbers(1000000)"))


def test_threads_have_connections_of_their_own(either: Warehouse) -> None:
    def count(rows: int) -> int:
        with either.another() as mine:
            return sum(block.num_rows for block in mine.stream("SELECT number FROM numbers({rows:UInt64})", rows=rows))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(count, range(200_000, 200_016))) == list(range(200_000, 200_016))


def test_a_closed_connection_leaves_the_others_alone(either: Warehouse) -> None:
    with either.another() as first:
        first.value("SELECT 1")
    first.close()
    assert either.value("SELECT 1") == 1


def test_a_wrong_password_is_for_a_person_to_mend(engine_process: EngineProcess) -> None:
    with pytest.raises(Refuse, match=r"\[warehouse\]"):
        Warehouse(Target(url=engine_process.url, password=Secret("guessed")))


def test_an_engine_that_stopped_may_come_back(tmp_path: Path) -> None:
    with running_engine(tmp_path) as process:
        warehouse = process.empty_warehouse()
        process.stop()
        with pytest.raises(Retry):
            warehouse.value("SELECT 1")
        with pytest.raises(Retry):
            warehouse.insert("node", pa.table({"node": ["n1"]}))
        with pytest.raises(Retry):
            list(warehouse.stream("SELECT 1"))
        with pytest.raises(Retry):
            Warehouse(process.target())
        warehouse.close()


def test_the_users_time_zone_changes_nothing(tmp_path: Path) -> None:
    """The engine takes the zone of its machine; a day, an hour and a month are counted in UTC all the same."""
    program = f"""
import json
from pathlib import Path
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
with open_warehouse(WarehouseSettings(), Path({str(tmp_path)!r})) as warehouse:
    row = warehouse.rows(
        "SELECT toString(fromUnixTimestamp(0)) AS text, toDateTime('2026-01-31 12:00:00', 'UTC') AS at, "
        "toDateTime('2026-01-31 12:00:00') AS plain, toYYYYMMDD(fromUnixTimestamp(1769817600)) AS day"
    )[0]
    print(json.dumps(row, default=lambda at: at.isoformat()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"TZ": "Asia/Shanghai"}, capture_output=True, check=True
    )
    assert json.loads(done.stdout) == {
        "text": "1970-01-01 00:00:00",
        "at": "2026-01-31T12:00:00+00:00",
        "plain": "2026-01-31T12:00:00+00:00",
        "day": 20260131,
    }
