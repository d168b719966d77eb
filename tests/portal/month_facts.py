"""What both sides of a walk know of its month: who the customers are, who the clerk is, and what was used when.

Owns no writing of it (``month_books``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

CLERK = "zhou.min"


class Names(Struct, frozen=True, kw_only=True):
    """What the three customers are called."""

    red: str
    blue: str
    green: str


NAMES = {
    "en": Names(red="Red Ltd", blue="Blue Ltd", green="Green Ltd"),
    "zh-hans": Names(red="红岩科技", blue="蓝湾智能", green="青禾智算"),
}

Used = tuple[str, str, str, str, str, int, int]
"""Owner, workload, card, model, day, and from which hour to which, in Shanghai."""

OCTOBER: tuple[Used, ...] = (
    ("k8s:red", "train-7", "GPU-1", "A100", "2026-10-03", 12, 20),
    ("k8s:red", "train-8", "GPU-9", "A100", "2026-10-04", 10, 12),
    ("k8s:blue", "serve-1", "GPU-2", "A100", "2026-10-10", 8, 13),
    ("k8s:blue", "render-4", "GPU-4", "L40S", "2026-10-12", 8, 12),
    ("k8s:lab", "notebook", "GPU-3", "A100", "2026-10-11", 8, 10),
    ("k8s:green-speech", "speech-1", "GPU-5", "A100", "2026-10-05", 8, 18),
    ("k8s:green-vision", "vision-1", "GPU-6", "H800", "2026-10-07", 8, 11),
)
"""``k8s:lab`` is bound to nobody, and an L40S has no price."""
NOVEMBER: tuple[Used, ...] = (
    ("k8s:green-speech", "speech-2", "GPU-5", "A100", "2026-11-03", 8, 16),
    ("k8s:green-vision", "vision-2", "GPU-6", "H800", "2026-11-05", 8, 10),
    ("k8s:green-speech", "speech-3", "GPU-8", "H800", "2026-11-06", 0, 12),
    ("k8s:green-speech", "speech-4", "GPU-5", "A100", "2026-11-19", 8, 14),
)
"""What the green customer used to the 19th. GPU-8 is leased."""
LATER: tuple[Used, ...] = (("k8s:green-speech", "speech-5", "GPU-5", "A100", "2026-11-21", 8, 18),)
"""And on the 21st."""


def usage_file(path: Path, used: Sequence[Used]) -> Path:
    """Written as ``cardhour import`` takes it."""
    path.write_text("owner,workload,card,model,started_at,ended_at\n" + "".join(map(_row, used)))
    return path


def _row(used: Used) -> str:
    owner, workload, name, model, day, first, last = used
    times = (f"{day}T{hour:02d}:00:00+08:00" for hour in (first, last))
    return ",".join((owner, workload, name, model, *times)) + "\n"
