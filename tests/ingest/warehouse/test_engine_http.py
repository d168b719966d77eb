"""The served engine through the true client, and what a server must do that no client shows."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import clickhouse_connect
import lz4.frame
import pyarrow as pa
import pytest
import urllib3
import zstandard
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from tests.services.engine import EngineProcess
from urllib3.response import BaseHTTPResponse

from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.migrate import create_database

TABLE = "CREATE OR REPLACE TABLE usage (hour UInt32, card LowCardinality(String), mj Nullable(UInt64)) ORDER BY hour"

ROWS = [[hour, f"GPU-{hour % 8}", None] for hour in range(20_000)]


@pytest.fixture(scope="module")
def database(engine_process: EngineProcess) -> Iterator[Warehouse]:
    """A database without a table: each test makes its own anew."""
    target = engine_process.target("over_http")
    create_database(target)
    with Warehouse(target) as opened:
        yield opened


@pytest.fixture(params=[False, "lz4", "zstd", "gzip"])
def client(request: pytest.FixtureRequest, engine_process: EngineProcess, database: Warehouse) -> Iterator[Client]:
    """As anyone would make it, session and all; bodies compressed in each way there is."""
    opened = clickhouse_connect.get_client(
        dsn=engine_process.url,
        password=engine_process.token,
        database=database.target.database,
        compress=request.param,
    )
    opened.command(TABLE)
    yield opened
    opened.close()


def test_native_blocks_go_in_and_out(client: Client) -> None:
    summary = client.insert("usage", ROWS, column_names=["hour", "card", "mj"])
    assert summary.written_rows == 20_000
    assert [list(row) for row in client.query("SELECT * FROM usage ORDER BY hour").result_rows] == ROWS


def test_arrow_tables_go_in_and_out(client: Client) -> None:
    client.insert_arrow("usage", pa.table({"hour": pa.array([1, 2], pa.uint32()), "card": ["a", "b"]}))
    assert client.query_arrow("SELECT hour, card, mj FROM usage ORDER BY hour", use_strings=True).to_pylist() == [
        {"hour": 1, "card": "a", "mj": None},
        {"hour": 2, "card": "b", "mj": None},
    ]


def test_rows_stream(client: Client) -> None:
    with client.query_rows_stream("SELECT number FROM numbers(200000)") as rows:
        assert sum(row[0] for row in rows) == sum(range(200_000))


def test_columns_of_no_rows_are_known(client: Client) -> None:
    assert client.query("SELECT * FROM usage LIMIT 0").column_names == ("hour", "card", "mj")


def test_commands_return_what_they_have(client: Client) -> None:
    assert client.ping()
    assert client.command("EXISTS TABLE usage") == 1
    assert client.command("INSERT INTO usage SELECT number, 'c', 1 FROM numbers(10)") is not None
    assert client.command("SELECT count(), sum(mj) FROM usage") == ["10", "10"]


def test_settings_travel_with_a_statement_and_end_with_it(client: Client) -> None:
    block = "SELECT max(blockSize()) FROM numbers(100000)"
    assert client.query(block, settings={"max_block_size": 1000}).first_row == (1000,)
    assert client.query(block).first_row[0] > 1000


@pytest.mark.parametrize(
    "text", ["/* what */ SELECT 1", "-- what\nSELECT 1", "(SELECT 1)", "WITH 1 AS one SELECT one;"]
)
def test_a_select_is_known_however_it_begins(engine_process: EngineProcess, text: str) -> None:
    found = post(engine_process, text)
    assert (found.status, found.data, found.headers["X-ClickHouse-Format"]) == (200, b"1\n", "TabSeparated")


def test_a_session_is_refused_in_clickhouses_words(client: Client) -> None:
    with pytest.raises(DatabaseError, match="NOT_IMPLEMENTED") as refused:
        client.command("SET max_threads = 1")
    assert refused.value.code == 48


def test_a_wrong_token_opens_nothing(engine_process: EngineProcess) -> None:
    for headers in ({}, {"Authorization": "Basic ?"}, {"Authorization": "Bearer x"}, {"X-ClickHouse-Key": "é"}):
        found = post(engine_process, "SELECT 1", headers=headers)
        assert (found.status, found.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
        assert b"AUTHENTICATION_FAILED" in found.data
    with pytest.raises(DatabaseError, match="516"):
        clickhouse_connect.get_client(dsn=engine_process.url, password="guessed")


def test_whether_it_runs_may_be_asked_without_a_token(engine_process: EngineProcess) -> None:
    for path in ("/ping", "/"):
        found = urllib3.request("GET", engine_process.url + path)
        assert (found.status, found.data) == (200, b"Ok.\n")


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("SELECT * FROM nowhere", 404, 60),
        ("SELECT nothing", 404, 47),
        ("SELEC 1", 400, 62),
        ("", 400, 62),
        ("SELECT toUInt8('x')", 400, 6),
        ("SELECT throwIf(1)", 500, 395),
        ("USE default", 501, 48),
        (b"SELECT '\xff'", 400, 62),
    ],
)
def test_an_error_has_clickhouses_status_and_code(
    engine_process: EngineProcess, text: str | bytes, status: int, code: int
) -> None:
    found = post(engine_process, text)
    assert (found.status, found.headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
    assert found.data.startswith(f"Code: {code}. DB::Exception: ".encode())


def test_an_unknown_setting_or_database_is_an_error(engine_process: EngineProcess) -> None:
    assert post(engine_process, "SELECT 1", "no_such_setting=1").headers["X-ClickHouse-Exception-Code"] == "115"
    assert post(engine_process, "SELECT 1", "database=nowhere").headers["X-ClickHouse-Exception-Code"] == "81"
    assert post(engine_process, "SELECT 1", "a'b=1").headers["X-ClickHouse-Exception-Code"] == "115"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("lz4", lz4.frame.compress),
        ("zstd", zstandard.compress),
    ],
)
def test_a_body_that_ends_early_inserts_nothing(
    engine_process: EngineProcess, database: Warehouse, encoding: str, packed: type[bytes]
) -> None:
    database.command(TABLE)
    body = packed(b"".join(b"%d\tGPU\t%d\n" % (hour, hour * hour) for hour in range(10_000)))
    query = f"database={database.target.database}&query=INSERT%20INTO%20usage%20FORMAT%20TSV"
    headers = {"Content-Encoding": encoding}
    # Text has no end of its own: only what is compressed can be known to be cut.
    for cut in () if encoding == "identity" else (1, len(body) // 2):
        assert post(engine_process, body[:-cut], query, headers | auth(engine_process)).status == 400
        assert database.value("SELECT count() FROM usage") == 0
    assert post(engine_process, body, query, headers | auth(engine_process)).status == 200
    assert database.value("SELECT count() FROM usage") == 10_000


def test_rows_may_follow_the_statement_in_address_or_body(engine_process: EngineProcess, database: Warehouse) -> None:
    database.command(TABLE)
    named = f"database={database.target.database}"
    post(engine_process, "INSERT INTO usage (hour, card) FORMAT TSV\n1\ta\n", named)
    post(engine_process, "2\tb\n", f"{named}&query=INSERT+INTO+usage+(hour,card)+FORMAT+TSV")
    post(engine_process, "", f"{named}&query=INSERT+INTO+usage+(hour,card)+FORMAT+TSV%0A3%09c%0A")
    post(engine_process, "INSERT INTO usage (hour, card) VALUES (4, 'FORMAT TSV\n')", named)
    post(engine_process, "INSERT INTO `usage` (`hour`) FORMAT RowBinary\n\x05\x00\x00\x00", named)
    assert database.value("SELECT groupArray(hour) FROM (SELECT hour FROM usage ORDER BY hour)") == [
        1,
        2,
        3,
        4,
        5,
    ]


def test_a_result_that_breaks_off_is_not_taken_for_a_whole_one(engine_process: EngineProcess) -> None:
    with pytest.raises(urllib3.exceptions.ProtocolError):
        post(engine_process, "SELECT throwIf(number = 900000) FROM numbers(1000000) FORMAT RowBinary")


def test_who_waits_for_the_end_gets_a_status_for_an_error_in_the_middle(engine_process: EngineProcess) -> None:
    statement = "SELECT throwIf(number = 900000) FROM numbers(1000000) FORMAT RowBinary"
    found = post(engine_process, statement, "wait_end_of_query=1")
    assert (found.status, found.headers["X-ClickHouse-Exception-Code"]) == (500, "395")


def auth(engine_process: EngineProcess) -> dict[str, str]:
    return urllib3.make_headers(basic_auth=f"default:{engine_process.token}")


def post(
    engine_process: EngineProcess, body: str | bytes, query: str = "", headers: dict[str, str] | None = None
) -> BaseHTTPResponse:
    given = auth(engine_process) if headers is None else headers
    return urllib3.request("POST", f"{engine_process.url}/?{query}", body=body, headers=given)
