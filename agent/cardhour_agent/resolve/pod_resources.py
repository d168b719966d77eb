"""The kubelet's own word on which container has which devices: its pod-resources service, v1 ``List``.

Owns the question, and reading the few fields of the answer that matter. Does not own what an assignment means
(``assigned``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cardhour_agent.resolve.answer import NoAnswer
from cardhour_agent.resolve.grpc_door import call_unix

LIST = "/v1.PodResourcesLister/List"

POD_RESOURCES = 1
POD_NAME, POD_NAMESPACE, POD_CONTAINERS = 1, 2, 3
CONTAINER_NAME, CONTAINER_DEVICES, CONTAINER_DYNAMIC = 1, 2, 5
RESOURCE_NAME, DEVICE_IDS = 1, 2
CLAIM_RESOURCES = 4
DRIVER_NAME, POOL_NAME, DEVICE_NAME = 2, 3, 4
"""Field numbers of the messages of ``k8s.io/kubelet/pkg/apis/podresources/v1``."""

VARINT, FIXED_64, LENGTH_DELIMITED, FIXED_32 = 0, 1, 2, 5
"""Wire types of protocol buffers."""


class DeviceOf(NamedTuple):
    """One device that a container was given."""

    namespace: str
    pod: str
    container: str
    resource: str
    """As device plugins call it; of a claim (dynamic resource allocation), the driver's name."""
    device_id: str
    """As the plugin, or the driver, calls it."""
    pool: str = ""
    """Of a claim: in which the driver's name of it is unique."""


def list_devices(socket: Path) -> list[DeviceOf]:
    """Every device that some container of this node has. Raises NoAnswer."""
    try:
        return list(_devices(call_unix(socket, LIST, b"")))
    except (IndexError, ValueError) as error:  # also text that is not UTF-8
        raise NoAnswer("bad_answer", f"{socket}: not a list of pod resources: {error}") from error


def _devices(answer: bytes) -> Iterator[DeviceOf]:
    for pod in _of(answer, POD_RESOURCES):
        namespace, name = _text(pod, POD_NAMESPACE), _text(pod, POD_NAME)
        for container in _of(pod, POD_CONTAINERS):
            for devices in _of(container, CONTAINER_DEVICES):
                resource = _text(devices, RESOURCE_NAME)
                for each in _of(devices, DEVICE_IDS):
                    yield DeviceOf(namespace, name, _text(container, CONTAINER_NAME), resource, each.decode())
            for claim in _of(container, CONTAINER_DYNAMIC):
                for each in _of(claim, CLAIM_RESOURCES):
                    driver, pool, device = (_text(each, number) for number in (DRIVER_NAME, POOL_NAME, DEVICE_NAME))
                    yield DeviceOf(namespace, name, _text(container, CONTAINER_NAME), driver, device, pool)


def _text(message: bytes, number: int) -> str:
    return next((each.decode() for each in _of(message, number)), "")


def _of(message: bytes, number: int) -> Iterator[bytes]:
    """The values of a field with a length: text, or a message. Fields of other numbers are passed over."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == LENGTH_DELIMITED:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("a field is longer than its message")
            if tag >> 3 == number:
                yield message[at : at + length]
            at += length
        elif kind == VARINT:
            _, at = _varint(message, at)
        elif kind in (FIXED_32, FIXED_64):
            at += 4 if kind == FIXED_32 else 8
        else:
            raise ValueError(f"wire type {kind}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
