"""Long-running parts as threads of one process, and the order in which they stop.

Owns threads, signals, the portal's server, and that a home has one such process. Does not own what any part does. A
part that fails stops all the others: half a CardHour that looks alive is worse than none.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
import waitress
import waitress.wasyncore

from cardhour_billing.config import WebSettings
from cardhour_contract.collector import seldom_collect
from cardhour_contract.errors import Refuse

log = structlog.get_logger("cardhour.up")

LOCK = "up.lock"

LOOP_S = 0.2
"""How long the portal takes to notice that it is to stop."""

BACKLOG = 1024
"""Connections that may wait to be taken: as many as waitress has of itself."""

BODY_BYTES_MAX = 8_000_000
"""Of one request: several times the largest catalog that a page takes. What is more is answered 413, and not kept."""
WEB_THREADS = 4
"""Requests served at once: the pages read SQLite and one engine, which gain nothing from more on a small machine."""


class Parts:
    """Named threads that end when ``stop`` is set; the first error of any of them sets it and is raised by ``join``."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def start(self, name: str, run: Callable[[], object]) -> None:
        thread = threading.Thread(target=self._watch, args=(name, run), name=name)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait until ``stop``, then for every part; raises the first error."""
        self.stop.wait()
        for thread in reversed(self._threads):
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _watch(self, name: str, run: Callable[[], object]) -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - raised again by ``join``, on the main thread
            self._errors.append(error)
            log.error("a part failed; stopping", part=name, error=str(error))
        finally:
            self.stop.set()


@contextmanager
def stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set ``stop`` instead of ending the process in mid-write. A second one ends it as usual."""

    def handle(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, before[signal.Signals(number)])
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """One ``cardhour up`` a home. Raises Refuse, naming the other's process, where one runs already."""
    with (home / LOCK).open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            other = file.read().strip() or "unknown"
            raise Refuse(
                f"cardhour up already runs on {home}, as process {other}: other commands work beside it; "
                "for a second one, set CARDHOUR_HOME to another folder"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def listening(web: WebSettings) -> list[socket.socket]:
    """Sockets that listen on ``[web] host`` and ``port``: several where a name has several addresses."""
    found: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            web.host, web.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            one = socket.socket(family, kind, protocol)
            found.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
            one.listen(BACKLOG)
    except OSError as error:
        for one in found:
            one.close()
        raise Refuse(
            f"the portal cannot listen on {web.host}:{web.port} ({error.strerror or error}): stop what does, "
            "or set another host and port in [web]"
        ) from error
    return found


def address_of(web: WebSettings, sockets: Sequence[socket.socket]) -> str:
    """Where people find what listens on ``sockets``: on the first, where a name such as localhost has several."""
    return f"http://{_reachable(web.host)}:{sockets[0].getsockname()[1]}/"


class Portal:
    """The portal on sockets that listen, by default on ``[web] host`` and ``port``. ``run`` serves until ``stop``."""

    def __init__(self, web: WebSettings, sockets: Sequence[socket.socket] = ()) -> None:
        from cardhour_billing.wsgi import application

        sockets = sockets or listening(web)
        self.url = address_of(web, sockets)
        self._sockets: dict[int, Any] = {}
        self._server = waitress.create_server(
            application,
            map=self._sockets,
            sockets=list(sockets),
            threads=WEB_THREADS,
            max_request_body_size=BODY_BYTES_MAX,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )

    def run(self, stop: threading.Event) -> None:
        """Ends within a moment of ``stop``, whatever browsers keep open."""
        try:
            while not stop.is_set():
                waitress.wasyncore.loop(timeout=LOOP_S, map=self._sockets, count=1)
        finally:
            self._server.task_dispatcher.shutdown()  # answers under way get some seconds
            waitress.wasyncore.close_all(self._sockets)


def settle() -> None:
    """To be called where a process is for a ``Portal`` alone, when it is made.

    Pages are imported now, and not while the first person waits; what is there now is never looked through again.
    """
    from django.urls import get_resolver

    list(get_resolver().url_patterns)  # reading them imports them
    seldom_collect()


def _reachable(host: str) -> str:
    """A host to go to, for a host to listen on."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - every address of this machine, of which this is one
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
