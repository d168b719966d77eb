"""Ports of 127.0.0.1 for processes that must be told theirs before they start.

A port is found, let go and then opened by the process: another may take it in between, so whoever starts the process
tries again with others. These come from below the range that the kernel gives away by itself, to listeners that ask for
any port and to every connection: what is free here stays free, also while a server is dead and to be started again.
"""

from __future__ import annotations

import secrets
import socket
from contextlib import ExitStack

FIRST, COUNT = 12_000, 18_000

TRIES = 3
"""Starts with ports of their own, before a process is said not to start at all."""


def free_ports(*names: str) -> dict[str, int]:
    """A port for each name; they differ."""
    with ExitStack() as held:
        return {name: _free(held) for name in names}


def free_port() -> int:
    return free_ports("port")["port"]


def _free(held: ExitStack) -> int:
    """One that nobody has, kept until ``held`` is closed."""
    while True:
        one, port = held.enter_context(socket.socket()), FIRST + secrets.randbelow(COUNT)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port
