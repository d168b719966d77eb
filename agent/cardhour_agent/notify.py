"""Telling systemd how the agent is: ready, alive, stopping.

Owns the datagrams of sd_notify(3), and when one is due. Does not own what they say. Without systemd (or with a unit of
another type) nothing is sent.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import structlog

_log = structlog.get_logger("cardhour.notify")


class Notify:
    """The service manager that started this process, if one asked to be told."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # An address that begins with @ is in the abstract namespace.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        # Both are set by systemd; another pid means that the keep-alives are another process's business.
        mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        within_us = environ.get("WATCHDOG_USEC", "")
        self.every_ms = int(within_us) // 2000 if mine and within_us.isdigit() else None
        """How often ``alive`` is due: half of the time after which systemd restarts a silent service."""

    def ready(self, status: str) -> None:
        """Once, when work has begun."""
        self._send("READY=1", f"STATUS={status}")

    def alive(self, status: str = "") -> None:
        """The sampling loop goes round."""
        self._send(*(["WATCHDOG=1"] if self.every_ms is not None else []), *([f"STATUS={status}"] if status else []))

    def reloading(self, monotonic_ms: int) -> None:
        """Settings are read again; ``ready`` follows."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={monotonic_ms * 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if not self._address or not lines:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.connect(self._address)
                sender.send("\n".join(lines).encode())
        except OSError as error:
            # Metering goes on: if the manager really hears nothing, it restarts the agent, which bridges the gap.
            _log.warning("the service manager could not be told", error=str(error))
