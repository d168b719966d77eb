"""Recording what staff decide about a node's keys: audited first, then told to ingest.

Owns that order, for the command and the portal. Does not own the rules between the facts
(``cardhour_ingest.warehouse.node_keys``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cardhour_billing.audit.log import audit
from cardhour_contract.clock import Clock
from cardhour_contract.moment import format_rfc3339

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.client import Warehouse
    from cardhour_ingest.warehouse.node_keys import KeyFact


def record_keys(
    warehouse: Warehouse, action: str, node: str, facts: Sequence[KeyFact], *, clock: Clock, who: str
) -> None:
    """Who decided it, before it has any effect; then the facts. Repeating it after a crash completes it."""
    from cardhour_ingest.warehouse.node_keys import record

    if not facts:
        return
    said = [
        {"key": str(each.key), "fact": each.fact, "reason": each.reason}
        | ({"from": format_rfc3339(each.from_ms)} if each.from_ms else {})
        for each in facts
    ]
    audit(clock, who, action, node, {"keys": said})
    record(warehouse, facts, who)
