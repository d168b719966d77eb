"""The gRPC door: one unary question over a Unix socket, answered within a time and a size.

Owns the HTTP/2 exchange and which failure is which reason. Does not own what is asked, nor its encoding. ``h2``
speaks the protocol: it costs a node 5 MB, where ``grpcio`` costs 24 and brings threads of its own. It is imported at
the first question, so that a node without such a question does without it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cardhour_agent.resolve.answer import NoAnswer

if TYPE_CHECKING:
    from h2.connection import H2Connection
    from h2.events import Event

TIMEOUT_S = 5.0
"""For a whole question."""

BYTES_MAX = 16 * 1024 * 1024
"""Longest answer: a pod with its devices takes about 1 kB."""

READ_BYTES = 65_536
PREFIX_BYTES = 5
"""A message comes after a flag (compressed or not) and its length."""

PERMISSION_DENIED, UNAUTHENTICATED = "7", "16"


def call_unix(path: Path, method: str, request: bytes) -> bytes:
    """The answer's message. ``method`` is ``/package.Service/Method``. Raises NoAnswer."""
    from h2.exceptions import ProtocolError

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connected:
            return _message(_exchange(connected, path, method, request))
    except PermissionError as error:
        raise NoAnswer("not_permitted", f"{path}: {error}") from error
    except TimeoutError as error:
        raise NoAnswer("timeout", f"{path}: no whole answer in {TIMEOUT_S} s") from error
    except OSError as error:
        raise NoAnswer("unreachable", f"{path}: {error}") from error
    except ProtocolError as error:
        raise NoAnswer("bad_answer", f"{path}: {type(error).__name__}: {error}") from error


def _exchange(connected: socket.socket, path: Path, method: str, request: bytes) -> bytes:
    """Send the question, and return the data of the answer once its status is good."""
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import DataReceived, ResponseReceived, StreamReset, TrailersReceived

    deadline = time.monotonic() + TIMEOUT_S
    connected.settimeout(TIMEOUT_S)
    connected.connect(str(path))
    spoken = H2Connection(config=H2Configuration(client_side=True, header_encoding="utf-8"))
    spoken.initiate_connection()
    spoken.send_headers(1, _headers(method))
    spoken.send_data(1, b"\0" + len(request).to_bytes(4, "big") + request, end_stream=True)
    body, status = bytearray(), dict[str, str]()
    for event in _events(spoken, connected, deadline):
        if isinstance(event, (ResponseReceived, TrailersReceived)):
            status |= {str(name): str(value) for name, value in event.headers or ()}
        elif isinstance(event, DataReceived):
            body += event.data or b""
            spoken.acknowledge_received_data(event.flow_controlled_length or 0, 1)
            if len(body) > BYTES_MAX:
                raise NoAnswer("bad_answer", f"{path}: more than {BYTES_MAX} bytes")
        elif isinstance(event, StreamReset):
            raise NoAnswer("bad_answer", f"{path}: the stream was reset ({event.error_code})")
    _check_status(path, method, status)
    return bytes(body)


def _events(spoken: H2Connection, connected: socket.socket, deadline: float) -> Iterator[Event]:
    """What comes until the answer has ended. Raises TimeoutError, and OSError where the connection ends before."""
    from h2.events import ConnectionTerminated, StreamEnded

    while True:
        connected.sendall(spoken.data_to_send())
        connected.settimeout(max(0.001, deadline - time.monotonic()))
        received = connected.recv(READ_BYTES)
        if time.monotonic() > deadline:
            raise TimeoutError
        if not received:
            raise ConnectionResetError("the connection ended before the answer did")
        for event in spoken.receive_data(received):
            if isinstance(event, ConnectionTerminated):
                raise ConnectionResetError(f"the server went away ({event.error_code})")
            yield event
            if isinstance(event, StreamEnded):
                return


def _headers(method: str) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]


def _check_status(path: Path, method: str, status: dict[str, str]) -> None:
    if status.get(":status") != "200":
        raise NoAnswer("bad_answer", f"{path}: HTTP status {status.get(':status')}")
    code = status.get("grpc-status")
    if code == "0":
        return
    said = f"{path}: {method} ended with gRPC status {code}: {status.get('grpc-message', '')}"
    raise NoAnswer("not_permitted" if code in (PERMISSION_DENIED, UNAUTHENTICATED) else "bad_answer", said)


def _message(data: bytes) -> bytes:
    """The one message of a unary answer; we announce no compression, so none may be used."""
    length = int.from_bytes(data[1:PREFIX_BYTES], "big")
    if len(data) != PREFIX_BYTES + length or data[0]:
        raise NoAnswer("bad_answer", f"an answer of {len(data)} bytes is not one plain message")
    return data[PREFIX_BYTES:]
