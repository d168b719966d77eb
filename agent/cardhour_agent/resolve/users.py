"""The user database and libvirt: whom users' processes and virtual machines work for.

Owns the look-up of a user, which may ask a directory server and take its time. Does not own who a process's user is.
"""

from __future__ import annotations

import pwd

from cardhour_agent.resolve.answer import Answer, owned
from cardhour_agent.resolve.place import Container, Machine, Place, User

SHORT_ID = 12
"""Digits of a container's id that docker and podman show."""


class UserResolver:
    """Users of this node; a rootless container is its user's, whatever its labels claim."""

    name = "user"

    def find(self, place: Place) -> Answer | None:
        if isinstance(place, User):
            return owned("user", user_name(place.uid))
        if isinstance(place, Container) and place.uid is not None:
            return owned("user", user_name(place.uid), f"{place.runtime}:{place.container_id[:SHORT_ID]}")
        return None


class MachineResolver:
    """Virtual machines, each its own owner: what instance belongs to whom is billing's business."""

    name = "libvirt"

    def find(self, place: Place) -> Answer | None:
        return owned("libvirt", place.instance, place.instance) if isinstance(place, Machine) else None


def user_name(uid: int) -> str:
    """The account's name; the number where no account has it, as in a container's own user range."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
