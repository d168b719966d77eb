"""The /proc door: who a pid is, and what this boot is called.

Owns reading /proc, and the answers from it: start ticks, user, command, cgroup, container id. Does not own containers'
owners (a runtime's or a scheduler's answer). Must see the host's /proc: the driver names processes by the host's pids.
"""

from __future__ import annotations

import pwd
import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from cardhour_agent.exits import Exits
from cardhour_agent.identity import UNKNOWN, Identity
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


def boot_id(proc: Path = PROC) -> str:
    """The kernel's random name for this boot."""
    try:
        return (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError as error:
        raise Refuse(f"{error.filename} cannot be read ({error.strerror}): mount the host's /proc") from error


def read_process(pid: int, proc: Path = PROC) -> ProcessFacts:
    """Facts of a pid. Raises ProcessLookupError where it is gone and PermissionError where /proc hides it."""
    folder = proc / str(pid)
    stat = _read(folder / "stat")
    # The command may hold spaces and parentheses: fields are counted from the last one that closes it.
    command, _, fields = stat.partition("(")[2].rpartition(")")
    start_ticks = int(fields.split()[19])
    status = _read(folder / "status").splitlines()
    uid = next((int(line.split()[1]) for line in status if line.startswith("Uid:")), None)
    cgroup = _cgroup_path(_read(folder / "cgroup"))
    container = _CONTAINER.findall(cgroup)
    if int(_read(folder / "stat").rpartition(")")[2].split()[19]) != start_ticks:
        raise ProcessLookupError(f"pid {pid} was taken over while it was read")
    return ProcessFacts(
        start_ticks=start_ticks,
        uid=uid,
        command=command,
        cgroup=cgroup.encode()[:CGROUP_BYTES_MAX].decode(errors="ignore"),
        container_id=container[-1] if container else "",
    )


def user_owner(uid: int | None) -> str:
    """``user:<name>``; the number where no account has it, as in a container's own user range."""
    if uid is None:
        return f"{UNKNOWN}no_uid"
    try:
        return f"user:{pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user:{uid}"


class ProcIdentities:
    """Answers who pids are from /proc, and keeps an answer as long as the pid stays the same process."""

    def __init__(
        self,
        node: str,
        boot: str,
        clock: Clock,
        exits: Exits,
        system_commands: Iterable[str] = SYSTEM_COMMANDS,
        proc: Path = PROC,
    ) -> None:
        self._node, self._boot, self._clock, self._proc = node, boot, clock, proc
        self._exits = exits
        self._system = {each[:_COMM_BYTES_MAX]: each for each in system_commands}
        self._known: dict[int, Identity] = {}
        self._asked: dict[int, Identity] = {}

    def identify(self, pid: int) -> Identity:
        """The answer for this sample; a pid on several cards is looked up once."""
        identity = self._asked.get(pid)
        if identity is None:
            identity = self._asked[pid] = self._look_up(pid)
        return identity

    def sampled(self) -> None:
        """Forget pids that the sample did not see: a pid that comes back is looked at anew."""
        self._known, self._asked = self._asked, {}
        self._exits.watch({pid: each.key for pid, each in self._known.items() if each.process.start_ticks})

    def exits(self) -> dict[int, int]:
        return self._exits.take()

    def late_answers(self) -> tuple[Attribution, ...]:
        """/proc answers at once or, once a process is gone, never."""
        return ()

    def _look_up(self, pid: int) -> Identity:
        known = self._known.get(pid)
        try:
            facts = read_process(pid, self._proc)
        except (FileNotFoundError, ProcessLookupError):
            # Gone, but the driver still lists it: whoever it was when it was last seen here.
            return known or self._unknown(pid, "exited")
        except PermissionError:
            return known or self._unknown(pid, "not_permitted")
        if known is not None and _same(known.process, facts):
            return known
        key = process_key(self._node, self._boot, pid, facts.start_ticks)
        if known is not None and known.owner == f"{UNKNOWN}not_permitted":
            key = known.key  # hidden until now, never away: the same process, now with an answer
        system = self._system.get(facts.command)
        return Identity(
            key=key,
            owner=f"system:{system}" if system else user_owner(facts.uid),
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

    def _unknown(self, pid: int, reason: str) -> Identity:
        """A process whose start cannot be read: known by when it was first seen, negative so that no ticks equal it."""
        key = process_key(self._node, self._boot, pid, -self._clock.monotonic_ms())
        return Identity(
            key=key,
            owner=UNKNOWN + reason,
            workload=unnamed_workload(key),
            process=Process(process=key, pid=pid, start_ticks=0),
        )


def _same(process: Process, facts: ProcessFacts) -> bool:
    """Whether an answer given before still holds: an exec or a change of user asks for a new one."""
    before = (process.start_ticks, process.command, process.uid)
    return before == (facts.start_ticks, facts.command, facts.uid)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(FILE_BYTES_MAX).decode(errors="replace")


def _cgroup_path(text: str) -> str:
    """The unified hierarchy's path (``0::…``); on version 1 the longest, as controllers may disagree on nesting."""
    paths = [line.split(":", 2) for line in text.splitlines() if line.count(":") >= 2]
    unified = [path for number, _, path in paths if number == "0" and path != "/"]
    return unified[0] if unified else max((path for _, _, path in paths), key=len, default="")
