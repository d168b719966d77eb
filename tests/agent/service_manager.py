"""A service manager that hears what an agent says of itself, as systemd does: on a datagram socket."""

from __future__ import annotations

import socket

from tests.services.waiting import PATIENCE_S


class Manager:
    """Hears datagrams at an address."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(PATIENCE_S)
        self.environment = {"NOTIFY_SOCKET": address}

    def hears(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())

    def hears_of_samples(self, count: int) -> None:
        """Wait until the agent has said that it is ready, and then what it saw in so many samples."""
        while "READY" not in self.hears():
            continue
        for _ in range(count):
            while "STATUS" not in self.hears():
                continue
