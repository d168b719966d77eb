"""A Slurm prolog's note of which cards a job has on this node, and the epilog that takes it away.

Owns writing and removing it. Does not own reading it (``resolve.assigned``). The prolog is the one place where Slurm
says which devices a job was given before any process of the job runs; it numbers them as their device files are,
which is not the driver's order, so that the kernel's own list says which card each is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from cardhour_agent.procfs import PROC, cards_by_minor
from cardhour_agent.resolve.assigned import SlurmNote
from cardhour_contract.errors import Refuse


def note(folder: Path, environ: Mapping[str, str], proc: Path = PROC) -> SlurmNote | None:
    """Write the note of the job that ``environ`` tells of; None where it has no card here. Raises Refuse."""
    job = _job(environ)
    listed = environ.get("SLURM_JOB_GPUS", "")
    if not listed:
        return None
    cards = cards_by_minor(proc)
    minors = [each.strip() for each in listed.split(",")]
    strange = [each for each in minors if each not in cards]
    if strange:
        raise Refuse(
            f"SLURM_JOB_GPUS of job {job} names {', '.join(strange)}, and the driver's list has"
            f" {', '.join(cards) or 'none'}: only whole GPUs, by the number of their /dev/nvidia file, can be noted"
        )
    found = SlurmNote(
        job=job,
        account=environ.get("SLURM_JOB_ACCOUNT", ""),
        user=environ.get("SLURM_JOB_USER", ""),
        cards=tuple(cards[each] for each in minors),
    )
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    partial = folder / f"{job}.partial"
    partial.write_bytes(msgspec.json.encode(found))
    partial.replace(_path(folder, job))
    return found


def forget(folder: Path, environ: Mapping[str, str]) -> bool:
    """Remove the job's note; whether there was one. Raises Refuse."""
    path = _path(folder, _job(environ))
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _job(environ: Mapping[str, str]) -> str:
    job = environ.get("SLURM_JOB_ID", "")
    if not job.isdecimal():
        raise Refuse("SLURM_JOB_ID is not set: this command is for Slurm's Prolog= and Epilog= scripts on a node")
    return job


def _path(folder: Path, job: str) -> Path:
    return folder / f"{job}.json"
