"""Docker and Podman: whom a container works for, from its labels, over the daemon's Unix socket.

Owns the question to the daemon and the reading of its answer; Podman answers as Docker does. Does not own containers of
pods (``kubernetes``) or of rootless daemons, whose labels their users write (``users``).
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from cardhour_agent.resolve.answer import Answer, NoAnswer, owned, share_of
from cardhour_agent.resolve.door import get_unix
from cardhour_agent.resolve.place import Container, Place

PROJECT_LABELS = ("com.docker.compose.project", "io.podman.compose.project")
"""What compose writes: the project that a container belongs to."""


class _Config(Struct, frozen=True, rename={"labels": "Labels"}):
    labels: dict[str, str] | None = None


class _Inspected(Struct, frozen=True, rename={"name": "Name", "config": "Config"}):
    """The part of a daemon's answer that is read."""

    name: str
    config: _Config


class ContainerResolver:
    """One daemon of this node. The owner's kind is the daemon's name: two daemons may use the same names."""

    def __init__(self, name: str, socket: Path, owner_label: str, share_label: str) -> None:
        self._name, self._socket = name, socket
        self._owner_label, self._share_label = owner_label, share_label

    @property
    def name(self) -> str:
        return self._name

    def find(self, place: Place) -> Answer | None:
        """The label's owner, else the compose project, else the container's own name."""
        if not isinstance(place, Container):
            return None
        body = get_unix(self._socket, f"/containers/{place.container_id}/json")
        if body is None:
            return None
        try:
            inspected = msgspec.json.decode(body, type=_Inspected)
        except msgspec.DecodeError as error:
            raise NoAnswer("bad_answer", str(error)) from error
        name = inspected.name.removeprefix("/")
        labels = inspected.config.labels or {}
        named = (labels.get(each) for each in (self._owner_label, *PROJECT_LABELS))
        owner = next((each for each in named if each), name)
        return owned(self._name, owner, name, share_of(labels.get(self._share_label), f"container {name}"))
