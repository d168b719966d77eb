"""What kafka-python forgets is closed: sockets of connections refused, or closed with something still to be sent.

It leaves them to the garbage collector, and a forgotten socket fails whatever test runs when it is found. Ours still
do.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

from kafka.net.inet import KafkaNetSocket
from kafka.net.transport import KafkaSSLTransport


class _ForgottenSocket(socket.socket):
    """A socket that goes without a warning."""

    def __del__(self) -> None:
        self.close()


class _ForgottenTlsSocket(ssl.SSLSocket):
    """The same, over TLS."""

    def __del__(self) -> None:
        self.close()


def close_forgotten_sockets() -> None:
    """Let the client of Kafka have sockets that close themselves, in this process and from now on."""
    context_of = KafkaSSLTransport._build_ssl_context

    def forgotten(client: KafkaNetSocket, *address: int) -> socket.socket:
        return _ForgottenSocket(*address)

    def context(config: dict[str, Any]) -> ssl.SSLContext:
        made: ssl.SSLContext = context_of(config)
        made.sslsocket_class = _ForgottenTlsSocket
        return made

    KafkaNetSocket.socket = forgotten
    KafkaSSLTransport._build_ssl_context = staticmethod(context)
