"""One agent after another, each with the settings as they were when it was asked to read them again.

Owns what signals do. Does not own an agent's work (``runner``). A reload is a restart without a new process: what is
proven is spooled, and the next agent bridges from it as after any restart, so that no time is lost and none is told
twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType

import structlog

from cardhour_agent.config import Config
from cardhour_agent.notify import Notify
from cardhour_agent.runner import Agent
from cardhour_contract.errors import Refuse

_log = structlog.get_logger("cardhour.agent")


class Running:
    """Agents until stopped. ``stop`` and ``reload`` are signal handlers, called on the thread that runs ``run``.

    A handler may interrupt that thread anywhere, also while it holds the lock of the log: it only leaves a word, and
    settings are read on a thread of their own.
    """

    def __init__(self, config: Config, read_again: Callable[[], Config]) -> None:
        self._read_again = read_again
        self._notify = Notify()
        self._config = config
        self._agent = Agent(config, notify=self._notify)
        self._asked: SimpleQueue[None] = SimpleQueue()  # its put is safe in a signal handler
        self._stopping = False

    def run(self) -> None:
        threading.Thread(target=self._read_when_asked, name="settings", daemon=True).start()
        while not self._stopping:
            self._agent.run()
            if not self._stopping:
                self._agent = Agent(self._config, notify=self._notify)
                _log.info("settings are read again", node=self._config.agent.node)

    def stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        self._agent.stop()

    def reload(self, number: int, frame: FrameType | None) -> None:
        """Go on with the settings as they are now; with those from before where they cannot be used."""
        self._asked.put(None)

    def _read_when_asked(self) -> None:
        while True:
            self._asked.get()
            try:
                self._config = self._read_again()
            except Refuse as error:
                for problem in error.problems:
                    _log.error("the new settings cannot be used; the old ones stay", problem=problem)
            else:
                self._agent.stop(reloading=True)
