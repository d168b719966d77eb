"""Servers that play the daemons of a node: HTTP over a Unix socket, or over TLS, with answers that a test sets."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from tests.services.waiting import PATIENCE_S

UID = "0f5e8d3c-4a1b-4c2d-9e8f-1a2b3c4d5e6f"
POD = UID.replace("-", "")
ID = "3f" * 32


class Daemon:
    """What a server answers, and what it was asked."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.status: int | None = None
        """Given to every question, instead of 200 or 404."""
        self.asked: list[tuple[str, str]] = []
        """Path and ``Authorization`` of each question."""
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.drips = False
        self.url = ""

    def say(self, path: str, body: object) -> None:
        self.bodies[path] = json.dumps(body).encode()

    def says_container(self, container_id: str, name: str, **labels: str) -> None:
        """As ``docker inspect``; ``_`` in a label's name stands for a dot."""
        written = {key.replace("_", "."): value for key, value in labels.items()}
        self.say(
            f"/containers/{container_id}/json",
            {"Id": container_id, "Name": f"/{name}", "State": {"Pid": 7}, "Config": {"Labels": written or None}},
        )


def pod(name: str, namespace: str = "team-a", uid: str = UID, **more: Any) -> dict[str, Any]:
    """One pod as the kubelet lists it, with one container ``main``; ``more`` goes into metadata, ``limits`` apart."""
    limits = more.pop("limits", {})
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": uid, **more},
        "spec": {"containers": [{"name": "main", "image": "cuda", "resources": {"limits": limits}}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "main", "containerID": f"containerd://{ID}"}]},
    }


class _Handler(BaseHTTPRequestHandler):
    daemon: Daemon

    def do_GET(self) -> None:
        daemon = self.daemon
        daemon.asked.append((self.path, self.headers.get("Authorization", "")))
        daemon.may_answer.wait(PATIENCE_S)
        body = daemon.bodies.get(self.path)
        try:
            self.send_response(daemon.status or (404 if body is None else 200))
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if daemon.drips:
                # One byte now and then: no single read times out.
                pause = threading.Event()
                for byte in body or b"":
                    self.wfile.write(bytes([byte]))
                    pause.wait(0.05)
            else:
                self.wfile.write(body or b"")
        except OSError:
            self.close_connection = True  # the client had enough

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: a test looks at ``asked``."""


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    block_on_close = False


class _TcpServer(socketserver.ThreadingMixIn, HTTPServer):
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust us hangs up; that is its business."""


@contextmanager
def unix_daemon(path: Path) -> Iterator[Daemon]:
    """Listens on a Unix socket, as Docker does."""
    daemon = Daemon()
    with _serving(_UnixServer(str(path), _handler(daemon))):
        yield daemon


@contextmanager
def tcp_daemon(tls: ssl.SSLContext | None = None) -> Iterator[Daemon]:
    """Listens on a free port of this machine, as the kubelet does; with a context, over TLS."""
    daemon = Daemon()
    server = _TcpServer(("127.0.0.1", 0), _handler(daemon))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    daemon.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/pods"
    with _serving(server):
        yield daemon


def _handler(daemon: Daemon) -> type[_Handler]:
    return type("Handler", (_Handler,), {"daemon": daemon})


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
