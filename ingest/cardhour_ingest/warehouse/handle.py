"""One statement at a time on a connection of its own to the engine in this process.

Owns the calls into chDB that ``clickhouse_connect`` does not offer: results handed over block by block, and rows read
from a file. A handle costs about a millisecond, so each statement takes a fresh one, and no ``SET`` or ``USE`` outlives
it. Does not own who may open the folder (``engine``).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import chdb
import pyarrow as pa
from msgspec import Struct

from cardhour_ingest.warehouse.engine import EngineError

_CODE = re.compile(r"Code: (\d+)\. ")
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

UNKNOWN_EXCEPTION = 1002
UNKNOWN_SETTING = 115


class Result(Struct, frozen=True, kw_only=True):
    """A whole result in the format that was asked for, and what it took to read."""

    body: bytes
    read_rows: int
    """Of an insert from a file: the rows written."""
    read_bytes: int
    elapsed_ns: int


class Handle:
    """A connection to the engine of a folder, with its own database and settings. Raises EngineError."""

    def __init__(self, path: str, *, database: str = "", settings: Mapping[str, str] | None = None) -> None:
        self._connection = _answered(chdb.connect, str(Path(path).resolve()))
        try:
            if settings:
                self.query(f"SET {', '.join(f'{_setting(name)} = {quoted(text)}' for name, text in settings.items())}")
            if database:
                self.query("USE {database:Identifier}", parameters={"database": database})
        except BaseException:
            self.close()
            raise

    def query(self, text: str, form: str = "TabSeparated", parameters: Mapping[str, str] | None = None) -> Result:
        """Run a statement; ``form`` is the format of its result, where the statement names none."""
        answer = _answered(self._connection.query, text, form, params=dict(parameters or {}))
        return Result(
            body=answer.bytes() or b"",
            read_rows=answer.rows_read(),
            read_bytes=answer.bytes_read(),
            elapsed_ns=int(answer.elapsed() * 1_000_000_000),
        )

    def blocks(self, text: str, form: str, parameters: Mapping[str, str] | None = None) -> Generator[bytes, None, None]:
        """The result of a SELECT, each block complete in the format: with ArrowStream, a stream of its own."""
        stream = _answered(self._connection.send_query, text, form, params=dict(parameters or {}))
        try:
            while True:
                block = _answered(next, stream, None)
                if block is None:
                    return
                yield block.bytes()
        finally:
            stream.close()

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def arrow_blocks(streams: Iterator[bytes]) -> Iterator[pa.Table]:
    """The tables in Arrow streams of one block each."""
    for stream in streams:
        with pa.ipc.open_stream(stream) as reader:
            yield reader.read_all()


def joined_arrow(streams: Iterator[bytes]) -> Iterator[bytes]:
    """Arrow streams of one block each as the bytes of a single stream; nothing where there is no block."""
    sink = _Sink()
    writer = None
    for table in arrow_blocks(streams):
        if writer is None:
            writer = pa.ipc.new_stream(sink, table.schema)
        writer.write_table(table)
        yield sink.take()
    if writer is not None:
        writer.close()
        yield sink.take()


def quoted(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class _Sink:
    """A file for Arrow to write to, emptied as it goes."""

    closed = False

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, piece: bytes) -> int:
        self._written += piece
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing to close."""

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def _setting(name: str) -> str:
    if not _SETTING.fullmatch(name):
        raise EngineError(UNKNOWN_SETTING, f"Code: {UNKNOWN_SETTING}. DB::Exception: Unknown setting {name!r}.")
    return name


def _answered(call: Any, *arguments: Any, **named: Any) -> Any:
    """The call's value; chDB's RuntimeErrors, whose only content is a text, as ours."""
    try:
        return call(*arguments, **named)
    except RuntimeError as error:
        message = str(error)
        found = _CODE.search(message)
        if found is None:
            raise EngineError(UNKNOWN_EXCEPTION, message) from error
        raise EngineError(int(found[1]), message[found.start() :]) from error
