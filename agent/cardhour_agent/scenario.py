"""Scenarios: what happens on simulated nodes, as a TOML or JSON file.

Owns the file's shape and its checks. Does not own playing it (``simulated``). For demonstrations and tests: several
nodes in one file, times with an offset, names as the stream has them::

    name = "contested card"

    [[node]]
    id = "node-1"
    cluster = "lab"

    [[node.card]]
    uuid = "GPU-11111111-1111-1111-1111-111111111111"
    model = "NVIDIA A100-SXM4-80GB"
    memory_bytes = 85899345920
    idle_watts = 60
    busy_watts = 400

    [[node.process]]
    pid = 4242
    cards = ["GPU-11111111-1111-1111-1111-111111111111"]
    from = 2026-10-01T08:00:00Z
    to = 2026-10-01T12:30:00Z
    owner = "k8s:team-a"
    workload = "train-1"
    share = 460
    sm_util_percent = "83.5"
    memory_bytes = 40000000000

    [[node.fault]]
    card = "GPU-11111111-1111-1111-1111-111111111111"
    from = 2026-10-01T09:00:00Z
    to = 2026-10-01T09:20:00Z
    reason = "xid:79"

    [[node.gap]]
    from = 2026-10-01T10:00:00Z
    to = 2026-10-01T10:03:00Z

A process with ``known_from`` resolves to ``unknown:<unknown_reason>`` before that time. A gap is a time in which NVML
fails, for one ``card`` or, without it, for the whole node.
"""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from cardhour_contract.errors import Refuse
from cardhour_contract.identity import NAME_BYTES_MAX
from cardhour_contract.moment import to_ms

Name = Annotated[str, Meta(min_length=1, max_length=NAME_BYTES_MAX)]
Moment = Annotated[datetime, Meta(tz=True)]

_PERCENT = re.compile(r"(\d{1,3})(?:\.(\d{1,4}))?", re.ASCII)


class SimulatedCard(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    uuid: Name
    model: Name
    memory_bytes: int | None = None
    parent: str = ""
    """UUID of the GPU that a MIG instance is cut from."""
    idle_watts: int | None = None
    """Power with no use; without it the card measures no energy."""
    busy_watts: int = 0
    """Power at 100 % SM utilisation."""


class SimulatedProcess(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    pid: Annotated[int, Meta(ge=1)]
    cards: tuple[Name, ...]
    start: Moment
    end: Moment
    owner: Name
    workload: str = ""
    """Empty: the process itself."""
    share: Annotated[int, Meta(ge=1, le=1000)] = 1000
    """Permille of each card."""
    sm_util_percent: str | None = None
    """0 to 100 with at most four decimals, on each card; absent = not measured."""
    memory_bytes: Annotated[int, Meta(ge=0)] | None = None
    """On each card; absent = not measured."""
    known_from: Moment | None = None
    unknown_reason: Name = "pending"
    command: str = ""

    @property
    def start_ms(self) -> int:
        return to_ms(self.start)

    @property
    def end_ms(self) -> int:
        return to_ms(self.end)

    @property
    def known_from_ms(self) -> int:
        return 0 if self.known_from is None else to_ms(self.known_from)

    @property
    def sm(self) -> int | None:
        """In 1e-4 percent."""
        match = _PERCENT.fullmatch(self.sm_util_percent or "")
        return int(match[1]) * 10_000 + int((match[2] or "").ljust(4, "0")) if match else None


class SimulatedFault(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    """Opens at the first sample in ``[from, to)`` and closes at the first sample from ``to`` on."""

    card: Name
    start: Moment
    end: Moment
    reason: Name


class SimulatedGap(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    """Samples in ``[from, to)`` fail."""

    card: str = ""
    start: Moment
    end: Moment


class SimulatedNode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Name
    cluster: Name
    basis: Literal["process", "allocation"] = "process"
    boot_id: str = ""
    """Empty: made from the scenario's name and the node's id."""
    card: tuple[SimulatedCard, ...]
    process: tuple[SimulatedProcess, ...] = ()
    fault: tuple[SimulatedFault, ...] = ()
    gap: tuple[SimulatedGap, ...] = ()


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Name
    node: tuple[SimulatedNode, ...]

    def find(self, node: str) -> SimulatedNode:
        for each in self.node:
            if each.id == node:
                return each
        raise Refuse(f"scenario '{self.name}' has no node '{node}'; it has {', '.join(each.id for each in self.node)}")


def read_scenario(path: Path) -> Scenario:
    """The scenario in a ``.toml`` or ``.json`` file, checked; raises Refuse with every problem found."""
    try:
        content = path.read_bytes()
        table: Any = tomllib.loads(content.decode()) if path.suffix == ".toml" else msgspec.json.decode(content)
        scenario = msgspec.convert(table, Scenario)
    except OSError as error:
        raise Refuse(f"the scenario {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refuse(f"the scenario {path} is not usable: {error}") from error
    check_scenario(scenario)
    return scenario


def check_scenario(scenario: Scenario) -> None:
    """Raises Refuse with every contradiction in the scenario."""
    problems: list[str] = []
    for node in scenario.node:
        cards = {each.uuid for each in node.card}
        if len(cards) < len(node.card):
            problems.append(f"node {node.id}: two cards have the same uuid")
        for process in node.process:
            what = f"node {node.id}, process {process.pid}"
            problems += [f"{what}: no card '{card}' on this node" for card in process.cards if card not in cards]
            if process.end <= process.start:
                problems.append(f"{what}: 'to' is not after 'from'")
            if process.sm_util_percent is not None and not 0 <= (-1 if process.sm is None else process.sm) <= 1_000_000:
                problems.append(
                    f"{what}: sm_util_percent '{process.sm_util_percent}' is not 0 to 100 with ≤ 4 decimals"
                )
        spans = [(each.card, each.start, each.end) for each in node.fault]
        spans += [(each.card, each.start, each.end) for each in node.gap]
        for card, start, end in spans:
            if card and card not in cards:
                problems.append(f"node {node.id}: a fault or gap names the card '{card}', which is not there")
            if end <= start:
                problems.append(f"node {node.id}: a fault or gap does not end after it starts")
        by_pid = sorted(node.process, key=lambda each: (each.pid, each.start))
        for before, after in pairwise(by_pid):
            if before.pid == after.pid and after.start < before.end:
                problems.append(f"node {node.id}: two processes have pid {after.pid} at {after.start.isoformat()}")
    if problems:
        raise Refuse(*problems)
