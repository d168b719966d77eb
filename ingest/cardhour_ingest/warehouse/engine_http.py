"""The engine of this process, served to this user's other processes over ClickHouse's own HTTP protocol.

Owns the loopback server, its token, and answers a ``clickhouse-connect`` client cannot tell from a server's. Does not
own reading a request (``engine_request``) nor running a statement (``handle``). Each statement has a connection of its
own to the engine, so clients do not wait for each other; there are no sessions.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import threading
import uuid
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import structlog
import waitress
import waitress.channel
import waitress.wasyncore

from cardhour_contract.errors import Refuse
from cardhour_ingest.warehouse import engine
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
from cardhour_ingest.warehouse.engine import EngineError
from cardhour_ingest.warehouse.engine_request import Request, read_request
from cardhour_ingest.warehouse.handle import Handle, Result, joined_arrow

log = structlog.get_logger(__name__)

THREADS = 16
"""Statements served at a time; more wait. A thread is held for as long as a client reads a result."""

LOOP_SECONDS = 0.2
"""How long the server takes to notice that it is to stop."""

RECEIVE_BYTES = 1024 * 1024
"""Read from a socket at a time: inserts are megabytes."""

AUTHENTICATION_FAILED = 516

STATUS = {
    **dict.fromkeys((194,), "401 Unauthorized"),  # REQUIRED_PASSWORD
    **dict.fromkeys((192, 193, 497, 516), "403 Forbidden"),  # unknown user, wrong password, access denied
    **dict.fromkeys((6, 26, 27, 36, 38, 41, 42, 43, 44, 53, 62, 69, 72, 117), "400 Bad Request"),  # parsing, types
    **dict.fromkeys((46, 47, 50, 56, 60, 73, 81, 115), "404 Not Found"),  # unknown table, identifier, database, …
    159: "408 Request Timeout",
    307: "413 Request Entity Too Large",
    48: "501 Not Implemented",
    202: "503 Service Unavailable",
}
"""HTTP status by ClickHouse's error code, as its HTTPHandler maps them; 500 for the rest."""

READERS = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK"})
"""Statements that have a result, however empty."""

STREAMED = frozenset({"SELECT", "WITH"})
"""Statements whose result the engine hands over block by block."""

JOINABLE = frozenset({"Native", "RowBinary", "TabSeparated", "TSV", "CSV", "JSONEachRow"})
"""Formats whose blocks make a whole when written one after another. Arrow streams are joined by us."""


class StartResponse(Protocol):
    """WSGI's."""

    def __call__(self, status: str, headers: list[tuple[str, str]], /) -> Any: ...


Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def serve_engine(
    home: Path,
    stop_event: threading.Event,
    settings: WarehouseSettings | None = None,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Open the engine in ``home`` and serve it until ``stop_event`` is set. ``ready`` is told the address.

    Refuses where the settings name a server, or where another process has the engine.
    """
    with ExitStack() as open_parts:
        warehouse = open_parts.enter_context(open_warehouse(settings or WarehouseSettings(), home))
        claim = engine.Claim.take(home) if warehouse.target.embedded else None
        if claim is None:
            holder = engine.owner(home)
            already = f"process {holder.pid} ({holder.command})" if holder else "a server of its own"
            raise Refuse(f"The warehouse is already served by {already}: there is nothing to serve from {home}.")
        open_parts.callback(claim.release)
        token = secrets.token_urlsafe(32)
        zone = str(warehouse.value("SELECT timezone()"))
        _serve(home, application(claim, token, zone), token, stop_event, ready)


def _serve(home: Path, app: Application, token: str, stop_event: threading.Event, ready: Callable[[str], None]) -> None:
    # Statements that wait for a thread are the normal case here, not a warning.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    sockets: dict[int, Any] = {}
    server = waitress.create_server(
        app, map=sockets, host="127.0.0.1", port=0, threads=THREADS, recv_bytes=RECEIVE_BYTES, ident="CardHour"
    )
    try:
        url = f"http://127.0.0.1:{server.effective_port}"
        engine.publish(home, url, token)
        ready(url)
        while not stop_event.is_set():
            waitress.wasyncore.loop(timeout=LOOP_SECONDS, map=sockets, count=1)
    finally:
        engine.withdraw(home)  # 1. nobody new comes
        server.task_dispatcher.shutdown()  # 2. waiting statements are dropped, those under way get some seconds
        waitress.wasyncore.close_all(sockets)  # 3. who still waits sees the connection close, and may retry


def application(claim: engine.Claim, token: str, zone: str) -> Application:
    """The protocol as a WSGI application over the engine of a folder that is ours, for who knows ``token``.

    zone: the engine's own time zone, which the protocol gives in each answer.
    """

    def answer(environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/ping" or (environ["REQUEST_METHOD"] == "GET" and not environ["QUERY_STRING"]):
            start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
            return [b"Ok.\n"]
        with ExitStack() as open_parts:
            try:
                _admit(environ, token)
                request = open_parts.enter_context(read_request(environ))
                # The folder stays ours until the last statement has let go of the engine.
                open_parts.callback(claim.share().release)
                handle = Handle(str(claim.folder), database=request.database, settings=request.settings)
                open_parts.callback(handle.close)
                return _run(handle, request, zone, start, open_parts)
            except EngineError as error:
                return _fail(error, start)

    return answer


def _run(handle: Handle, request: Request, zone: str, start: StartResponse, open_parts: ExitStack) -> Iterable[bytes]:
    """The answer's body. A streamed one keeps ``open_parts`` open until it is read or abandoned."""
    headers = [
        ("Content-Type", "application/octet-stream"),
        ("X-ClickHouse-Query-Id", request.query_id or str(uuid.uuid4())),
        ("X-ClickHouse-Timezone", request.settings.get("session_timezone") or zone),
    ]
    if request.verb in READERS:
        headers.append(("X-ClickHouse-Format", request.form))
    if not request.whole and request.verb in STREAMED and request.form in JOINABLE | {"ArrowStream"}:
        blocks = handle.blocks(request.statement, request.form, request.parameters)
        open_parts.callback(blocks.close)
        pieces = joined_arrow(blocks) if request.form == "ArrowStream" else blocks
        # Most errors show before the first block, while there is still a status to say them with.
        first = next(pieces, None)
        if first is not None:
            start("200 OK", headers)
            return _Stream(chain((first,), pieces), open_parts.pop_all())
    result = handle.query(request.statement, request.form, request.parameters)
    headers += [("X-ClickHouse-Summary", _summary(request, result)), ("Content-Length", str(len(result.body)))]
    start("200 OK", headers)
    return [result.body]


class _Stream:
    """A body that is made while it is read.

    An error in its middle ends the connection without the last chunk, which the client sees as a broken answer.
    """

    def __init__(self, pieces: Iterator[bytes], open_parts: ExitStack) -> None:
        self._pieces = pieces
        self._open_parts = open_parts

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except EngineError as error:
            log.warning("a result broke off while it was sent", error=str(error))
            # waitress's own way to drop the connection in the middle of an answer without logging a fault of ours
            raise waitress.channel.ClientDisconnected from error

    def close(self) -> None:
        self._open_parts.close()


def _summary(request: Request, result: Result) -> str:
    """Counts as ClickHouse gives them: all as strings."""
    written = request.verb == "INSERT"
    return json.dumps({
        "read_rows": str(result.read_rows),
        "read_bytes": str(result.read_bytes),
        "written_rows": str(result.read_rows if written else 0),
        "written_bytes": str(result.read_bytes if written else 0),
        "result_bytes": str(len(result.body)),
        "elapsed_ns": str(result.elapsed_ns),
    })  # fmt: skip


def _admit(environ: Mapping[str, Any], token: str) -> None:
    """Refuse who does not know the token, given as password, key or bearer token."""
    given = environ.get("HTTP_X_CLICKHOUSE_KEY", "")
    scheme, _, value = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        given = value.strip()
    elif scheme.lower() == "basic":
        with suppress(ValueError):
            given = b64decode(value, validate=True).decode().partition(":")[2]
    if not hmac.compare_digest(given.encode(), token.encode()):
        sentence = "Authentication failed: password is incorrect, or there is no user with such name"
        code = AUTHENTICATION_FAILED
        raise EngineError(code, f"Code: {code}. DB::Exception: {sentence}. (AUTHENTICATION_FAILED)")


def _fail(error: EngineError, start: StartResponse) -> Iterable[bytes]:
    body = f"{error}\n".encode()
    start(
        STATUS.get(error.code, "500 Internal Server Error"),
        [
            ("Content-Type", "text/plain; charset=UTF-8"),
            ("Content-Length", str(len(body))),
            ("X-ClickHouse-Exception-Code", str(error.code)),
        ],
    )
    return [body]
