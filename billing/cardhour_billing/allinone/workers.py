"""Several processes that answer for one portal: a process of Python uses one core, whatever its threads.

Owns how many, the sockets that they share, and that they live and end together. Does not own answering (``serve``). A
worker's standard input is a pipe that its parent holds open: the end of it is the order to stop, also where the parent
was killed. Workers are started, not forked: a forked engine hangs.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from cardhour_billing import logs
from cardhour_billing.allinone.serve import Portal, settle
from cardhour_billing.config import WebSettings, load_config
from cardhour_contract.errors import Retry

PROCESSES_MAX = 4
"""As many as are started unasked: each takes some 100 MiB."""
STOP_S = 15
"""How long a worker may take to finish what it is answering."""
LOOK_S = 0.2
"""How often to look whether a worker has ended by itself."""


def wanted(web: WebSettings) -> int:
    """Processes that are to answer: as many as are set, or one for each core that this one may use."""
    return web.processes or min(len(os.sched_getaffinity(0)), PROCESSES_MAX)


def serve(count: int, sockets: Sequence[socket.socket], stop: threading.Event) -> None:
    """Answer on ``sockets`` until ``stop``. A worker that ends by itself stops the others: something is wrong."""
    with ExitStack() as parts:
        workers = [parts.enter_context(_worker(sockets)) for _ in range(count)]
        while not stop.wait(LOOK_S):
            ended = next((each for each in workers if each.poll() is not None), None)
            if ended is not None:
                raise Retry(
                    f"a process of the portal ended by itself, with exit code {ended.returncode}: "
                    "the portal has stopped; start it again, and see what was logged before this"
                )


@contextmanager
def _worker(sockets: Sequence[socket.socket]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that answers while the block runs."""
    descriptors = [each.fileno() for each in sockets]
    process = subprocess.Popen(
        [sys.executable, "-m", __spec__.name, *map(str, descriptors)],
        stdin=subprocess.PIPE,
        pass_fds=descriptors,
        start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its workers in order
    )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def work(descriptors: Sequence[int]) -> None:
    """What a worker does: answer on the sockets that it was handed, until its standard input ends."""
    stop = threading.Event()
    portal = Portal(load_config().web, [socket.socket(fileno=each) for each in descriptors])
    settle()
    threading.Thread(target=_until_told, args=(stop,), name="until told", daemon=True).start()
    portal.run(stop)


def _until_told(stop: threading.Event) -> None:
    sys.stdin.buffer.read()
    stop.set()


if __name__ == "__main__":
    logs.configure()
    work([int(each) for each in sys.argv[1:]])
