"""The demonstration's fleet: what a month on four simulated servers looks like.

Owns the story (who runs what, what breaks) as a scenario and its catalog. Does not own playing or billing it. The same
month always has the same story, so that two people looking at the demonstration see the same figures.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from importlib.resources import files
from typing import NamedTuple

from cardhour_agent.scenario import (
    Scenario,
    SimulatedCard,
    SimulatedFault,
    SimulatedGap,
    SimulatedNode,
    SimulatedProcess,
)
from cardhour_contract.moment import DAY_MS, HOUR_MS, MINUTE_MS, floor_to, format_rfc3339, from_ms

GIB = 1024**3
CARDS_A_NODE = 8


class Model(NamedTuple):
    name: str
    memory_gib: int
    idle_watts: int
    busy_watts: int
    cny_a_card_hour: str


class Server(NamedTuple):
    node: str
    cluster: str
    model: Model
    tenants: tuple[str, ...]
    """Owners whose jobs take whole cards here."""


H100 = Model("NVIDIA H100 80GB HBM3", 80, 70, 690, "26.50")
A800 = Model("NVIDIA A800-SXM4-80GB", 80, 60, 395, "18.62")
L40S = Model("NVIDIA L40S", 48, 35, 345, "8.40")

SERVERS = (
    Server("hz-h100-01", "hz-1", H100, ("k8s:qinghe-train", "k8s:northlight")),
    Server("hz-a800-01", "hz-1", A800, ("k8s:qinghe-train", "k8s:qinghe-eval")),
    Server("hz-a800-02", "hz-1", A800, ("slurm:shanlan", "k8s:northlight")),
    Server("sh-l40s-01", "sh-1", L40S, ("k8s:qinghe-serve", "slurm:shanlan")),
)

PRICE = """
[[price]]
model = "{model}"
per = "card-hour"
amount = "{amount}"
from = {opened}
"""


def catalog(from_at_ms: int) -> str:
    """Customers, bindings and prices of the story, in force from its first day."""
    opened = format_rfc3339(from_at_ms)
    models = dict.fromkeys(server.model for server in SERVERS)
    prices = "".join(PRICE.format(model=each.name, amount=each.cny_a_card_hour, opened=opened) for each in models)
    parties = files("cardhour_billing.allinone").joinpath("catalog.toml").read_text(encoding="utf-8")
    return parties.replace("{opened}", opened) + prices


def fleet(month: str, from_at_ms: int, to_at_ms: int) -> Scenario:
    """The story of ``[from_at_ms, to_at_ms)``, called ``month``."""
    nodes = tuple(_node(server, month, from_at_ms, to_at_ms) for server in SERVERS)
    return Scenario(name=f"demonstration {month}", node=nodes)


def _node(server: Server, month: str, from_at_ms: int, to_at_ms: int) -> SimulatedNode:
    uuids = [_card_uuid(server.node, index) for index in range(CARDS_A_NODE)]
    pids = iter(range(2000, 4_000_000))
    processes = [*_jobs(server, uuids, pids, month, from_at_ms, to_at_ms)]
    processes += _guests(server, uuids, pids, from_at_ms, to_at_ms)
    return SimulatedNode(
        id=server.node,
        cluster=server.cluster,
        card=tuple(
            SimulatedCard(
                uuid=uuid,
                model=server.model.name,
                memory_bytes=server.model.memory_gib * GIB,
                idle_watts=server.model.idle_watts,
                busy_watts=server.model.busy_watts,
            )
            for uuid in uuids
        ),
        process=tuple(processes),
        fault=_faults(server, uuids, from_at_ms),
        gap=_gaps(server, from_at_ms),
    )


def _card_uuid(node: str, index: int) -> str:
    """A UUID in NVML's form, the same in every run."""
    digits = f"{_chance(node, index).getrandbits(128):032x}"
    return f"GPU-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _chance(*seed: object) -> random.Random:
    return random.Random(" ".join(map(str, seed)))  # noqa: S311 - tells a story, guards nothing


def _jobs(
    server: Server, uuids: list[str], pids: Iterator[int], month: str, from_at_ms: int, to_at_ms: int
) -> Iterator[SimulatedProcess]:
    """Whole-card jobs on cards 0 to 5, in two groups of cards that never overlap, with pauses between jobs."""
    for group, first, size in (("big", 0, 4), ("small", 4, 2)):
        chance = _chance(month, server.node, group)
        at_ms = from_at_ms - chance.randrange(12 * HOUR_MS)
        while at_ms < to_at_ms:
            length_ms = chance.randrange(HOUR_MS if group == "small" else 6 * HOUR_MS, 60 * HOUR_MS)
            owner = chance.choice(server.tenants)
            cards = uuids[first : first + chance.randint(1, size)]
            yield _process(
                next(pids), cards, at_ms, at_ms + length_ms, owner, f"{group}-{chance.randrange(16**6):06x}",
                sm=f"{chance.randint(62, 98)}.{chance.randint(0, 9)}", gib=server.model.memory_gib * 7 // 8,
            )  # fmt: skip
            at_ms += length_ms + chance.randrange(5 * MINUTE_MS, 8 * HOUR_MS)


def _guests(
    server: Server, uuids: list[str], pids: Iterator[int], from_at_ms: int, to_at_ms: int
) -> list[SimulatedProcess]:
    """Cards 6 and 7: declared shares, an undeclared contest, a late answer, a trial nobody has a contract for."""
    inference, notebook = server.tenants[0], server.tenants[1]
    day = from_at_ms + 4 * DAY_MS
    guests = [
        # All month, two services share card 6 by declaration: 0.5 and 0.25 of it.
        _process(next(pids), uuids[6:7], from_at_ms, to_at_ms, inference, "chat-api", sm="38.5", gib=30, share=500),
        _process(next(pids), uuids[6:7], from_at_ms, to_at_ms, notebook, "embed-api", sm="12.0", gib=9, share=250),
        # Three tenants who declare nothing meet on card 7: a third each while all three are there.
        _process(next(pids), uuids[7:8], day, day + 50 * HOUR_MS + 1_234, inference, "notebook-1", sm="41.7", gib=12),
        _process(next(pids), uuids[7:8], day + 777, day + 30 * HOUR_MS, notebook, "notebook-2", sm="22.2", gib=12),
        _process(
            next(pids),
            uuids[7:8],
            day + 5 * HOUR_MS,
            day + 9 * HOUR_MS + 1,
            "k8s:qinghe-eval",
            "spike",
            sm="30.0",
            gib=8,
        ),
    ]
    if server.node == "hz-a800-01":
        # Its pod was gone before anyone asked whose it was; the answer came two hours later.
        guests.append(
            _process(
                next(pids), uuids[7:8], day + 5 * DAY_MS, day + 5 * DAY_MS + 7 * HOUR_MS, notebook, "late-answer",
                sm="77.0", gib=40, known_from=from_ms(day + 5 * DAY_MS + 2 * HOUR_MS),
            )
        )  # fmt: skip
    if server.node == "hz-a800-02":
        trial = day + 8 * DAY_MS
        guests.append(
            _process(next(pids), uuids[7:8], trial, trial + 26 * HOUR_MS, "k8s:acme-trial", "poc", sm="55.0", gib=33)
        )
    return guests


def _process(
    pid: int, cards: list[str], start_ms: int, end_ms: int, owner: str, workload: str,
    *, sm: str, gib: int, share: int = 1000, known_from: datetime | None = None,
) -> SimulatedProcess:  # fmt: skip
    return SimulatedProcess(
        pid=pid,
        cards=tuple(cards),
        start=from_ms(start_ms),
        end=from_ms(end_ms),
        owner=owner,
        workload=workload,
        share=share,
        sm_util_percent=sm,
        memory_bytes=gib * GIB,
        known_from=known_from,
        unknown_reason="exited",
        command="python train.py",
    )


def _faults(server: Server, uuids: list[str], from_at_ms: int) -> tuple[SimulatedFault, ...]:
    """A card falls off the bus (Xid 79) for some hours, on the H100 server and on one A800 server."""
    if server.node not in ("hz-h100-01", "hz-a800-02"):
        return ()
    at_ms = from_at_ms + (9 if server.model is H100 else 17) * DAY_MS + 13 * MINUTE_MS
    return (SimulatedFault(card=uuids[2], start=from_ms(at_ms), end=from_ms(at_ms + 5 * HOUR_MS), reason="xid:79"),)


def _gaps(server: Server, from_at_ms: int) -> tuple[SimulatedGap, ...]:
    """The driver answers nothing: for three minutes, which samples on both sides bridge, and for two hours."""
    if server.node == "sh-l40s-01":
        at_ms = floor_to(from_at_ms + 11 * DAY_MS, HOUR_MS)
        return (
            SimulatedGap(start=from_ms(at_ms), end=from_ms(at_ms + 3 * MINUTE_MS)),
            SimulatedGap(start=from_ms(at_ms + DAY_MS), end=from_ms(at_ms + DAY_MS + 2 * HOUR_MS)),
        )
    return ()
