"""Places: what a control group says about who started a process.

Owns the kinds of place and what identifies each. Does not own how a path is read (``cgroup``) or whom a place works for
(``kubernetes``, ``containers``, ``slurm``, ``users``).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

Runtime = Literal["docker", "podman", "containerd", "crio"]


class Pod(Struct, frozen=True, kw_only=True):
    """A container of a Kubernetes pod."""

    uid: str
    """Hexadecimal, without dashes: the systemd driver writes underscores for them, and static pods have none."""
    container_id: str = ""
    """64 hexadecimal digits; empty for a process of the pod that is in none of its containers."""


class Container(Struct, frozen=True, kw_only=True):
    """A container that belongs to no pod."""

    runtime: Runtime
    container_id: str
    uid: int | None = None
    """Whose rootless daemon runs it; ``None`` = the machine's own daemon."""


class Job(Struct, frozen=True, kw_only=True):
    """A Slurm job; all its steps are one place, so that they are asked about once."""

    name: str
    """The job id in digits, or the SLUID (``s`` and 13 characters) of Slurm 26.05 and later."""


class Machine(Struct, frozen=True, kw_only=True):
    """A virtual machine of libvirt."""

    instance: str


class User(Struct, frozen=True, kw_only=True):
    """A user of this node: of a login's slice, which survives su and sudo, or else of the process."""

    uid: int


Place: TypeAlias = Pod | Container | Job | Machine | User
