"""The HTTP door: one question to a daemon of this node, answered within a time and a size.

Owns connections (a Unix socket, or a URL), limits, and which failure is which reason. Does not own what is asked.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from cardhour_agent.resolve.answer import NoAnswer

TIMEOUT_S = 5.0
"""For a whole question. A daemon that needs longer is in trouble; nobody but its own thread waits."""

BYTES_MAX = 64 * 1024 * 1024
"""Longest answer: a kubelet's list of 250 pods at 100 kB each is 25 MB."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _Deadline:
    """Ends a connection that is still busy when the time for a whole question is up, however it drips."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._timer = threading.Timer(TIMEOUT_S, self._end)
        self._timer.daemon = True
        self._socket: socket.socket | None = None
        self.passed = False

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._timer.cancel()
        self._connection.close()

    def connect(self) -> None:
        """Its socket is kept: the connection lets go of it as soon as an answer begins that will close it."""
        self._connection.connect()
        self._socket = self._connection.sock
        if self.passed:
            raise TimeoutError  # while it connected: nobody ends it any more

    def _end(self) -> None:
        self.passed = True
        if self._socket is None:
            return  # still connecting, which has a limit of its own
        try:
            # Not SSLSocket's own method, which would let the reader go on in plain text.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            return  # closed in the same moment


def get_unix(path: Path, target: str) -> bytes | None:
    """The body of a GET over a Unix socket; ``None`` where there is no such thing (404). Raises NoAnswer."""
    return _get(_UnixConnection(path), target, {})


def get_url(
    url: str, headers: Mapping[str, str] = MappingProxyType({}), tls: ssl.SSLContext | None = None
) -> bytes | None:
    """The body of a GET; ``None`` where there is no such thing (404). Raises NoAnswer. Redirects are not followed."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT_S, context=tls)
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_S)
    )
    return _get(connection, target or "/", headers)


def _get(connection: http.client.HTTPConnection, target: str, headers: Mapping[str, str]) -> bytes | None:
    with _Deadline(connection) as deadline:
        try:
            deadline.connect()
            connection.request("GET", target, headers={**headers, "Connection": "close"})
            with connection.getresponse() as response:
                body = response.read(BYTES_MAX + 1)
        except PermissionError as error:
            raise NoAnswer("not_permitted", str(error)) from error
        except TimeoutError as error:
            raise NoAnswer("timeout", f"no answer in {TIMEOUT_S} s") from error
        except (OSError, http.client.HTTPException) as error:
            reason = "timeout" if deadline.passed else "unreachable"
            raise NoAnswer(reason, str(error) or type(error).__name__) from error
        if deadline.passed:
            raise NoAnswer("timeout", f"no whole answer in {TIMEOUT_S} s")
    if response.status in (401, 403):
        raise NoAnswer("not_permitted", f"{response.status} {response.reason}")
    if response.status == 404:
        return None
    if response.status != 200 or len(body) > BYTES_MAX:
        raise NoAnswer("bad_answer", f"status {response.status}, {len(body)} bytes")
    return body
