"""Owners: which resolver is asked about a place, and the answers that come late.

Owns the order of asking, how long a sample may wait for answers, and who is still waited for. Does not own how an
answer is found (the resolvers) or cached (``asker``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

import structlog
from msgspec import Struct, structs

from cardhour_agent.resolve.answer import NOT_FOUND, PENDING, Answer, unknown
from cardhour_agent.resolve.asker import Asker
from cardhour_agent.resolve.place import Container, Job, Machine, Place, Pod
from cardhour_contract.clock import Clock
from cardhour_contract.identity import unnamed_workload
from cardhour_contract.record import Attribution

SAMPLE_WAIT_MS = 50
"""How long one sample waits for new answers, in all. A sample's time is set before, so that this delays no interval;
most daemons answer in a few milliseconds, which spares the process an unknown record and its correction."""

WAITING_MAX = 4096
"""Processes waited for; beyond it the one that waits longest stays unknown."""

WAITING_MAX_MS = 3_600_000
"""How long a process that is gone is waited for: a daemon that is down this long has forgotten it."""

_log = structlog.get_logger("cardhour.agent")


class _Waiting(Struct, kw_only=True):
    """A process that was reported as unknown."""

    places: Sequence[Place]
    seen_ms: int
    """When a sample last saw it; monotonic."""


class Owners:
    """Whom places work for, of those who were enabled; and who unknown processes turned out to be."""

    def __init__(self, askers: Mapping[str, Asker], clock: Clock, system: Iterable[str] = ()) -> None:
        self._askers, self._clock, self._system = askers, clock, frozenset(system)
        self._waiting: OrderedDict[int, _Waiting] = OrderedDict()
        self._wait_ms = SAMPLE_WAIT_MS

    def find(self, places: Sequence[Place]) -> Answer:
        """The answer about the first place that somebody knows; ``unknown:<reason>`` of the first that nobody did."""
        reason = ""
        for place in places:
            name = resolver_of(place)
            asker = self._askers.get(name)
            if asker is None:
                reason = reason or (f"{name}_off" if name else "no_resolver")
                continue
            answer, why = self._ask(asker, place)
            if answer is not None:
                return self._own(answer)
            if why != NOT_FOUND:
                return unknown(why if why == PENDING else f"{name}_{why}")
            reason = reason or f"{name}_{NOT_FOUND}"
        return unknown(reason or "no_uid")

    def expect(self, process: int, places: Sequence[Place]) -> None:
        """A process is reported as unknown in this sample: answer for it when the answer comes."""
        self._waiting[process] = _Waiting(places=places, seen_ms=self._clock.monotonic_ms())
        self._waiting.move_to_end(process)
        if len(self._waiting) > WAITING_MAX:
            self._waiting.popitem(last=False)
            _log.warning("owner_given_up", processes=1)

    def settle(self, process: int) -> None:
        """It is known now; samples say so themselves."""
        self._waiting.pop(process, None)

    def sampled(self) -> None:
        """A sample is complete: the next one may wait again."""
        self._wait_ms = SAMPLE_WAIT_MS

    def late(self) -> tuple[Attribution, ...]:
        """Processes waited for whose answers have come since."""
        found = []
        now_ms = self._clock.monotonic_ms()
        for process, each in list(self._waiting.items()):
            answer = self.find(each.places)
            if not answer.is_unknown:
                workload = answer.workload or unnamed_workload(process)
                found.append(Attribution(process=process, owner=answer.owner, workload=workload, share=answer.share))
            elif now_ms - each.seen_ms <= WAITING_MAX_MS:
                continue
            del self._waiting[process]
        return tuple(found)

    def close(self) -> None:
        for each in self._askers.values():
            each.stop()
        for each in self._askers.values():
            each.close()

    def _own(self, answer: Answer) -> Answer:
        """The operator's own owners are ``system:``: they are nobody's tenants, and compete with none."""
        if answer.owner not in self._system:
            return answer
        return structs.replace(answer, owner="system:" + answer.owner.partition(":")[2])

    def _ask(self, asker: Asker, place: Place) -> tuple[Answer | None, str]:
        start_ms = self._clock.monotonic_ms()
        reply = asker.ask(place, self._wait_ms)
        self._wait_ms = max(0, self._wait_ms - (self._clock.monotonic_ms() - start_ms))
        return reply


def resolver_of(place: Place) -> str:
    """The name of the one who knows such places; empty where nobody does."""
    match place:
        case Pod():
            return "kubernetes"
        case Job():
            return "slurm"
        case Machine():
            return "libvirt"
        case Container(uid=None, runtime=("docker" | "podman") as runtime):
            return runtime
        case Container(uid=None):
            return ""
    return "user"
