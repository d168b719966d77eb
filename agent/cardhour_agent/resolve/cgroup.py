"""Control group paths, read: the places that a process is in.

Owns the patterns of those who make control groups, for both versions of them. Pure: it opens no file. Does not own
whom a place works for.

A path may name several places: a pod of a cluster that runs in a container (kind), a container inside a job. They are
given in the order in which they are asked about, and the first that somebody knows decides:

1. pods, the innermost first: with kind, the pod of the inner cluster;
2. jobs;
3. containers, the outermost first: this node's daemon knows no others;
4. virtual machines;
5. the user of a login.

Below a login's slice a user may make folders of any name: pods and jobs are not looked for there. Whoever may write
control groups inside a container could do the same, so that a pod counts only with a container that it really has
(``kubernetes``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from msgspec import structs

from cardhour_agent.resolve.place import Container, Job, Machine, Place, Pod, Runtime, User

_POD_SLICE = re.compile(r"(?:^|-)kubepods(?:-burstable|-besteffort)?-pod([0-9a-f_]{32,36})\.slice(?::[\w-]+:(\w+))?$")
"""systemd driver. After a colon: a runtime left at the cgroupfs driver while the kubelet uses systemd's."""
_POD_FOLDER = re.compile(r"pod([0-9a-f-]{32,36})$")
"""cgroupfs driver; only below a ``kubepods`` folder, or on the way there (``_holds_pods``)."""
_CONTAINER = re.compile(r"(?:(docker|libpod|nerdctl|cri-containerd|crio)-)?([0-9a-f]{64})(?:\.scope)?$")
_SLURM = re.compile(r"slurm(?:_.+)?$|(?:.+_)?slurmstepd\.scope$")
"""Version 1's folder, or version 2's scope; with a node's name where a machine runs several slurmd."""
_JOB = re.compile(r"job_(\d+)$")
_SLUID = re.compile(r"s[0-9A-HJKMNP-TV-Z]{13}$")
"""Crockford's base 32, as Slurm writes it; only right below slurmstepd's scope."""
_MACHINE_SCOPE = re.compile(r"machine-qemu-\d+-(.+)\.scope$")
_MACHINE_FOLDER = re.compile(r"qemu-\d+-(.+)\.libvirt-qemu$")
_USER = re.compile(r"user-(\d+)\.slice$")
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_RUNTIMES: dict[str, Runtime] = {
    "docker": "docker",
    "libpod": "podman",
    "nerdctl": "containerd",
    "cri-containerd": "containerd",
    "crio": "crio",
}
_ORDER: tuple[type, ...] = (Pod, Job, Container, Machine, User)

TEXTS_KEPT = 4096
"""Readings kept: one a container or session that holds a card; a node has a few hundred."""


@lru_cache(TEXTS_KEPT)
def places_of(text: str) -> tuple[Place, ...]:
    """The places in a /proc/PID/cgroup file, in the order in which to ask about them.

    On version 1 controllers may disagree on nesting: the path with the best place, then the longest, is believed.
    """
    paths = {line.split(":", 2)[2] for line in text.splitlines() if line.count(":") >= 2}
    found = [(_places(path), path) for path in sorted(paths)]
    best = min(found, key=lambda each: (_rank(each[0]), -len(each[1])), default=((), ""))
    return best[0]


def _rank(places: tuple[Place, ...]) -> int:
    return _ORDER.index(type(places[0])) if places else len(_ORDER)


def _places(path: str) -> tuple[Place, ...]:
    """Outermost first as the path has them, then put in the order of asking; sorting keeps what is equal in order."""
    found = list(_walk([_unescaped(each) for each in path.split("/") if each]))
    login = next((each for each in found if isinstance(each, User)), None)
    if login is not None:
        found = [_of_user(each, login) for each in found if not isinstance(each, Pod | Job)]
    pods = [each for each in found if isinstance(each, Pod)]
    return (*reversed(pods), *sorted((e for e in found if not isinstance(e, Pod)), key=lambda e: _rank((e,))))


def _of_user(place: Place, login: User) -> Place:
    """A container in a login's slice is run by that user's own daemon."""
    return structs.replace(place, uid=login.uid) if isinstance(place, Container) else place


def _walk(names: list[str]) -> Iterator[Place]:
    """The places along a path, outermost first; a container right below a pod is part of it."""
    pod = ""
    for index, name in enumerate(names):
        container = _CONTAINER.match(name)
        if pod:
            # Its own container, or the pod's own processes; what lies deeper is looked at as anywhere else.
            yield Pod(uid=pod, container_id=container[2] if container else "")
            pod = ""
        elif container:
            yield Container(runtime=_runtime(container[1], names[index - 1]), container_id=container[2])
        elif match := _POD_SLICE.search(name):
            pod = match[1].replace("_", "")
            if match[2]:
                yield Pod(uid=pod, container_id=match[2])
                pod = ""
        elif (match := _POD_FOLDER.match(name)) and _holds_pods(names[:index]):
            pod = match[1].replace("-", "")
        elif place := _named(name, names[:index]):
            yield place
    if pod:
        yield Pod(uid=pod)


def _holds_pods(above: list[str]) -> bool:
    """Whether folders here are the kubelet's. From within a control group namespace of its own, an agent that is a pod
    itself sees others by the way up and down again: what they have in common with it, ``kubepods``, is not in it."""
    return "kubepods" in above or (above[:1] == [".."] and set(above) <= {"..", "burstable", "besteffort"})


def _named(name: str, above: list[str]) -> Place | None:
    if match := _USER.match(name):
        return User(uid=int(match[1]))
    if match := _MACHINE_SCOPE.match(name) or _MACHINE_FOLDER.match(name):
        return Machine(instance=match[1])
    if (match := _JOB.match(name)) and any(map(_SLURM.match, above)):
        return Job(name=match[1])
    return Job(name=name) if _SLUID.match(name) and above and _SLURM.match(above[-1]) else None


def _runtime(prefix: str | None, above: str) -> Runtime:
    """Bare ids are Docker's, or of a parent that Docker was told to use; podman's and containerd's have a parent."""
    if prefix:
        return _RUNTIMES[prefix]
    if above.startswith("libpod"):
        return "podman"
    return "containerd" if above in ("default", "k8s.io") else "docker"


def _unescaped(name: str) -> str:
    """systemd writes ``\\x2d`` for a dash inside a part of a unit's name."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), name)
