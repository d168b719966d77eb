"""The NVML child: a process of its own for the driver to hang, or to crash.

Owns serving readings over two pipes, and its own end: when the agent's end of the pipe closes, or when the agent's
thread that started it is gone (then the kernel kills it, also in the middle of a call into the driver). Does not own
how long anyone waits for it (``watched``).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

import msgspec

from cardhour_agent import logs
from cardhour_agent.nvml.device import NvmlDevice
from cardhour_agent.nvml.modes import inspect
from cardhour_agent.nvml.talk import Incoming, Reply, Request, framed, write_all

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that the kernel sends when the parent is gone."""


def main() -> None:
    """Arguments: the agent's pid, the descriptor of requests, the descriptor of replies."""
    agent, requests, replies = (int(each) for each in sys.argv[1:4])
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != agent:
        return  # it was gone before the kernel was asked to watch it
    # Ctrl-C reaches the whole terminal; the agent decides when its last reading is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.configure()
    serve(NvmlDevice(), requests, replies)


def serve(device: NvmlDevice, requests: int, replies: int) -> None:
    """Answer until the other side is gone."""
    incoming = Incoming(requests)
    try:
        while True:
            body = incoming.take()
            if body is not None:
                request = msgspec.msgpack.decode(body, type=Request)
                write_all(replies, framed(_answer(device, request)))
    except (EOFError, BrokenPipeError):
        device.close()


def _answer(device: NvmlDevice, request: Request) -> Reply:
    if request.what == "inspect":
        return Reply(sequence=request.sequence, inspection=inspect())
    return Reply(sequence=request.sequence, reading=device.read())


if __name__ == "__main__":
    main()
