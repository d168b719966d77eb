"""Answers: whom a place works for, or why nobody can say.

Owns the shape of an answer, the protocol of those who give it, and what a name and a share may be. Does not own how an
answer is found.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

import structlog
from msgspec import Struct

from cardhour_agent.identity import UNKNOWN
from cardhour_agent.resolve.place import Place
from cardhour_contract.errors import Retry
from cardhour_contract.identity import NAME_BYTES_MAX
from cardhour_contract.record import SHARE_WHOLE

PENDING, NOT_FOUND = "pending", "not_found"
_SHARE = re.compile(r"0*(?:1(?:\.0{1,3})?|(?:0|(?=\.))(?:\.([0-9]{1,3})))")
"""A decimal in (0, 1] with at most three places, as the usage CSV has it."""

_log = structlog.get_logger("cardhour.agent")


class Answer(Struct, frozen=True, kw_only=True, gc=False):
    """Whom a place works for."""

    owner: str
    """``kind:name``, or ``unknown:<reason>``."""
    workload: str = ""
    """Name inside the owner; empty = each process is its own."""
    share: int = SHARE_WHOLE
    """Permille of a card."""

    @property
    def is_unknown(self) -> bool:
        return self.owner.startswith(UNKNOWN)


class Reply(NamedTuple):
    """An answer, or the reason why there is none yet."""

    answer: Answer | None
    reason: str = ""


class NoAnswer(Retry):
    """The one who knows did not answer; ``reason`` is the word that follows its name in ``unknown:<name>_<reason>``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class Resolver(Protocol):
    """Somebody who knows places of one kind."""

    @property
    def name(self) -> str:
        """As settings and reasons write it, such as ``docker``."""
        ...

    def find(self, place: Place) -> Answer | None:
        """Whom it works for; ``None`` where there is no such place. Takes limited time. Raises NoAnswer."""
        ...


def unknown(reason: str) -> Answer:
    return Answer(owner=UNKNOWN + reason)


def owned(kind: str, name: str, workload: str = "", share: int = SHARE_WHOLE) -> Answer:
    """An answer from names that others chose: the kind is always ours, so that no label can claim ``system:``."""
    owner = f"{kind}:{name}"
    if not name or not _is_name(owner):
        return unknown(f"{kind}_bad_name")
    return Answer(owner=owner, workload=workload if _is_name(workload) else "", share=share)


def share_of(text: str | None, where: str) -> int:
    """A declared share in permille; one that cannot be read counts as undeclared, and is logged."""
    if text is None:
        return SHARE_WHOLE
    match = _SHARE.fullmatch(text.strip())
    permille = 0 if match is None else int(match[1].ljust(3, "0")) if match[1] else SHARE_WHOLE
    if permille == 0:
        _log.warning("share_not_read", where=where, share=text[:NAME_BYTES_MAX])
        return SHARE_WHOLE
    return permille


def _is_name(name: str) -> bool:
    return name.isprintable() and len(name.encode(errors="replace")) <= NAME_BYTES_MAX
