"""A request of ClickHouse's HTTP protocol, as the engine needs it: statement, parameters, settings, rows to insert.

Owns taking a WSGI request apart: what stands in the address, in a form or in the body, and undoing compression.
Does not own running it or answering (``engine_http``).
"""

from __future__ import annotations

import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, Protocol
from urllib.parse import parse_qsl

import lz4.frame
import zstandard
from msgspec import Struct

from cardhour_ingest.warehouse.engine import EngineError
from cardhour_ingest.warehouse.handle import quoted

STATEMENT_BYTES_MAX = 16 * 1024 * 1024
"""Longest statement. Ours are a few kilobytes; rows to insert do not count."""

PIECE_BYTES = 1024 * 1024
"""How much of a body is unpacked at a time."""

SYNTAX_ERROR, BAD_ARGUMENTS, NOT_IMPLEMENTED, TOO_LARGE = 62, 36, 48, 307

PARAMETER = "param_"

TRANSPORT = frozenset({
    "buffer_size", "client_protocol_version", "compress", "database", "decompress", "default_format",
    "enable_http_compression", "http_headers_progress_interval_ms", "password", "query", "query_id", "quota_key",
    "role", "send_progress_in_http_headers", "session_check", "session_id", "session_timeout", "user",
    "wait_end_of_query",
})  # fmt: skip
"""Parameters of a request that are not settings. A session's id is accepted, since clients make one up by themselves;
statements that would need the session are refused."""

_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_VERB = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*(\w*)", re.DOTALL)
_SESSION = re.compile(r"\s*(?:SET|USE|CREATE\s+TEMPORARY)\b", re.IGNORECASE)
_ROWS_FOLLOW = re.compile(
    rb"\s*(INSERT\s+INTO\b(?:`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'|[^`'])*?)"
    rb"\bFORMAT\s+(?!Values\b)(\w+)[ \t]*(?:\r?\n|$)",
    re.IGNORECASE | re.DOTALL,
)


class Source(Protocol):
    """Anything that bytes can be read from."""

    def read(self, size: int = -1, /) -> bytes: ...


class Request(Struct, frozen=True, kw_only=True):
    """One statement with everything it needs."""

    statement: str
    parameters: dict[str, str]
    """Values of ``{name:Type}``, as ClickHouse writes them in text."""
    settings: dict[str, str]
    database: str
    form: str
    """Format of the result."""
    whole: bool
    """Whether the client waits for the end of the query, so that an error in its middle still has a status."""
    query_id: str

    @property
    def verb(self) -> str:
        found = _VERB.match(self.statement)
        return found[1].upper() if found else ""


@contextmanager
def read_request(environ: Mapping[str, Any]) -> Iterator[Request]:
    """The request of a WSGI environment. Rows to insert lie in a file while it is in use."""
    given = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    body: Source = environ["wsgi.input"]
    if environ.get("CONTENT_TYPE", "").startswith("multipart/form-data"):
        given |= _form(environ["CONTENT_TYPE"], body)
        body = _Pieces(iter(()))
    elif "HTTP_CONTENT_ENCODING" in environ:
        body = _Pieces(_unpacked(body, environ["HTTP_CONTENT_ENCODING"].strip().lower()))
    in_address = given.get("query", "").encode()
    head = in_address + (b"\n" if in_address else b"") + body.read(PIECE_BYTES)
    rows = _ROWS_FOLLOW.match(in_address or head)
    if rows is None:
        head += body.read(STATEMENT_BYTES_MAX)
        if len(head) > STATEMENT_BYTES_MAX:
            raise _error(TOO_LARGE, f"The statement is longer than {STATEMENT_BYTES_MAX} bytes", "TOO_MANY_BYTES")
        yield _request(environ, given, _text(head))
        return
    # The engine reads rows from files only; the page cache makes this about as cheap as memory.
    with tempfile.NamedTemporaryFile(prefix="cardhour-insert-") as file:
        file.write(in_address[rows.end() :] + head[len(in_address) + 1 :] if in_address else head[rows.end() :])
        shutil.copyfileobj(body, file, PIECE_BYTES)
        file.flush()
        origin = f"FROM INFILE {quoted(file.name)} COMPRESSION 'none'"
        yield _request(environ, given, f"{_text(rows[1])} {origin} FORMAT {_text(rows[2])}")


def _request(environ: Mapping[str, Any], given: Mapping[str, str], statement: str) -> Request:
    if not statement.strip():
        raise _error(SYNTAX_ERROR, "Empty query", "SYNTAX_ERROR")
    if _SESSION.match(statement):
        raise _error(NOT_IMPLEMENTED, "Sessions are not kept: send settings with the statement", "NOT_IMPLEMENTED")
    named = _FORMAT.search(statement)
    settings = {name: text for name, text in given.items() if name not in TRANSPORT and not name.startswith(PARAMETER)}
    return Request(
        statement=statement,
        parameters={name.removeprefix(PARAMETER): text for name, text in given.items() if name.startswith(PARAMETER)},
        settings=settings,
        database=given.get("database", "") or environ.get("HTTP_X_CLICKHOUSE_DATABASE", ""),
        form=named[1] if named else given.get("default_format", "") or "TabSeparated",
        whole=given.get("wait_end_of_query", "0") not in ("0", "false", ""),
        query_id=given.get("query_id", ""),
    )


def _form(content_type: str, body: Source) -> dict[str, str]:
    """The fields of a form: how the client sends parameters too long for an address."""
    raw = body.read(STATEMENT_BYTES_MAX + 1)
    if len(raw) > STATEMENT_BYTES_MAX:
        raise _error(TOO_LARGE, f"The form is longer than {STATEMENT_BYTES_MAX} bytes", "TOO_MANY_BYTES")
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + raw)
    fields: dict[str, str] = {}
    for part in message.iter_parts():
        if part.get_filename():
            raise _error(NOT_IMPLEMENTED, "Tables sent along with a statement are not read", "NOT_IMPLEMENTED")
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = _text(content)
    return fields


def _unpacked(body: Source, encoding: str) -> Iterator[bytes]:
    makers: dict[str, Callable[[], Any]] = {
        "identity": _Identity,
        "gzip": lambda: zlib.decompressobj(wbits=31),
        "deflate": zlib.decompressobj,
        "lz4": lz4.frame.LZ4FrameDecompressor,
        "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    }
    if encoding not in makers:
        raise _error(NOT_IMPLEMENTED, f"Unknown compression {encoding}: send {', '.join(makers)}", "NOT_IMPLEMENTED")
    unpacker = makers[encoding]()
    while piece := body.read(PIECE_BYTES):
        try:
            yield unpacker.decompress(piece)
        except (zlib.error, RuntimeError, EOFError, zstandard.ZstdError) as error:
            raise _error(BAD_ARGUMENTS, f"The body is not {encoding}: {error}", "BAD_ARGUMENTS") from error
    # A cut body must not pass for a short one.
    if not getattr(unpacker, "eof", True):
        raise _error(BAD_ARGUMENTS, f"The {encoding} body ends in its middle", "BAD_ARGUMENTS")


class _Identity:
    def decompress(self, piece: bytes) -> bytes:
        return piece


class _Pieces:
    """Reads from an iterator of pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        found = [self._rest]
        length = len(self._rest)
        while size < 0 or length < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            found.append(piece)
            length += len(piece)
        whole = b"".join(found)
        cut = len(whole) if size < 0 else size
        self._rest = whole[cut:]
        return whole[:cut]


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise _error(SYNTAX_ERROR, f"The statement is not UTF-8: {error}", "SYNTAX_ERROR") from error


def _error(code: int, sentence: str, name: str) -> EngineError:
    return EngineError(code, f"Code: {code}. DB::Exception: {sentence}. ({name})")
