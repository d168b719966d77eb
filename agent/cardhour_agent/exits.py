"""When processes end: pidfds, so that an exit has a time of its own between two samples.

Owns the pidfds. Does not own what an exit proves (``track`` does). A pidfd becomes readable when its process ends, and
never means another process, even when the pid is used again.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterable, Mapping

from cardhour_agent import descriptors
from cardhour_contract.clock import Clock


class Exits:
    """Watches processes, and notes the monotonic time at which ``wait`` saw each end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._poll = select.poll()
        self._key_of: dict[int, int] = {}
        """Process key by pidfd."""
        self._fd_of: dict[int, int] = {}
        """pidfd by process key."""
        self._ended_ms: dict[int, int] = {}
        self._watched_max = descriptors.processes()
        """Others end at the last sample that saw them."""
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._poll.register(self._wake, select.POLLIN)

    def watch(self, wanted: Mapping[int, int]) -> None:
        """Watch exactly these processes (key by pid). One that is already gone is noted as ended now."""
        keys = set(wanted.values())
        for key in self._fd_of.keys() - keys:
            self._drop(self._fd_of[key])
        for pid, key in wanted.items():
            if key in self._fd_of or len(self._fd_of) >= self._watched_max:
                continue
            try:
                fd = os.pidfd_open(pid)
            except ProcessLookupError:
                self._ended_ms.setdefault(key, self._clock.monotonic_ms())
            except OSError:
                # No pidfds here (an old kernel, a filter) or no descriptors left: exits are then samples' business.
                return
            else:
                self._key_of[fd], self._fd_of[key] = key, fd
                self._poll.register(fd, select.POLLIN)

    def wait(self, duration_ms: int) -> None:
        """Wait, noting exits as they happen; returns early when woken."""
        due_ms = self._clock.monotonic_ms() + duration_ms
        while (left_ms := due_ms - self._clock.monotonic_ms()) > 0:
            ready = {fd for fd, _ in self._poll.poll(left_ms)}
            self._note(ready - {self._wake})
            if self._wake in ready:
                os.read(self._wake, 4096)
                return

    def wait_for(self, descriptor: int, duration_ms: int) -> bool:
        """Wait until a descriptor can be read, noting exits as they happen; false when time is up, or when woken."""
        due_ms = self._clock.monotonic_ms() + duration_ms
        self._poll.register(descriptor, select.POLLIN)
        try:
            while (left_ms := due_ms - self._clock.monotonic_ms()) > 0:
                ready = {fd for fd, _ in self._poll.poll(left_ms)}
                self._note(ready - {descriptor, self._wake})
                if descriptor in ready or self._wake in ready:
                    return descriptor in ready
            return False
        finally:
            self._poll.unregister(descriptor)

    def wake(self) -> None:
        """End a ``wait`` from a signal handler or another thread."""
        try:
            os.write(self._waker, b"w")
        except BlockingIOError:
            return  # the pipe is full of wake-ups already

    def take(self) -> dict[int, int]:
        """Ends noted since the last call: monotonic ms by process key."""
        ended, self._ended_ms = self._ended_ms, {}
        return ended

    def close(self) -> None:
        for fd in (*self._key_of, self._wake, self._waker):
            os.close(fd)
        self._key_of.clear()
        self._fd_of.clear()

    def _note(self, ended: Iterable[int]) -> None:
        """These pidfds can be read: their processes have ended just now."""
        for fd in ended:
            self._ended_ms[self._key_of[fd]] = self._clock.monotonic_ms()
            self._drop(fd)

    def _drop(self, fd: int) -> None:
        self._poll.unregister(fd)
        del self._fd_of[self._key_of.pop(fd)]
        os.close(fd)
