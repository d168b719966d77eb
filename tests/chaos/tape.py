"""The time of a metered node: a file that moves on by one sample when one has been taken.

Real processes are killed in real time, but the node's time is this tape: it stands still while the agent is dead and
while it works, so that every sample falls exactly on its due time and the truth of a scenario is exact to the
millisecond, wherever a kill strikes. The test grants time by moving the limit; it may also let time pass while the
agent is dead (``skip``), which the agent must then bridge. SIGKILL loses no page cache, so nothing is flushed here.
"""

from __future__ import annotations

from pathlib import Path

BOOTED_MS = 86_400_000
"""How long the node had been up when the tape began."""


class Tape:
    """A Clock on a folder. One process reads it as its clock; another moves the limit."""

    def __init__(self, folder: Path) -> None:
        self._at, self._limit, self._booted, self._rested = (
            folder / name for name in ("tape", "tape-limit", "tape-booted", "tape-rested")
        )

    def begin(self, at_ms: int) -> None:
        self._at.parent.mkdir(parents=True, exist_ok=True)
        for path in (self._at, self._limit):
            _write(path, at_ms)
        _write(self._booted, at_ms - BOOTED_MS)
        _write(self._rested, 0)

    def now_ms(self) -> int:
        return int(self._at.read_text())

    def monotonic_ms(self) -> int:
        return self.now_ms() - int(self._booted.read_text())

    def sleep_ms(self, duration_ms: int) -> None:
        self.skip(duration_ms)

    @property
    def limit_ms(self) -> int:
        return int(self._limit.read_text())

    def grant(self, until_ms: int) -> None:
        """Let the node's time run up to here."""
        _write(self._limit, until_ms)

    def rest(self) -> None:
        """The sample of this time is taken and spooled, and time may not move on."""
        if self.rested_ms != (at_ms := self.now_ms()):
            _write(self._rested, at_ms)

    @property
    def rested_ms(self) -> int:
        return int(self._rested.read_text())

    def skip(self, duration_ms: int) -> None:
        """Let time pass."""
        _write(self._at, self.now_ms() + duration_ms)


def _write(path: Path, value: int) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(str(value))
    fresh.replace(path)
