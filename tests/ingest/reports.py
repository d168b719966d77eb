"""Reports as an agent would send them, for the tests of ingest: one node, one minute, in as few words as possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cardhour_contract.identity import process_key
from cardhour_contract.moment import MINUTE_MS, parse_rfc3339
from cardhour_contract.record import CardRecord, Report, UsageRecord
from cardhour_contract.wire import Envelope, encode_packed, envelope_headers
from cardhour_ingest.source import Message, Position

NODE, BOOT, CARD = "node-1", "boot-1", "GPU-1"
AT_MS = parse_rfc3339("2026-03-01T10:00:00Z")
PROCESS = process_key(NODE, BOOT, 100, 5)


def usage(**changes: Any) -> UsageRecord:
    """One minute of one process on one card."""
    values: dict[str, Any] = {
        "card": CARD,
        "process": PROCESS,
        "owner": "k8s:team-a",
        "workload": "pod-1",
        "started_at_ms": AT_MS,
        "ended_at_ms": AT_MS + MINUTE_MS,
    }
    return UsageRecord(**(values | changes))


def card(**changes: Any) -> CardRecord:
    values: dict[str, Any] = {"card": CARD, "started_at_ms": AT_MS, "ended_at_ms": AT_MS + MINUTE_MS}
    return CardRecord(**(values | changes))


def report(**changes: Any) -> Report:
    """A minute's report with one usage and one card row, unless told otherwise."""
    values: dict[str, Any] = {
        "node": NODE,
        "cluster": "c1",
        "boot_id": BOOT,
        "started_at_ms": AT_MS,
        "ended_at_ms": AT_MS + MINUTE_MS,
        "wall_ms": AT_MS + MINUTE_MS,
        "monotonic_ms": 1_000_000,
        "usage": (usage(),),
        "cards": (card(),),
    }
    return Report(**(values | changes))


def message(
    sent: Report, *, number: int = 1, sent_at_ms: int | None = None, encode: Callable[[Report], bytes] = encode_packed
) -> Message:
    """As read from a topic, one second after the report was made."""
    envelope = Envelope(id=f"{sent.node}/{sent.boot_id}/{number}", source=f"/nodes/{sent.node}", sent_at_ms=sent_at_ms)
    return Message(
        headers=envelope_headers(envelope),
        body=encode(sent),
        received_at_ms=sent.wall_ms + 1_000,
        position=Position("reports/0", number),
    )
