"""The /proc door: who a pid is, and what this boot is called.

Owns reading /proc, and the answers from it: start ticks, user, command, cgroup, container id, and the places that a
process is in. Does not own whom a place works for (``resolve``). Must see the host's /proc: the driver names processes
by the host's pids.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, structs

from cardhour_agent.exits import Exits
from cardhour_agent.identity import UNKNOWN, Identity
from cardhour_agent.resolve.answer import PENDING
from cardhour_agent.resolve.cgroup import TEXTS_KEPT, places_of
from cardhour_agent.resolve.owners import Owners
from cardhour_agent.resolve.place import Container, Job, Place, Pod, User
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse
from cardhour_contract.identity import process_key, unnamed_workload
from cardhour_contract.record import Attribution, Process

PROC = Path("/proc")

CGROUP_BYTES_MAX = 1024
"""Longest cgroup path that is sent; nested container runtimes stay well below it."""

FILE_BYTES_MAX = 65_536
"""Longest /proc file that is read: stat, status and cgroup are a few hundred bytes."""

SYSTEM_COMMANDS = (
    "Xorg", "Xwayland", "gnome-shell", "nvidia-cuda-mps-server", "nvidia-cuda-mps-control", "nvidia-persistenced",
    "nv-hostengine", "dcgm-exporter", "nvidia-smi", "cardhour-agent",
)  # fmt: skip
"""Commands whose time on a card is nobody's: display servers, the MPS server, monitoring, the agent itself."""

_CONTAINER = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:/|$)", re.MULTILINE)
_UID = re.compile(r"^Uid:\t(\d+)", re.MULTILINE)
_COMM_BYTES_MAX = 15
"""The kernel cuts a command's name to this."""


class ProcessFacts(Struct, frozen=True, kw_only=True):
    """What /proc says of a pid at one instant."""

    start_ticks: int
    """Clock ticks after boot, field 22 of stat."""
    uid: int | None
    command: str
    cgroup: str
    container_id: str
    places: tuple[Place, ...]
    """In the order in which to ask whom it works for."""


LOOKED_MS = 60_000
"""How often a process's user is read again where nothing else of it has changed: it costs more than all the rest, and
processes that come onto a card have changed it before."""


class _Glance(NamedTuple):
    """The little that tells, most of the time, that a pid is as it was."""

    start_ticks: int
    command: str
    groups: str


class _Known(NamedTuple):
    """What was answered about a pid, the places that the answer came from, and what it looked like when."""

    identity: Identity
    places: tuple[Place, ...] = ()
    glance: _Glance | None = None
    looked_ms: int = 0


def boot_id(proc: Path = PROC) -> str:
    """The kernel's random name for this boot."""
    try:
        return (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError as error:
        raise Refuse(f"{error.filename} cannot be read ({error.strerror}): mount the host's /proc") from error


def read_process(pid: int, proc: Path = PROC) -> ProcessFacts:
    """Facts of a pid. Raises ProcessLookupError where it is gone and PermissionError where /proc hides it."""
    folder = f"{proc}/{pid}"
    start_ticks, command, groups = _glance(folder)
    user = _UID.search(_read(f"{folder}/status"))
    uid = int(user[1]) if user else None
    cgroup, container_id = _cgroup_of(groups)
    if _start_and_command(folder)[0] != start_ticks:
        raise ProcessLookupError(f"pid {pid} was taken over while it was read")
    return ProcessFacts(
        start_ticks=start_ticks,
        uid=uid,
        command=command,
        cgroup=cgroup,
        container_id=container_id,
        places=_places(groups, uid),
    )


def _start_and_command(folder: str) -> tuple[int, str]:
    # The command may hold spaces and parentheses: fields are counted from the last one that closes it.
    command, _, fields = _read(f"{folder}/stat").partition("(")[2].rpartition(")")
    return int(fields.split(maxsplit=20)[19]), command


def _glance(folder: str) -> _Glance:
    start_ticks, command = _start_and_command(folder)
    return _Glance(start_ticks, command, _read(f"{folder}/cgroup"))


def _places(groups: str, uid: int | None) -> tuple[Place, ...]:
    """Where the control groups say nothing better, the process's own user; in a container, users are not the node's."""
    places = places_of(groups)
    if uid is None or any(isinstance(each, Pod | Container | User) for each in places):
        return places
    return (*places, User(uid=uid))


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
        watched = (each.identity for each in self._known.values())
        self._exits.watch({each.process.pid: each.key for each in watched if each.process.start_ticks})
        self._owners.sampled()

    def exits(self) -> dict[int, int]:
        return self._exits.take()

    def late_answers(self) -> tuple[Attribution, ...]:
        return self._owners.late()

    def _look_up(self, pid: int) -> _Known:
        known = self._known.get(pid)
        folder, now_ms = f"{self._proc}/{pid}", self._clock.monotonic_ms()
        try:
            glance = _glance(folder)
            if known is not None and glance == known.glance and now_ms - known.looked_ms < LOOKED_MS:
                return self._answered(known)
            facts = read_process(pid, self._proc)
        except (FileNotFoundError, ProcessLookupError):
            # Gone, but the driver still lists it: whoever it was when it was last seen here.
            return self._answered(known) if known else self._unknown(pid, "exited")
        except PermissionError:
            return self._answered(known) if known else self._unknown(pid, "not_permitted")
        if known is None or not _same(known.identity.process, facts):
            known = self._new(pid, facts, known.identity if known else None)
        return self._answered(known._replace(glance=glance, looked_ms=now_ms))

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
        answer = self._owners.find(known.places)
        if not answer.is_unknown:
            self._owners.settle(identity.key)
        elif identity.is_unknown:
            self._owners.expect(identity.key, known.places)
        else:
            return known
        workload = answer.workload or unnamed_workload(identity.key)
        if (identity.owner, identity.workload, identity.share) == (answer.owner, workload, answer.share):
            return known
        changed = structs.replace(identity, owner=answer.owner, workload=workload, share=answer.share)
        return known._replace(identity=changed)

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


def _read(path: str) -> str:
    """One read, without Python's buffers: this is most of what a sample costs the agent."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, FILE_BYTES_MAX).decode(errors="replace")
    finally:
        os.close(descriptor)


@lru_cache(TEXTS_KEPT)
def _cgroup_of(text: str) -> tuple[str, str]:
    """The path that is sent, and the innermost container's id in it.

    It is the unified hierarchy's path (``0::…``); on version 1 the longest, as controllers may disagree on nesting.
    """
    paths = [line.split(":", 2) for line in text.splitlines() if line.count(":") >= 2]
    unified = [path for number, _, path in paths if number == "0" and path != "/"]
    cgroup = unified[0] if unified else max((path for _, _, path in paths), key=len, default="")
    containers = _CONTAINER.findall(cgroup)
    return cgroup.encode()[:CGROUP_BYTES_MAX].decode(errors="ignore"), containers[-1] if containers else ""


def cards_by_minor(proc: Path = PROC) -> dict[str, str]:
    """UUID of each GPU by the number of its device file, as the driver's kernel module lists them."""
    found = {}
    for path in sorted((proc / "driver/nvidia/gpus").glob("*/information")):
        lines = (line.partition(":") for line in path.read_text(encoding="ascii", errors="replace").splitlines())
        told = {name.strip(): value.strip() for name, _, value in lines}
        if told.get("Device Minor") and told.get("GPU UUID"):
            found[told["Device Minor"]] = told["GPU UUID"]
    return found
