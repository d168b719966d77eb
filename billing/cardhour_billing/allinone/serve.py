"""Long-running parts as threads of one process, and the order in which they stop.

Owns threads, signals, the portal's server, and that a home has one such process. Does not own what any part does. A
part that fails stops all the others: half a CardHour that looks alive is worse than none.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
import waitress
import waitress.wasyncore

from cardhour_billing.config import WebSettings
from cardhour_contract.errors import Refuse

log = structlog.get_logger("cardhour.up")

LOCK = "up.lock"

LOOP_S = 0.2
"""How long the portal takes to notice that it is to stop."""

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


class Portal:
    """The portal on ``[web] host`` and ``port``. Listens once made; ``run`` serves until ``stop``."""

    def __init__(self, web: WebSettings) -> None:
        from cardhour_billing.wsgi import application

        self._sockets: dict[int, Any] = {}
        try:
            self._server = waitress.create_server(
                application,
                map=self._sockets,
                host=web.host,
                port=web.port,
                threads=WEB_THREADS,
                ident=None,
                clear_untrusted_proxy_headers=True,
            )
        except (OSError, ValueError) as error:  # waitress's word for a host that is none is a ValueError
            reason = getattr(error, "strerror", None) or error
            raise Refuse(
                f"the portal cannot listen on {web.host}:{web.port} ({reason}): stop what does, "
                "or set another host and port in [web]"
            ) from error
        self.url = f"http://{_reachable(web.host)}:{self._port()}/"

    def run(self, stop: threading.Event) -> None:
        """Ends within a moment of ``stop``, whatever browsers keep open."""
        try:
            while not stop.is_set():
                waitress.wasyncore.loop(timeout=LOOP_S, map=self._sockets, count=1)
        finally:
            self._server.task_dispatcher.shutdown()  # answers under way get some seconds
            waitress.wasyncore.close_all(self._sockets)

    def _port(self) -> int:
        """The first one, where a name such as localhost has several addresses."""
        listening = getattr(self._server, "effective_listen", None)
        return int(listening[0][1] if listening else self._server.effective_port)


def _reachable(host: str) -> str:
    """A host to go to, for a host to listen on."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - every address of this machine, of which this is one
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
