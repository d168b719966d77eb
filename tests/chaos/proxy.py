"""A TCP proxy between ingest and the engine, that breaks inserts on command.

Owns one listening port of 127.0.0.1 and a thread a connection. It knows of HTTP only where a request begins: requests
whose target names a table of rows are inserts, and an armed fault strikes the next of them.

- ``REFUSE``: the engine never sees it; the answer is ClickHouse's own for too many parts.
- ``SWALLOW``: the engine takes the insert and answers; the answer is dropped and the connection closed.
- ``HANG_UP``: the connection is closed before the engine sees anything.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections import deque
from types import TracebackType
from typing import Self
from urllib.parse import unquote_plus, urlsplit

REFUSE, SWALLOW, HANG_UP = "refuse", "swallow", "hang up"

CHUNK_BYTES = 65_536

REFUSAL = (
    b"HTTP/1.1 500 Internal Server Error\r\nX-ClickHouse-Exception-Code: 252\r\nContent-Type: text/plain\r\n"
    b"Connection: close\r\nContent-Length: 61\r\n\r\nCode: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)   \n"
)


class Proxy:
    """Forwards to ``url``; ``url`` of its own is what the client is given."""

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        self._target = target.hostname or "", target.port or 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._faults: deque[tuple[str, str]] = deque()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self._start(self._accept)

    def arm(self, *faults: tuple[str, str]) -> None:
        """Faults and the tables that they strike: each one insert, in this order."""
        with self._lock:
            self._faults.extend(faults)

    @property
    def armed(self) -> int:
        return len(self._faults)

    def close(self) -> None:
        self._closing.set()
        socket.create_connection(self._listener.getsockname()).close()  # wakes the listener
        for each in self._threads:
            each.join()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _start(self, run: object, *arguments: socket.socket) -> None:
        thread = threading.Thread(target=run, args=arguments)  # type: ignore[arg-type]  # one of the two methods below
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._closing.is_set():
                client.close()
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        """Until either side closes. ``fault`` is what awaits the answer to the request that is under way."""
        with client, socket.create_connection(self._target) as engine, selectors.DefaultSelector() as waiting:
            waiting.register(client, selectors.EVENT_READ)
            waiting.register(engine, selectors.EVENT_READ)
            fault = ""
            try:
                while not self._closing.is_set():
                    for key, _ in waiting.select(timeout=0.1):
                        source = key.fileobj
                        chunk = source.recv(CHUNK_BYTES) if isinstance(source, socket.socket) else b""
                        if not chunk:
                            return
                        if source is client:
                            fault = self._fault_of(chunk) or fault
                            if fault == REFUSE:
                                client.sendall(REFUSAL)
                            if fault in (REFUSE, HANG_UP):
                                return
                            engine.sendall(chunk)
                        elif fault == SWALLOW:
                            return
                        else:
                            client.sendall(chunk)
            except OSError:
                return  # a side went away, as sides do here: killed, or hung up by us

    def _fault_of(self, chunk: bytes) -> str:
        line = unquote_plus(chunk.split(b"\r\n", 1)[0].decode("latin-1"))
        if not line.startswith("POST ") or "INSERT INTO" not in line:
            return ""
        with self._lock:
            if not self._faults or self._faults[0][1] not in line:
                return ""
            fault, _ = self._faults.popleft()
        return fault
