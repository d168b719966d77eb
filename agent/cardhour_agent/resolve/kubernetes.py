"""Kubernetes: whom a pod works for, from the list of this node's pods.

Owns the question to the kubelet (or, with a field selector in the URL, to the API server), its answer, and shares that
the cluster enforces. Does not own which pod a process is in (``cgroup``).

Namespaces are what a cluster gives its tenants; labels and annotations are written by whoever may create a pod, so that
they count only where settings name them.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from cardhour_agent.resolve.answer import Answer, NoAnswer, owned, share_of
from cardhour_agent.resolve.door import get_url
from cardhour_agent.resolve.place import Place, Pod
from cardhour_contract.clock import Clock
from cardhour_contract.record import SHARE_WHOLE

FRESH_MS = 1_000
"""A list this young answers for every pod: one question serves all pods that a sample asks about."""

CORE_PERCENT = "nvidia.com/gpucores"
"""HAMi's limit on a container's part of a card, in percent of its cores; the device plugin enforces it."""

_HASHES = ("kubernetes.io/config.hash", "kubernetes.io/config.mirror")
"""What a static pod's control group is named by, where the API server knows the pod by another uid."""


class KubernetesSettings(Struct, frozen=True, kw_only=True):
    """Where the list is, and what in it counts."""

    url: str
    token_file: Path | None = None
    ca_file: Path | None = None
    """``None`` = the system's authorities."""
    verify: bool = True
    owner_label: str = ""
    share_label: str = ""
    replicas: Mapping[str, int] = {}
    """Resources of which a card has several (MPS, time-slicing): how many."""


class _Metadata(Struct, frozen=True):
    name: str
    namespace: str
    uid: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _Resources(Struct, frozen=True):
    limits: dict[str, str | int] = {}


class _Container(Struct, frozen=True):
    name: str
    resources: _Resources = _Resources()


class _Spec(Struct, frozen=True, rename="camel"):
    containers: list[_Container] = []
    init_containers: list[_Container] = []


class _Started(Struct, frozen=True):
    name: str
    container_id: Annotated[str, Meta(description="runtime://id")] = field(default="", name="containerID")


class _Status(Struct, frozen=True, rename="camel"):
    container_statuses: list[_Started] = []
    init_container_statuses: list[_Started] = []
    ephemeral_container_statuses: list[_Started] = []


class _PodItem(Struct, frozen=True):
    """The part of a pod that is read."""

    metadata: _Metadata
    spec: _Spec = _Spec()
    status: _Status = _Status()


class _PodList(Struct, frozen=True):
    items: list[_PodItem] | None = None


class KubernetesResolver:
    """Pods of this node."""

    name = "kubernetes"

    def __init__(self, settings: KubernetesSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._pods: dict[str, _PodItem] = {}
        self._listed_ms: int | None = None

    def find(self, place: Place) -> Answer | None:
        """Owner: the namespace, or what the configured label says; workload: the pod's name."""
        if not isinstance(place, Pod):
            return None
        self._refresh()
        pod = self._pods.get(place.uid)
        if pod is None or (container := _container_of(pod, place.container_id)) is None:
            return None
        meta, settings = pod.metadata, self._settings
        owner = _marked(meta, settings.owner_label) or meta.namespace
        declared = _marked(meta, settings.share_label)
        share = self._limit(pod, container)
        if declared is not None:
            share = share_of(declared, f"pod {meta.namespace}/{meta.name}")
        return owned("k8s", owner, meta.name, share)

    def owner_of(self, namespace: str, name: str) -> str:
        """Who owns a pod that is known by its name: its namespace, unless a label says so. Raises NoAnswer."""
        label = self._settings.owner_label
        if not label:
            return namespace
        pod = self._named(namespace, name)
        return (pod and _marked(pod.metadata, label)) or namespace

    def annotation_of(self, namespace: str, name: str, annotation: str) -> str | None:
        """An annotation of such a pod. Raises NoAnswer."""
        pod = self._named(namespace, name)
        return pod.metadata.annotations.get(annotation) if pod else None

    def _named(self, namespace: str, name: str) -> _PodItem | None:
        self._refresh()
        wanted = (namespace, name)
        return next(
            (each for each in self._pods.values() if (each.metadata.namespace, each.metadata.name) == wanted), None
        )

    def _refresh(self) -> None:
        if self._listed_ms is None or self._clock.monotonic_ms() - self._listed_ms >= FRESH_MS:
            self._pods = self._list()
            self._listed_ms = self._clock.monotonic_ms()

    def _list(self) -> dict[str, _PodItem]:
        """The node's pods by every uid that a control group may have for them."""
        body = get_list(self._settings)
        try:
            items = msgspec.json.decode(body, type=_PodList).items or ()
        except msgspec.DecodeError as error:
            raise NoAnswer("bad_answer", str(error)) from error
        pods = {}
        for pod in items:
            meta = pod.metadata
            for uid in (meta.uid, *(meta.annotations.get(each) for each in _HASHES)):
                if uid:
                    pods[uid.replace("-", "")] = pod
        return pods

    def _limit(self, pod: _PodItem, name: str) -> int:
        """The share that a container's limits give it, where the cluster divides cards."""
        containers = (*pod.spec.containers, *pod.spec.init_containers)
        limits = next((each.resources.limits for each in containers if each.name == name), {})
        percent = _count(limits.get(CORE_PERCENT))
        if percent is not None and 0 < percent <= 100:
            return percent * SHARE_WHOLE // 100
        for resource, replicas in self._settings.replicas.items():
            count = _count(limits.get(resource))
            if count:
                return max(1, min(SHARE_WHOLE, count * SHARE_WHOLE // replicas))
        return SHARE_WHOLE


def get_list(settings: KubernetesSettings) -> bytes:
    """What the server at ``settings.url`` answers. Raises NoAnswer."""
    body = get_url(settings.url, _headers(settings), _tls(settings))
    if body is None:
        raise NoAnswer("bad_answer", f"{settings.url} is not there (404)")
    return body


def _headers(settings: KubernetesSettings) -> dict[str, str]:
    """The token is read each time: the kubelet renews the file."""
    file = settings.token_file
    if file is None or not settings.url.startswith("https:"):
        return {}
    try:
        return {"Authorization": f"Bearer {file.read_text(encoding='ascii').strip()}"}
    except (OSError, UnicodeDecodeError) as error:
        raise NoAnswer("no_token", str(error)) from error


def _tls(settings: KubernetesSettings) -> ssl.SSLContext | None:
    if not settings.url.startswith("https:"):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        raise NoAnswer("no_ca", f"{settings.ca_file}: {error}") from error
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _container_of(pod: _PodItem, container_id: str) -> str | None:
    """The name of the pod's container with this id; ``None`` where the pod has none such, so that a folder that a
    tenant made inside a container proves nothing. The empty id is the pod itself."""
    if not container_id:
        return ""
    status = pod.status
    started = (*status.container_statuses, *status.init_container_statuses, *status.ephemeral_container_statuses)
    return next((each.name for each in started if each.container_id.rpartition("/")[2] == container_id), None)


def _marked(meta: _Metadata, label: str) -> str | None:
    """What a label, or an annotation, of this name says."""
    return (meta.labels.get(label) or meta.annotations.get(label) or None) if label else None


def _count(quantity: str | int | None) -> int | None:
    """A whole quantity; extended resources have no other."""
    text = str(quantity)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
