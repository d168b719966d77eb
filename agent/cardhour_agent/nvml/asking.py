"""Asking a driver that may not know the answer.

Owns what is told once in the log, the refusal of questions that are never answered here, and the repetition of calls
whose buffer was outgrown. Does not own any question.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from pynvml import NVMLError

from cardhour_agent.nvml.codes import INSUFFICIENT_SIZE, LACKING, word_of

TRIES_MAX = 5
"""A list may outgrow its buffer between the two calls that read it; more races in a row than this are no accident."""

_log = structlog.get_logger("cardhour.nvml")


class Asking:
    """Questions to one driver, and what was already said about its answers."""

    def __init__(self) -> None:
        self._told: set[tuple[str, ...]] = set()

    def ask(self, card: str, what: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """The answer, or ``None`` with one line in the log where the question is never answered here."""
        try:
            return call(*arguments)
        except NVMLError as error:
            if word_of(error.value) not in LACKING:
                raise
            self.tell("not_measured", card=card, what=what, reason=word_of(error.value))
            return None

    def tell(self, event: str, **details: str) -> None:
        """Log a thing once: a reading comes every few seconds."""
        key = (event, *details.values())
        if key not in self._told:
            self._told.add(key)
            _log.info(event, **details)


def retried(call: Callable[..., Any], *arguments: Any) -> Any:
    """A call of two steps, again while its buffer was outgrown in between."""
    for _ in range(TRIES_MAX - 1):
        try:
            return call(*arguments)
        except NVMLError as error:
            if error.value != INSUFFICIENT_SIZE:
                raise
    return call(*arguments)
