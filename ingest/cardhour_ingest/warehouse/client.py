"""A connection to ClickHouse: the same few verbs whether the engine is in this process or behind HTTP.

Owns speaking to the engine and the mapping of its errors to our dispositions. Does not own finding the engine
(``connect``), its tables (``migrate``) or what is asked of them (the modules beside this one). One Warehouse serves one
thread; ``another`` makes one for the next thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any, Protocol, Self, cast

import clickhouse_connect
import pyarrow as pa
import urllib3.exceptions
from clickhouse_connect.driver.binding import bind_query
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, ProgrammingError
from msgspec import Struct

from cardhour_contract.errors import InvariantBroken, Refuse, Retry
from cardhour_contract.settings import Secret
from cardhour_ingest.warehouse.cluster import SETTINGS as CLUSTER_SETTINGS
from cardhour_ingest.warehouse.cluster import Cluster
from cardhour_ingest.warehouse.engine import EngineError

RETRIED_CODES = frozenset({
    3,  # UNEXPECTED_END_OF_FILE
    75,  # CANNOT_WRITE_TO_FILE_DESCRIPTOR: a disk that filled up in mid-write
    159,  # TIMEOUT_EXCEEDED
    164,  # READONLY
    202,  # TOO_MANY_SIMULTANEOUS_QUERIES
    209,  # SOCKET_TIMEOUT
    210,  # NETWORK_ERROR
    241,  # MEMORY_LIMIT_EXCEEDED
    242,  # TABLE_IS_READ_ONLY
    243,  # NOT_ENOUGH_SPACE
    252,  # TOO_MANY_PARTS
    279,  # ALL_CONNECTION_TRIES_FAILED
    285,  # TOO_FEW_LIVE_REPLICAS
    319,  # UNKNOWN_STATUS_OF_INSERT
    999,  # KEEPER_EXCEPTION
})  # fmt: skip
"""Codes of ClickHouse's ErrorCodes.cpp after which the same statement may succeed later."""

REFUSED_CODES = frozenset({
    192,  # UNKNOWN_USER
    193,  # WRONG_PASSWORD
    194,  # REQUIRED_PASSWORD
    497,  # ACCESS_DENIED
    516,  # AUTHENTICATION_FAILED
})  # fmt: skip
"""Codes that a person mends, in ``[warehouse]`` or by a GRANT."""

UNKNOWN_DATABASE, VIOLATED_CONSTRAINT = 81, 469

SETTINGS: dict[str, str | int] = {
    "session_timezone": "UTC",
    "compile_expressions": 0,
    "compile_aggregate_expressions": 0,
    "compile_sort_description": 0,
}
"""The engine's own time zone is its machine's, and in our process the user's. What it meets for the third time it would
compile to machine code: for a rollup's statements that takes two seconds, and makes none of them quicker."""

INSERT_SETTINGS = {"async_insert": 0, "insert_deduplicate": 0, "input_format_null_as_default": 0}
"""An insert returns when its rows are durable. Deduplication by block would drop rows that a union counts once anyway.
A NULL for a column that has none is refused, not read as zero."""


class ConstraintViolated(InvariantBroken):
    """A table refused rows that break one of its constraints."""


class DatabaseMissing(InvariantBroken):
    """The engine has no database of that name: nothing was ever migrated there."""


class Target(Struct, frozen=True, kw_only=True):
    """Where the engine is, and as whom to speak to it."""

    path: str = ""
    """Folder of the engine in this process; empty where ``url`` is used."""
    url: str = ""
    user: str = "default"
    password: Secret = Secret("")
    database: str = "cardhour"
    compress: bool = False
    """Whether bodies travel compressed: worth it to another machine only."""
    cluster: Cluster | None = None
    """The cluster that the server at ``url`` belongs to; None for a server by itself."""

    @property
    def settings(self) -> dict[str, str | int]:
        """What every statement on this engine runs under."""
        return SETTINGS | (CLUSTER_SETTINGS if self.cluster else {})

    @property
    def embedded(self) -> bool:
        return bool(self.path)


class Hold(Protocol):
    """What keeps the engine's folder ours while a connection to it is open."""

    def share(self) -> Hold: ...

    def release(self) -> None: ...


class Warehouse:
    """The verbs of a ClickHouse connection.

    Raises Retry when waiting may help, Refuse when a person must mend the access, InvariantBroken when neither can.
    """

    def __init__(self, target: Target, *, hold: Hold | None = None) -> None:
        self.target = target
        self._hold = hold
        self._client = _connect(target)

    def another(self) -> Warehouse:
        """A second connection to the same database, for another thread."""
        hold = self._hold.share() if self._hold else None
        try:
            return Warehouse(self.target, hold=hold)
        except BaseException:
            if hold:
                hold.release()
            raise

    def rows(self, statement: str, /, **parameters: Any) -> list[dict[str, Any]]:
        """All result rows, each a dict by column name. Times are aware, in UTC."""
        with _dispositions():
            return list(self._client.query(statement, parameters=parameters, query_tz="UTC").named_results())

    def value(self, statement: str, /, **parameters: Any) -> Any:
        """The single value of a one-row, one-column result."""
        with _dispositions():
            return self._client.query(statement, parameters=parameters, query_tz="UTC").result_rows[0][0]

    def arrow(self, statement: str, /, **parameters: Any) -> pa.Table:
        """The result as an Arrow table: for results of many rows."""
        with _dispositions():
            return self._client.query_arrow(statement, parameters=parameters, use_strings=True)

    def stream(self, statement: str, /, **parameters: Any) -> Iterator[pa.Table]:
        """The result as Arrow tables of one block each, so that memory stays flat however long it is."""
        if self.target.embedded:
            yield from self._engine_stream(statement, parameters)
            return
        with _dispositions():
            found = self._client.query_arrow_stream(statement, parameters=parameters, use_strings=True)
            with found as batches:
                for batch in _unbroken(batches):
                    yield pa.Table.from_batches([batch])

    def _engine_stream(self, statement: str, parameters: dict[str, Any]) -> Iterator[pa.Table]:
        """As ``stream``, past the client: it would hold the whole of an Arrow result."""
        # chDB is an optional part of the installation: a machine that speaks to a server does without.
        from cardhour_ingest.warehouse.handle import Handle, arrow_blocks

        text, bound = bind_query(statement, parameters, UTC)
        given = {name.removeprefix("param_"): value for name, value in bound.items()}
        settings = {name: str(value) for name, value in self.target.settings.items()}
        settings["output_format_arrow_string_as_string"] = "1"
        with _dispositions(), Handle(self.target.path, database=self.target.database, settings=settings) as handle:
            yield from arrow_blocks(handle.blocks(text, "ArrowStream", given))

    def command(self, statement: str, /, **parameters: Any) -> None:
        """Run a statement that returns nothing."""
        with _dispositions():
            self._client.command(statement, parameters=parameters)

    def insert(self, table: str, rows: pa.Table) -> None:
        """Append rows; durable when it returns. Columns that ``rows`` lacks take their defaults."""
        if rows.num_rows:
            with _dispositions():
                self._client.insert_arrow(table, rows, settings=INSERT_SETTINGS)

    def catch_up(self) -> None:
        """Return once every copy of the tables that a page is computed from has what was acknowledged before."""
        for statement in self.target.cluster.catch_up() if self.target.cluster else ():
            self.command(statement)

    def catch_up_here(self, table: str) -> None:
        """Return once the copy of ``table`` on the server that answers us has what was acknowledged before."""
        for statement in self.target.cluster.catch_up_here(table) if self.target.cluster else ():
            self.command(statement)

    def close(self) -> None:
        """Close the connection, and let go of the engine's folder where this was its last user. May be repeated."""
        self._client.close()
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _connect(target: Target) -> Client:
    with _dispositions():
        if target.embedded:
            client = clickhouse_connect.get_client(
                interface="chdb", path=target.path, database=target.database, tz_mode="aware", settings=target.settings
            )
        else:
            client = clickhouse_connect.get_client(
                dsn=target.url,
                username=target.user,
                password=target.password.reveal(),
                database=target.database,
                tz_mode="aware",
                settings=target.settings,
                compress=target.compress,
                autogenerate_session_id=False,
            )
        return cast(Client, client)


def _unbroken(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches; an answer that breaks off in its middle is a Retry. pyarrow reads it past the client's checks."""
    try:
        yield from batches
    except (urllib3.exceptions.HTTPError, pa.ArrowException, OSError) as error:
        raise Retry(f"the warehouse's answer broke off: {error}") from error


@contextmanager
def _dispositions() -> Iterator[None]:
    """Turns the engine's and the client's errors into ours, by ClickHouse's error code."""
    try:
        yield
    except (ClickHouseError, EngineError) as error:
        code = getattr(error, "code", None)
        if code == VIOLATED_CONSTRAINT:
            raise ConstraintViolated(str(error)) from error
        if code == UNKNOWN_DATABASE:
            raise DatabaseMissing(str(error)) from error
        if code in REFUSED_CODES:
            raise Refuse(f"The warehouse denies access ({error}). Check user and password in [warehouse].") from error
        unanswered = code is None and not isinstance(error, ProgrammingError)
        if code in RETRIED_CODES or unanswered:
            raise Retry(f"the warehouse did not answer: {error}") from error
        raise InvariantBroken(f"the warehouse refused a statement: {error}") from error
