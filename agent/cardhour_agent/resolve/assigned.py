"""Assignments: which card is given to whom, where being assigned is what makes a card held.

Owns turning a kubelet's devices, and a Slurm prolog's notes, into cards with owners and shares. Does not own when they
are asked (``allocations``), nor what two sightings of one prove (``track``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from cardhour_agent.procfs import PROC, cards_by_minor
from cardhour_agent.resolve.answer import Answer, NoAnswer, owned
from cardhour_agent.resolve.kubernetes import KubernetesResolver
from cardhour_agent.resolve.pod_resources import DeviceOf, list_devices
from cardhour_agent.resolve.slices import Claimed, Slices
from cardhour_contract.record import SHARE_WHOLE

HAMI_DEVICES = "hami.io/vgpu-devices-allocated"
"""Where HAMi writes which cards a pod's containers have: what the kubelet was told then are stand-ins."""

DRA_DRIVER = "gpu.nvidia.com"
"""NVIDIA's driver for dynamic resource allocation. It calls a GPU by the number of its device file, ``gpu-0``, and an
instance by its place in the GPU, which only its slices (``slices``) put a UUID to."""

_DRA = re.compile(r"gpu-(\d+)")

_REPLICA, _HAMI = re.compile(r"(.+)::\d+"), re.compile(r"(.+)-\d{1,3}")
"""How device plugins number several of one card: NVIDIA's for MPS and time-slicing, and HAMi's."""


class Assigned(Struct, frozen=True, kw_only=True):
    """A card, or a share of it, that is given to a workload."""

    card: str
    answer: Answer
    name: str
    """Of what it is given to, unique on the node for as long as it exists."""


class Assigner(Protocol):
    """Somebody who assigns cards on this node."""

    @property
    def name(self) -> str:
        """As settings write it, such as ``kubernetes``."""
        ...

    def find(self, cards: frozenset[str]) -> list[Assigned]:
        """Every assignment of these cards, now. Takes limited time. Raises NoAnswer."""
        ...


class PodAssigner:
    """Containers of this node's pods."""

    name = "kubernetes"

    def __init__(
        self,
        socket: Path,
        pods: KubernetesResolver,
        replicas: Mapping[str, int],
        slices: Slices | None = None,
        proc: Path = PROC,
    ) -> None:
        """Without ``slices``, of NVIDIA's claims the whole GPUs are known, by their device files."""
        self._socket, self._pods, self._replicas = socket, pods, replicas
        self._slices, self._proc = slices, proc

    def find(self, cards: frozenset[str]) -> list[Assigned]:
        if not self._socket.parent.is_dir():
            return []  # no kubelet on this node; where there is one, a missing socket is a kubelet that restarts
        counts: Counter[tuple[str, str, str, str]] = Counter()
        hami: set[tuple[str, str]] = set()
        devices = list_devices(self._socket)
        claimed = self._claimed(devices, cards)
        for device in devices:
            card = claimed.get(_claim(device)) or _card_of(device.device_id, cards)
            if card is not None:
                counts[device.namespace, device.pod, card, device.resource] += 1
            elif _one_of(_HAMI, device.device_id, cards) is not None:
                hami.add((device.namespace, device.pod))
        shares: Counter[tuple[str, str, str]] = Counter()
        for (namespace, pod, card, resource), count in counts.items():
            shares[namespace, pod, card] += self._share(resource, count)
        for namespace, pod in hami:
            for card, share in self._of_hami(namespace, pod):
                if card in cards:
                    shares[namespace, pod, card] += share
        return [self._assigned(*each, share) for each, share in shares.items()]

    def _claimed(self, devices: Iterable[DeviceOf], cards: frozenset[str]) -> dict[Claimed, str]:
        """The cards that claims name."""
        claims = frozenset(_claim(each) for each in devices if each.pool)
        if self._slices is not None:
            return self._slices.cards_of(claims, cards)
        numbered = {
            each: match[1] for each in claims if each.driver == DRA_DRIVER and (match := _DRA.fullmatch(each.device))
        }
        by_minor = cards_by_minor(self._proc) if numbered else {}
        return {each: by_minor[minor] for each, minor in numbered.items() if by_minor.get(minor) in cards}

    def _assigned(self, namespace: str, pod: str, card: str, share: int) -> Assigned:
        """The containers of a pod are one workload: what they have of a card adds up."""
        answer = owned("k8s", self._pods.owner_of(namespace, pod), pod, min(SHARE_WHOLE, share))
        return Assigned(card=card, answer=answer, name=f"k8s/{namespace}/{pod}")

    def _share(self, resource: str, count: int) -> int:
        """Of one card: undivided cards are whole, of a divided one each replica is its part."""
        replicas = self._replicas.get(resource)
        return max(1, count * SHARE_WHOLE // replicas) if replicas else SHARE_WHOLE

    def _of_hami(self, namespace: str, pod: str) -> Iterator[tuple[str, int]]:
        """From the pod's annotation: for each of its containers the cards, with the part of their cores."""
        told = self._pods.annotation_of(namespace, pod, HAMI_DEVICES)
        if told is None:
            raise NoAnswer("bad_answer", f"pod {namespace}/{pod} has a device of HAMi and no annotation {HAMI_DEVICES}")
        for device in filter(None, re.split("[:;]", told)):
            card, percent = _hami_device(device)
            yield card, percent * SHARE_WHOLE // 100 if 0 < percent <= 100 else SHARE_WHOLE


class SlurmNote(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the prolog notes of a job on this node (``cardhour-agent slurm prolog``)."""

    job: str
    account: str = ""
    user: str = ""
    cards: tuple[str, ...]


class JobAssigner:
    """Slurm jobs of this node, from the notes that its prolog leaves and its epilog takes away."""

    name = "slurm"

    def __init__(self, folder: Path, owner: str) -> None:
        self._folder, self._owner = folder, owner

    def find(self, cards: frozenset[str]) -> list[Assigned]:
        found = []
        for path in self._notes():
            try:
                note = msgspec.json.decode(path.read_bytes(), type=SlurmNote)
            except FileNotFoundError:
                continue  # the epilog was quicker
            except (OSError, msgspec.MsgspecError) as error:
                raise NoAnswer("bad_answer", f"{path}: {error}") from error
            answer = owned("slurm", note.account if self._owner == "account" else note.user, note.job)
            found += [
                Assigned(card=card, answer=answer, name=f"slurm/{note.job}") for card in note.cards if card in cards
            ]
        return found

    def _notes(self) -> Iterable[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if path.suffix == ".json")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise NoAnswer("not_permitted", f"{self._folder}: {error}") from error


def _claim(device: DeviceOf) -> Claimed:
    return Claimed(device.resource, device.pool, device.device_id)


def _card_of(device_id: str, cards: frozenset[str]) -> str | None:
    return device_id if device_id in cards else _one_of(_REPLICA, device_id, cards)


def _one_of(pattern: re.Pattern[str], device_id: str, cards: frozenset[str]) -> str | None:
    match = pattern.fullmatch(device_id)
    return match[1] if match and match[1] in cards else None


def _hami_device(text: str) -> tuple[str, int]:
    """``uuid,type,MiB,percent``; 0 percent is no limit."""
    fields = text.split(",")
    if len(fields) < 4 or not fields[3].isdecimal():
        raise NoAnswer("bad_answer", f"'{text[:80]}' is not a device as HAMi writes it")
    return fields[0], int(fields[3])
