"""What the next run of the agent must know: kept in one small file beside the spool.

Owns the file. Does not own what is in it (``sampler.LastSeen``) or what may be bridged with it. The file is replaced
whole, after a flush to disk: a crash leaves the old one or the new one.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from cardhour_agent.sampler import LastSeen
from cardhour_agent.timeline import STEP_MS, Tick

_log = structlog.get_logger("cardhour.last_seen")


class _Kept(Struct, frozen=True, kw_only=True):
    boot_id: str
    offset_ms: int
    """Anchored time minus monotonic time when this was written."""
    seen: LastSeen


class LastSeenFile:
    """The file ``<spool>.last-seen``."""

    def __init__(self, spool: Path, boot_id: str) -> None:
        self._path = spool.with_name(spool.name + ".last-seen")
        self._boot_id = boot_id

    def read(self, now: Tick) -> LastSeen:
        """What an earlier run left, so far as it still holds; nothing where there is no usable file.

        Holds are of use only within one boot and one time axis: after a reboot no process is the same, and after a
        step of the wall clock the gap's length would be wrong. Open faults hold on.
        """
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return LastSeen()
        except msgspec.MsgspecError as error:
            _log.warning("the file is not usable; nothing is bridged", path=str(self._path), error=str(error))
            return LastSeen()
        stepped_ms = abs((now.at_ms - now.monotonic_ms) - kept.offset_ms)
        if kept.boot_id != self._boot_id or stepped_ms > STEP_MS:
            return LastSeen(faults=kept.seen.faults)
        return kept.seen

    def write(self, seen: LastSeen, now: Tick) -> None:
        """Durable on return."""
        kept = _Kept(boot_id=self._boot_id, offset_ms=now.at_ms - now.monotonic_ms, seen=seen)
        fresh = self._path.with_name(self._path.name + ".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(kept))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
