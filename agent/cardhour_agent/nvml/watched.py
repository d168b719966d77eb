"""Readings through a child process under a watchdog: a wedged driver cannot hang the node's metering.

Owns the child's life: its start, how long it is waited for, its end, and the pause before the next. Does not own what
it reads (``device``), and does not import ``pynvml``. A call into a wedged driver cannot be interrupted from within its
process; from outside, even SIGKILL may take no effect until the driver lets go (state D). So nothing here waits for a
process to end, and what is not answered in time is a failed reading: unobserved time with a reason, never a zero.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Literal

import msgspec
import structlog

from cardhour_agent.device import Failure, Inspection, NodeReading
from cardhour_agent.nvml.talk import Incoming, NotOurs, Reply, Request, framed, write_all
from cardhour_contract.clock import Clock

CHILD = "cardhour_agent.nvml.child"

HUNG = "nvml_hung"
CRASHED = "nvml_crashed"
DRIVER_REPLACED = "driver_replaced"

PATIENCE = 6
"""After so many timeouts without an answer a child is killed and replaced. Not after one: a reset of another GPU can
hold up the driver for seconds, and killing a process inside the driver has wedged GPUs itself (Xid 119, 120)."""

BACK_OFF_MS_MAX = 300_000
"""The longest pause before a new child: a driver that was mended is metered again within five minutes."""

STEADY_MS = 60_000
"""A child that answers for so long has ended the back-off; one that answers once and dies again has not."""

UNENDED_MAX = 4
"""Killed children that have not ended. Each is stuck in the driver and holds memory; more would mend nothing."""

STOP_S = 1.0
"""How long a stop waits for the child to shut NVML down by itself."""

CRASH_S = 0.2
"""How long the end of a child is waited for that hung up (its exit code tells what killed it) or that was killed."""

What = Literal["read", "inspect"]

Ready = Callable[[int, int], bool]
"""Waits until a descriptor can be read, at most so many ms; may return early."""

_log = structlog.get_logger("cardhour.nvml")


def poll_readable(descriptor: int, duration_ms: int) -> bool:
    """Wait for one descriptor and nothing else."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(duration_ms))


class _Child:
    """One process, and what was asked of it."""

    def __init__(self, now_ms: int) -> None:
        theirs_in, self._requests = os.pipe()
        self.replies, theirs_out = os.pipe()
        try:
            # -P: no module is imported from the folder that the agent happens to run in.
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", CHILD, str(os.getpid()), str(theirs_in), str(theirs_out)],
                pass_fds=(theirs_in, theirs_out),
                stdin=subprocess.DEVNULL,
            )
        except OSError:
            self.hang_up()
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self.incoming = Incoming(self.replies)
        self.started_ms = now_ms
        self.asked_ms = 0
        self.open_sequence: int | None = None
        """The request that has no answer yet."""

    def ask(self, sequence: int, what: What, now_ms: int) -> None:
        write_all(self._requests, framed(Request(sequence=sequence, what=what)))
        self.open_sequence, self.asked_ms = sequence, now_ms

    def hang_up(self) -> None:
        os.close(self._requests)
        os.close(self.replies)


class WatchedNvml:
    """This machine's GPUs. Use on one thread: when that thread ends, the kernel ends the child."""

    def __init__(self, clock: Clock, timeout_ms: int, ready: Ready = poll_readable) -> None:
        self._clock = clock
        self._timeout_ms = timeout_ms
        self._ready = ready
        self._child: _Child | None = None
        self._sequence = 0
        self._failures = 0
        self._reason = ""
        self._start_due_ms = clock.monotonic_ms()
        self._answered = False
        self.starts = 0
        """Children started so far; all but the first are restarts."""
        self.unended: list[subprocess.Popen[bytes]] = []
        """Children that were killed and have not ended yet."""

    def read(self) -> NodeReading:
        reply = self._ask("read")
        if isinstance(reply, Failure):
            return NodeReading(failure=reply)
        reading = reply.reading or NodeReading(failure=Failure(reason=CRASHED, detail="it answered something else"))
        if self._child is not None and _driver_replaced(reading):
            # The library in that process belongs to the driver that is gone; it stays loaded until the process ends.
            self._give_up(self._child, DRIVER_REPLACED)
        return reading

    def inspect(self) -> Inspection:
        """How the driver is set up."""
        reply = self._ask("inspect")
        if isinstance(reply, Failure):
            return Inspection(failure=reply)
        return reply.inspection or Inspection(failure=Failure(reason=CRASHED, detail="it answered something else"))

    def _ask(self, what: What) -> Reply | Failure:
        self.unended = [each for each in self.unended if each.poll() is None]
        child = self._child or self._start()
        if isinstance(child, Failure):
            return child
        try:
            reply = self._answer(child, what)
        except (EOFError, BrokenPipeError, NotOurs, msgspec.MsgspecError) as error:
            return self._crashed(child, error)
        now_ms = self._clock.monotonic_ms()
        if reply is None:
            waited_ms = now_ms - child.asked_ms
            if waited_ms >= PATIENCE * self._timeout_ms:
                self._give_up(child, HUNG)
            return Failure(reason=HUNG, detail=f"the driver has not answered for {waited_ms} ms")
        self._answered = True
        if now_ms - child.started_ms >= STEADY_MS:
            self._failures = 0
        return reply

    def close(self) -> None:
        """End the child; one that is stuck in the driver is left to the kernel."""
        child, self._child = self._child, None
        if child is not None:
            child.hang_up()
            if not _ends_within(child.process, STOP_S):
                child.process.kill()
                self.unended.append(child.process)
        self.unended = [each for each in self.unended if not _ends_within(each, CRASH_S)]

    def _start(self) -> _Child | Failure:
        """A new child, or why there is none."""
        now_ms = self._clock.monotonic_ms()
        if now_ms < self._start_due_ms:
            return Failure(reason=self._reason, detail=f"the next attempt is in {self._start_due_ms - now_ms} ms")
        if len(self.unended) >= UNENDED_MAX:
            return Failure(reason=HUNG, detail=f"{len(self.unended)} killed processes are stuck in the driver")
        try:
            child = self._child = _Child(now_ms)
        except OSError as error:
            self._back_off(CRASHED, str(error))
            return Failure(reason=CRASHED, detail=f"no process can be started: {error}")
        self.starts += 1
        _log.info("nvml child started", pid=child.process.pid, starts=self.starts)
        return child

    def _answer(self, child: _Child, what: What) -> Reply | None:
        """The answer to a request of now; ``None`` where it does not come in time."""
        now_ms = self._clock.monotonic_ms()
        # Before the first answer of all nothing is metered that waiting could hold up, and a driver without
        # persistence mode takes seconds to wake its GPUs.
        due_ms = now_ms + self._timeout_ms * (1 if self._answered else PATIENCE)
        late = child.open_sequence
        if late is None:
            self._sequence += 1
            child.ask(self._sequence, what, now_ms)
        while (left_ms := due_ms - self._clock.monotonic_ms()) > 0 and self._ready(child.replies, left_ms):
            body = child.incoming.take()
            if body is None:
                continue
            reply = msgspec.msgpack.decode(body, type=Reply)
            if reply.sequence != late:
                child.open_sequence = None
                return reply
            # It tells of a time that is already told as failed: ask again.
            late = None
            self._sequence += 1
            child.ask(self._sequence, what, self._clock.monotonic_ms())
        return None

    def _crashed(self, child: _Child, error: Exception) -> Failure:
        detail = str(error)
        if isinstance(error, EOFError | BrokenPipeError):
            _ends_within(child.process, CRASH_S)
            status = child.process.returncode
            detail = "it hung up" if status is None else f"ended with exit code {status}"
            if status is not None and status < 0:
                detail = f"ended by {signal.Signals(-status).name}"
        self._give_up(child, CRASHED, detail)
        return Failure(reason=CRASHED, detail=detail)

    def _give_up(self, child: _Child, reason: str, detail: str = "") -> None:
        """Kill it, without waiting for its end; the next one starts after a pause."""
        child.hang_up()
        child.process.kill()
        self.unended.append(child.process)
        self._child = None
        self._back_off(reason, detail)

    def _back_off(self, reason: str, detail: str) -> None:
        pause_ms = min(1000 * 2**self._failures, BACK_OFF_MS_MAX)
        self._failures += 1
        self._reason = reason
        self._start_due_ms = self._clock.monotonic_ms() + pause_ms
        _log.warning("nvml child given up", reason=reason, detail=detail, retry_in_ms=pause_ms)


def _driver_replaced(reading: NodeReading) -> bool:
    failures = (reading.failure, *(each.failure for each in reading.readings))
    return any(each is not None and each.reason == DRIVER_REPLACED for each in failures)


def _ends_within(process: subprocess.Popen[bytes], wait_s: float) -> bool:
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        return False
    return True
