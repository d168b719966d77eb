"""Which card a claimed device is: the resource slices that device drivers publish (dynamic resource allocation).

Owns the question to the API server and its answer. Does not own which container has which device (``pod_resources``).

The kubelet tells a driver's names of devices, and those say little: NVIDIA's driver has called a GPU by its index, and
by the number of its device file, and an instance by its place in the GPU. Its slices tell each device's UUID.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import msgspec
from msgspec import Struct

from cardhour_agent.resolve.answer import NoAnswer
from cardhour_agent.resolve.kubernetes import KubernetesSettings, get_list
from cardhour_contract.clock import Clock

AGAIN_MS = 60_000
"""How often devices that no slice names are asked about: an API server has thousands of nodes."""

UUIDS = ("uuid", "gpu.nvidia.com/uuid")
"""The attribute; a driver's own attributes may be written with its name in front."""


class Claimed(NamedTuple):
    """A device as claims name it."""

    driver: str
    pool: str
    device: str


class _Attribute(Struct, frozen=True):
    string: str = ""


class _Basic(Struct, frozen=True):
    attributes: dict[str, _Attribute] = {}


class _Device(Struct, frozen=True):
    name: str
    attributes: dict[str, _Attribute] = {}
    basic: _Basic = _Basic()
    """Where the attributes are in v1beta1."""


class _Pool(Struct, frozen=True):
    name: str
    generation: int = 0


class _Spec(Struct, frozen=True):
    driver: str
    pool: _Pool
    devices: list[_Device] | None = None


class _Slice(Struct, frozen=True):
    spec: _Spec


class _SliceList(Struct, frozen=True):
    items: list[_Slice] | None = None


class Slices:
    """The slices of one node."""

    def __init__(self, settings: KubernetesSettings, clock: Clock) -> None:
        """``settings.url``: the API server's list, with a field selector for this node."""
        self._settings, self._clock = settings, clock
        self._uuids: dict[Claimed, str] = {}
        self._missed: frozenset[Claimed] = frozenset()
        """What the last list did not name, or named as a card that is not here."""
        self._asked_ms = 0

    def cards_of(self, claimed: frozenset[Claimed], cards: frozenset[str]) -> dict[Claimed, str]:
        """The card of each device that is one of ``cards``. Raises NoAnswer.

        Asked where a device is new, or its card is gone: an instance that is made again has another UUID.
        """
        missed = self._missing(claimed, cards)
        if missed - self._missed:
            self._refresh()
        elif missed and self._clock.monotonic_ms() - self._asked_ms >= AGAIN_MS:
            with suppress(NoAnswer):  # of devices that were no cards before: a network card, most likely
                self._refresh()
        self._missed = self._missing(claimed, cards)
        return {each: self._uuids[each] for each in claimed - self._missed}

    def _missing(self, claimed: frozenset[Claimed], cards: frozenset[str]) -> frozenset[Claimed]:
        return frozenset(each for each in claimed if self._uuids.get(each) not in cards)

    def _refresh(self) -> None:
        self._asked_ms = self._clock.monotonic_ms()
        self._uuids = self._list()

    def _list(self) -> dict[Claimed, str]:
        """UUID by device; of each pool its newest generation, since a driver replaces slices one after the other."""
        body = get_list(self._settings)
        try:
            specs = [each.spec for each in msgspec.json.decode(body, type=_SliceList).items or ()]
        except msgspec.DecodeError as error:
            raise NoAnswer("bad_answer", f"{self._settings.url}: {error}") from error
        newest: dict[tuple[str, str], int] = {}
        for spec in specs:
            pool = (spec.driver, spec.pool.name)
            newest[pool] = max(newest.get(pool, 0), spec.pool.generation)
        return {
            Claimed(spec.driver, spec.pool.name, device.name): uuid
            for spec in specs
            if spec.pool.generation == newest[spec.driver, spec.pool.name]
            for device in spec.devices or ()
            if (uuid := _uuid(device))
        }


def _uuid(device: _Device) -> str:
    told = device.attributes or device.basic.attributes
    return next((told[name].string for name in UUIDS if name in told), "")
