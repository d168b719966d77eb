"""A kubelet's pod-resources service: a real gRPC server on a Unix socket, which says what it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc

SERVICE = "v1.PodResourcesLister"


def field(number: int, value: bytes | str) -> bytes:
    """A field with a length, in protocol buffers' encoding."""
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def number_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def pod(namespace: str, name: str, *containers: bytes) -> bytes:
    """A PodResources, as an element of the answer; with a field of a newer kubelet."""
    return field(
        1, field(1, name) + field(2, namespace) + b"".join(field(3, each) for each in containers) + field(9, "?")
    )


def container(name: str, resource: str, *device_ids: str) -> bytes:
    """A ContainerResources with CPUs, and devices that stand on a NUMA node."""
    topology = field(3, field(1, number_field(1, 300)))
    devices = field(1, resource) + b"".join(field(2, each) for each in device_ids) + topology
    return field(1, name) + field(2, devices) + number_field(3, 2**40)


def claiming(name: str, driver: str, *devices: str) -> bytes:
    """A ContainerResources with a DynamicResource: a claim, with a CDI device and a pool beside what is read."""
    resources = (
        field(4, field(1, field(1, "cdi")) + field(2, driver) + field(3, "node-1") + field(4, each)) for each in devices
    )
    return field(1, name) + field(5, field(2, "claim-1") + field(3, "team-a") + b"".join(resources))


class Kubelet:
    """What the service answers, and how often it was asked."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.answer = b""
        self.code: grpc.StatusCode | None = None
        self.calls = 0

    def list(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.calls += 1
        if self.code is not None:
            context.abort(self.code, "as it was told to")
        return self.answer


@contextmanager
def running_kubelet(socket: Path) -> Iterator[Kubelet]:
    """The service, on ``socket``, until the block ends."""
    socket.parent.mkdir(parents=True, exist_ok=True)
    kubelet = Kubelet(socket)
    handler = grpc.method_handlers_generic_handler(SERVICE, {"List": grpc.unary_unary_rpc_method_handler(kubelet.list)})
    with ThreadPoolExecutor(2) as workers:
        server = grpc.server(workers)
        server.add_generic_rpc_handlers((handler,))
        server.add_insecure_port(f"unix:{socket}")
        server.start()
        try:
            yield kubelet
        finally:
            server.stop(None).wait()


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))
