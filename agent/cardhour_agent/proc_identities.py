"""Who pids are: the kernel's word on them, joined with whoever knows the places they are in.

Owns what is remembered of each pid from sample to sample, and when it is looked at anew. Does not own reading /proc
(``procfs``) or whom a place works for (``resolve``).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from cardhour_agent import descriptors
from cardhour_agent.exits import Exits
from cardhour_agent.identity import UNKNOWN, Identity
from cardhour_agent.procfs import PROC, Glimpse, ProcessFacts, look_at
from cardhour_agent.resolve.answer import PENDING, Answer
from cardhour_agent.resolve.owners import Owners
from cardhour_agent.resolve.place import Container, Job, Place, Pod
from cardhour_contract.clock import Clock
from cardhour_contract.identity import process_key, unnamed_workload
from cardhour_contract.record import Attribution, Process

SYSTEM_COMMANDS = (
    "Xorg", "Xwayland", "gnome-shell", "nvidia-cuda-mps-server", "nvidia-cuda-mps-control", "nvidia-persistenced",
    "nv-hostengine", "dcgm-exporter", "nvidia-smi", "cardhour-agent",
)  # fmt: skip
"""Commands whose time on a card is nobody's: display servers, the MPS server, monitoring, the agent itself."""

LOOKED_MS = 60_000
"""How often a process's user is read again where nothing else of it has changed: it costs more than all the rest, and
processes that come onto a card have changed it before."""

_COMM_BYTES_MAX = 15
"""The kernel cuts a command's name to this."""


class _Known(NamedTuple):
    """What was answered about a pid, the places that the answer came from, and when it was looked at."""

    identity: Identity
    places: tuple[Place, ...] = ()
    looked_ms: int = 0
    answer: Answer | None = None
    """Which gave the identity its owner; the same one again changes nothing."""


class ProcIdentities:
    """Answers who pids are from /proc and from whoever knows their places; a pid keeps its key as long as it stays the
    same process, and follows the answers about its places."""

    def __init__(
        self,
        node: str,
        boot: str,
        clock: Clock,
        exits: Exits,
        owners: Owners,
        system_commands: Iterable[str] = SYSTEM_COMMANDS,
        proc: Path = PROC,
    ) -> None:
        self._node, self._boot, self._clock, self._proc = node, boot, clock, proc
        self._exits, self._owners = exits, owners
        self._system = {each[:_COMM_BYTES_MAX]: each for each in system_commands}
        self._known: dict[int, _Known] = {}
        self._asked: dict[int, _Known] = {}
        self._glimpses: dict[int, Glimpse] = {}
        """Of known pids; one that has none is read whole at each sample."""
        self._glimpses_max = descriptors.processes()
        self._answers: dict[tuple[Place, ...], Answer] = {}
        """Of this sample: most of a node's processes are in few places."""

    def identify(self, pid: int) -> Identity:
        """The answer for this sample; a pid on several cards is looked up once."""
        known = self._asked.get(pid)
        if known is None:
            known = self._asked[pid] = self._look_up(pid)
        return known.identity

    def sampled(self, unread: frozenset[int] = frozenset()) -> None:
        """Forget pids that the sample did not see, and may not be there: a pid that comes back is looked at anew."""
        kept = {pid: known for pid, known in self._known.items() if pid in unread} if unread else {}
        self._known, self._asked = {**kept, **self._asked}, {}
        for pid in self._glimpses.keys() - self._known.keys():
            self._glimpses.pop(pid).close()
        watched = (each.identity for each in self._known.values())
        self._exits.watch({each.process.pid: each.key for each in watched if each.process.start_ticks})
        self._answers.clear()
        self._owners.sampled()

    def exits(self) -> dict[int, int]:
        return self._exits.take()

    def late_answers(self) -> tuple[Attribution, ...]:
        return self._owners.late()

    def close(self) -> None:
        for each in self._glimpses.values():
            each.close()
        self._glimpses.clear()

    def _look_up(self, pid: int) -> _Known:
        known, now_ms = self._known.get(pid), self._clock.monotonic_ms()
        if known is not None and now_ms - known.looked_ms < LOOKED_MS and self._is_as_it_was(pid):
            return self._answered(known)
        try:
            facts = self._look(pid)
        except (FileNotFoundError, ProcessLookupError):
            # Gone, but the driver still lists it: whoever it was when it was last seen here.
            return self._answered(known) if known else self._unknown(pid, "exited")
        except PermissionError:
            return self._answered(known) if known else self._unknown(pid, "not_permitted")
        if known is None or not _same(known.identity.process, facts):
            known = self._new(pid, facts, known.identity if known else None)
        return self._answered(known._replace(looked_ms=now_ms))

    def _is_as_it_was(self, pid: int) -> bool:
        glimpse = self._glimpses.get(pid)
        try:
            return glimpse is not None and glimpse.is_unchanged()
        except ProcessLookupError:
            return False  # it is gone: who has its pid now, if anybody, is another

    def _look(self, pid: int) -> ProcessFacts:
        before = self._glimpses.pop(pid, None)
        if before is not None:
            before.close()
        facts, glimpse = look_at(pid, self._proc)
        if len(self._glimpses) < self._glimpses_max:
            self._glimpses[pid] = glimpse
        else:
            glimpse.close()
        return facts

    def _new(self, pid: int, facts: ProcessFacts, known: Identity | None) -> _Known:
        """A process as it is now, its owner still to be asked for."""
        key = process_key(self._node, self._boot, pid, facts.start_ticks)
        if known is not None and known.owner == f"{UNKNOWN}not_permitted":
            key = known.key  # hidden until now, never away: the same process, now with an answer
        # A tenant may give its own processes any name: inside a pod, a job or a container names prove nothing.
        tenant = any(isinstance(each, Pod | Job | Container) for each in facts.places)
        system = None if tenant else self._system.get(facts.command)
        places = () if system else facts.places
        identity = Identity(
            key=key,
            owner=f"system:{system}" if system else f"{UNKNOWN}{PENDING if places else 'no_uid'}",
            workload=unnamed_workload(key),
            process=Process(
                process=key,
                pid=pid,
                start_ticks=facts.start_ticks,
                uid=facts.uid,
                command=facts.command,
                cgroup=facts.cgroup,
                container_id=facts.container_id,
            ),
        )
        return _Known(identity, places)

    def _answered(self, known: _Known) -> _Known:
        """With today's answer about its places; an owner is never taken back for want of an answer."""
        identity = known.identity
        if not known.places:
            return known
        answer = self._answers.get(known.places)
        if answer is None:
            answer = self._answers[known.places] = self._owners.find(known.places)
        if answer is known.answer:
            return known
        if not answer.is_unknown:
            self._owners.settle(identity.key)
        elif identity.is_unknown:
            self._owners.expect(identity.key, known.places)
        else:
            return known
        workload = answer.workload or unnamed_workload(identity.key)
        if (identity.owner, identity.workload, identity.share) != (answer.owner, workload, answer.share):
            identity = structs.replace(identity, owner=answer.owner, workload=workload, share=answer.share)
        return known._replace(identity=identity, answer=None if answer.is_unknown else answer)

    def _unknown(self, pid: int, reason: str) -> _Known:
        """A process whose start cannot be read: known by when it was first seen, negative so that no ticks equal it."""
        key = process_key(self._node, self._boot, pid, -self._clock.monotonic_ms())
        return _Known(
            Identity(
                key=key,
                owner=UNKNOWN + reason,
                workload=unnamed_workload(key),
                process=Process(process=key, pid=pid, start_ticks=0),
            )
        )


def _same(process: Process, facts: ProcessFacts) -> bool:
    """Whether it is as it was: an exec, a change of user or of control group asks anew."""
    before = (process.start_ticks, process.command, process.uid, process.cgroup)
    return before == (facts.start_ticks, facts.command, facts.uid, facts.cgroup)
