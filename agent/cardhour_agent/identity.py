"""Who a pid is: the answer that puts an owner to a held card.

Owns the answer's shape and the protocol of those who give it. Does not own how it is found (``proc_identities``
asks the kernel, ``simulated`` a scenario).
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from cardhour_contract.record import SHARE_WHOLE, Attribution, Basis, Process

UNKNOWN = "unknown:"


class Identity(Struct, frozen=True, kw_only=True, gc=False):
    """A process, or an allocation, and who it works for."""

    key: int
    """``cardhour_contract.identity.process_key``."""
    owner: str
    """``kind:name``; ``unknown:<reason>`` until it is known."""
    workload: str
    share: int = SHARE_WHOLE
    """Permille of a card."""
    basis: Basis = Basis.PROCESS
    """What makes it hold a card: that it runs there, or that the card is assigned to it."""
    process: Process

    @property
    def is_unknown(self) -> bool:
        return self.owner.startswith(UNKNOWN)

    def holds_as(self, other: Identity) -> bool:
        """Whether time held by both may stand in one record."""
        return self.owner == other.owner and self.workload == other.workload and self.share == other.share


class Identities(Protocol):
    """Answers who pids are, at the time of one sample."""

    def identify(self, pid: int) -> Identity:
        """The process that has this pid now. Never fails: what cannot be known is ``unknown:<reason>``."""
        ...

    def sampled(self, unread: frozenset[int] = frozenset()) -> None:
        """A sample is complete: answers about pids that it did not ask for may be forgotten, save for those in
        ``unread``, last seen on cards that could not be read this time."""
        ...

    def exits(self) -> dict[int, int]:
        """Processes (by key) known to have ended since the last call, with the monotonic time of it in ms."""
        ...

    def late_answers(self) -> tuple[Attribution, ...]:
        """Answers, since the last call, about processes that were unknown when they were reported."""
        ...

    def close(self) -> None:
        """Let go of what is kept open to know them."""
        ...
