"""The /proc door: what the kernel says of a pid, and what this boot is called.

Owns reading /proc, and what is read of a process: start ticks, user, command, cgroup, container id, and the places that
it is in. Does not own whom a place works for (``resolve``), or who is remembered (``proc_identities``). Must see the
host's /proc: the driver names processes by the host's pids.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from cardhour_agent.resolve.cgroup import TEXTS_KEPT, places_of
from cardhour_agent.resolve.place import Container, Place, Pod, User
from cardhour_contract.errors import Refuse

PROC = Path("/proc")

CGROUP_BYTES_MAX = 1024
"""Longest cgroup path that is sent; nested container runtimes stay well below it."""

FILE_BYTES_MAX = 65_536
"""Longest /proc file that is read: stat, status and cgroup are a few hundred bytes."""

_CONTAINER = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:/|$)", re.MULTILINE)
_UID = re.compile(r"^Uid:\t(\d+)", re.MULTILINE)


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


class Glimpse:
    """The little that tells, most of the time, that a process is as it was: its command and its control groups.

    Both files stay open. Through them the kernel answers for this very process, and for none that is given its pid
    later; so the rest of it need not be read again, and one call reads each.
    """

    __slots__ = ("_command", "_groups", "_seen")

    def __init__(self, folder: int) -> None:
        """``folder``: the process's own, open. Raises OSError."""
        self._command = _open("comm", folder)
        try:
            self._groups = _open("cgroup", folder)
        except OSError:
            os.close(self._command)
            raise
        try:
            self._seen = self._look()
        except OSError:
            self.close()
            raise

    def is_unchanged(self) -> bool:
        """Raises ProcessLookupError once the process is gone, whoever has its pid by then."""
        return self._look() == self._seen

    @property
    def command(self) -> str:
        return _text(self._seen[0]).removesuffix("\n")

    @property
    def groups(self) -> str:
        return _text(self._seen[1])

    def close(self) -> None:
        os.close(self._command)
        os.close(self._groups)

    def _look(self) -> tuple[bytes, bytes]:
        return os.pread(self._command, FILE_BYTES_MAX, 0), os.pread(self._groups, FILE_BYTES_MAX, 0)


def boot_id(proc: Path = PROC) -> str:
    """The kernel's random name for this boot."""
    try:
        return (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError as error:
        raise Refuse(f"{error.filename} cannot be read ({error.strerror}): mount the host's /proc") from error


def read_process(pid: int, proc: Path = PROC) -> ProcessFacts:
    """Facts of a pid. Raises ProcessLookupError or FileNotFoundError where it is gone, PermissionError where /proc
    hides it."""
    facts, glimpse = look_at(pid, proc)
    glimpse.close()
    return facts


def look_at(pid: int, proc: Path = PROC) -> tuple[ProcessFacts, Glimpse]:
    """As ``read_process``, with what stays open to see whether it is still as it was."""
    # Through one open folder all is read of one process, also when its pid is given to another meanwhile.
    folder = os.open(f"{proc}/{pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        start_ticks = _start_ticks(_read("stat", folder))
        user = _UID.search(_read("status", folder))
        glimpse = Glimpse(folder)
    finally:
        os.close(folder)
    uid = int(user[1]) if user else None
    cgroup, container_id = _cgroup_of(glimpse.groups)
    facts = ProcessFacts(
        start_ticks=start_ticks,
        uid=uid,
        command=glimpse.command,
        cgroup=cgroup,
        container_id=container_id,
        places=_places(glimpse.groups, uid),
    )
    return facts, glimpse


def cards_by_minor(proc: Path = PROC) -> dict[str, str]:
    """UUID of each GPU by the number of its device file, as the driver's kernel module lists them."""
    found = {}
    for path in sorted((proc / "driver/nvidia/gpus").glob("*/information")):
        lines = (line.partition(":") for line in path.read_text(encoding="ascii", errors="replace").splitlines())
        told = {name.strip(): value.strip() for name, _, value in lines}
        if told.get("Device Minor") and told.get("GPU UUID"):
            found[told["Device Minor"]] = told["GPU UUID"]
    return found


def _start_ticks(stat: str) -> int:
    # The command in it may hold spaces and parentheses: fields are counted from the last one that closes it.
    return int(stat.rpartition(")")[2].split(maxsplit=20)[19])


def _places(groups: str, uid: int | None) -> tuple[Place, ...]:
    """Where the control groups say nothing better, the process's own user; in a container, users are not the node's."""
    places = places_of(groups)
    if uid is None or any(isinstance(each, Pod | Container | User) for each in places):
        return places
    return (*places, User(uid=uid))


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


def _read(name: str, folder: int) -> str:
    descriptor = _open(name, folder)
    try:
        return _text(os.read(descriptor, FILE_BYTES_MAX))
    finally:
        os.close(descriptor)


def _open(name: str, folder: int) -> int:
    return os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
