"""Allocations: what each sample is told about cards that are assigned, whether or not a process uses them.

Owns asking the assigners, on a thread, and the identity of an allocation. Does not own who they are
(``resolve.assigned``).

An answer holds for the sample that waited for it and no longer; where one of the assigners does not answer, the sample
knows what the others said, and that it does not know all. A gap is bridged as any other gap of samples.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence

import structlog
from msgspec import Struct

from cardhour_agent.card_sample import Held
from cardhour_agent.identity import Identity
from cardhour_agent.resolve.answer import NoAnswer
from cardhour_agent.resolve.assigned import Assigned, Assigner
from cardhour_contract.identity import allocation_key
from cardhour_contract.record import Basis, Process

WAIT_S = 1.0
"""How long a sample waits for a kubelet, which answers in a few milliseconds. A sample's time is set before."""

STOP_S = 1.0

_log = structlog.get_logger("cardhour.agent")


class Known(Struct, frozen=True, kw_only=True):
    """What one sample knows."""

    held: Mapping[str, tuple[Held, ...]]
    """By card."""
    complete: bool
    """Whether all assigners answered: what is not listed then has ended."""


class Allocations:
    """The assigners of one node, each with a thread of its own."""

    def __init__(self, node: str, boot_id: str, assigners: Sequence[Assigner], system: Sequence[str] = ()) -> None:
        self._node, self._boot_id, self._system = node, boot_id, frozenset(system)
        self._asking = [_Asking(each) for each in assigners]

    def read(self, cards: frozenset[str]) -> Known:
        """Ask all, and wait for them a little. Never raises, never hangs."""
        for each in self._asking:
            each.begin(cards)
        answers = [each.answer(WAIT_S) for each in self._asking]
        held: defaultdict[str, list[Held]] = defaultdict(list)
        for assigned in (one for answer in answers if answer is not None for one in answer):
            held[assigned.card].append(Held(identity=self._identity(assigned)))
        return Known(
            held={card: tuple(each) for card, each in held.items()},
            complete=all(each is not None for each in answers),
        )

    def close(self) -> None:
        for each in self._asking:
            each.close()

    def _identity(self, assigned: Assigned) -> Identity:
        answer = assigned.answer
        owner = f"system:{answer.owner.partition(':')[2]}" if answer.owner in self._system else answer.owner
        key = allocation_key(self._node, self._boot_id, assigned.card, assigned.name)
        return Identity(
            key=key,
            owner=owner,
            workload=answer.workload or assigned.name,
            share=answer.share,
            basis=Basis.ALLOCATION,
            process=Process(process=key, pid=0, start_ticks=0, command=assigned.name),
        )


class _Asking:
    """One assigner, and the question under way."""

    def __init__(self, assigner: Assigner) -> None:
        self._assigner = assigner
        self._changed = threading.Condition()
        self._cards: frozenset[str] | None = None
        self._answer: list[Assigned] | None = None
        self._busy = self._stopping = False
        self._thread: threading.Thread | None = None
        self._said = ""

    def begin(self, cards: frozenset[str]) -> None:
        """Ask, unless the last question is still without an answer."""
        with self._changed:
            self._answer = None
            if self._busy:
                return
            self._cards, self._busy = cards, True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"assigned-{self._assigner.name}", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def answer(self, wait_s: float) -> list[Assigned] | None:
        """Of the question that was begun last; None where there is none in time."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, wait_s)
            return self._answer

    def close(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._cards is not None or self._stopping)
                if self._stopping or self._cards is None:
                    return
                cards, self._cards = self._cards, None
            found = self._find(cards)
            with self._changed:
                self._answer, self._busy = found, False
                self._changed.notify_all()

    def _find(self, cards: frozenset[str]) -> list[Assigned] | None:
        said, found = "", None
        try:
            found = self._assigner.find(cards)
        except NoAnswer as error:
            said = error.reason
            if said != self._said:
                _log.warning("assigner_failed", assigner=self._assigner.name, reason=said, detail=str(error))
        except Exception:  # noqa: BLE001 - a mistake of ours about one answer must not end the asking
            said = "failed"
            if said != self._said:
                _log.exception("assigner_failed", assigner=self._assigner.name)
        self._said = said
        return found
