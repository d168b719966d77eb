"""Slurm: whom a job works for, asked of the controller through ``scontrol``.

Owns running it within a time and a size, and reading its answer. Does not own where a job stands in a path
(``cgroup``).
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from cardhour_agent.resolve.answer import Answer, NoAnswer, owned
from cardhour_agent.resolve.place import Job, Place

TIMEOUT_S = 10.0
"""A busy controller takes seconds; nobody but this resolver's thread waits."""

BYTES_MAX = 16 * 1024 * 1024
"""Longest answer: a job is some 20 kB, and a heterogeneous job has few parts."""

_UNKNOWN_JOB = b"Invalid job id"


class _Job(Struct, frozen=True):
    """The part of a job that is read."""

    job_id: int
    account: str = ""
    user_name: str = ""


class _Jobs(Struct, frozen=True):
    jobs: list[_Job]


class SlurmResolver:
    """Jobs of the cluster that this node belongs to."""

    name = "slurm"

    def __init__(self, scontrol: Path, owner: Literal["account", "user"] = "account") -> None:
        self._scontrol, self._owner = scontrol, owner

    def find(self, place: Place) -> Answer | None:
        """Owner: the job's account, or its user; workload: the job id, also where the path has the SLUID."""
        if not isinstance(place, Job):
            return None
        body = self._show(place.name)
        if body is None:
            return None
        try:
            jobs = msgspec.json.decode(body, type=_Jobs).jobs
        except msgspec.DecodeError as error:
            raise NoAnswer("bad_answer", str(error)) from error
        job = next((each for each in jobs if not place.name.isdigit() or str(each.job_id) == place.name), None)
        if job is None:
            return None
        return owned("slurm", job.account if self._owner == "account" else job.user_name, str(job.job_id))

    def _show(self, name: str) -> bytes | None:
        """What scontrol writes of a job; ``None`` where the controller has forgotten it, or never had it."""
        # Files, not pipes: a child that scontrol leaves behind would hold a pipe open, and nothing fills one.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            try:
                status = _run([str(self._scontrol), "show", "job", name, "--json"], output.fileno(), errors.fileno())
            except PermissionError as error:
                raise NoAnswer("not_permitted", str(error)) from error
            except OSError as error:
                raise NoAnswer("unreachable", str(error)) from error
            output.seek(0)
            errors.seek(0)
            body, said = output.read(BYTES_MAX + 1), errors.read(1000)
        if _UNKNOWN_JOB in said:
            return None
        if status != 0 or len(body) > BYTES_MAX:
            raise NoAnswer("bad_answer", f"exit status {status}: {said.decode(errors='replace').strip()}")
        return body


def _run(command: list[str], output: int, errors: int) -> int:
    """Run it in a session of its own, so that nothing of it outlives the time it has."""
    environment = {**os.environ, "LC_ALL": "C"}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=environment, start_new_session=True
    ) as process:
        try:
            return process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, signal.SIGKILL)
            raise NoAnswer("timeout", f"no answer in {TIMEOUT_S} s") from error
