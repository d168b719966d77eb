"""Long-running parts as threads of one process, and the order in which they stop.

Owns threads, signals and the portal's server. Does not own what any part does. A part that fails stops all the others:
half a CardHour that looks alive is worse than none.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import structlog
import waitress

from cardhour_billing.config import WebSettings
from cardhour_contract.errors import Refuse

log = structlog.get_logger("cardhour.up")

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
    """SIGINT and SIGTERM set ``stop`` instead of ending the process in mid-write."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Portal:
    """The portal on ``[web] host`` and ``port``. Listens once made; ``run`` serves until ``stop``."""

    def __init__(self, web: WebSettings) -> None:
        from cardhour_billing.wsgi import application

        try:
            self._server = waitress.create_server(
                application,
                host=web.host,
                port=web.port,
                threads=WEB_THREADS,
                ident=None,
                clear_untrusted_proxy_headers=True,
            )
        except OSError as error:
            raise Refuse(
                f"the portal cannot listen on {web.host}:{web.port} ({error.strerror}): stop what does, "
                "or set another port in [web] or CARDHOUR_WEB_PORT"
            ) from error
        self.url = f"http://{web.host}:{self._server.effective_port}/"

    def run(self, stop: threading.Event) -> None:
        def close() -> None:
            stop.wait()
            self._server.close()

        closer = threading.Thread(target=close, name="portal stop")
        closer.start()
        try:
            self._server.run()
        finally:
            stop.set()
            closer.join()
