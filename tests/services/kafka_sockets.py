"""What kafka-python forgets is closed: sockets of connections refused, or closed with something still to be sent.

It leaves them to the garbage collector, and a forgotten socket fails whatever test runs when it is found. Ours still
do.
"""

from __future__ import annotations

import socket

from kafka.net.inet import KafkaNetSocket


class _ForgottenSocket(socket.socket):
    """A socket that goes without a warning."""

    def __del__(self) -> None:
        self.close()


def close_forgotten_sockets() -> None:
    """Let the client of Kafka have sockets that close themselves, in this process and from now on."""

    def forgotten(client: KafkaNetSocket, *address: int) -> socket.socket:
        return _ForgottenSocket(*address)

    KafkaNetSocket.socket = forgotten
