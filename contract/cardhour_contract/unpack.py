"""A packed report back to rows, for those who look at records one by one.

Owns the reverse of ``wire.pack``. Ingest does not use it: it reads the columns in place.
"""

from __future__ import annotations

from cardhour_contract.record import Basis, CardRecord, CardState, Report, UsageRecord
from cardhour_contract.wire import (
    BRIDGED,
    CARD_COLUMNS,
    HAS_ACTIVE,
    HAS_ENERGY,
    HAS_MEMORY,
    USAGE_COLUMNS,
    PackedReport,
    column_values,
)


def unpack(packed: PackedReport) -> Report:
    """Columns back to rows. Raises IndexError or ValueError where an index or a code points nowhere."""
    names = packed.strings
    usage = {name: column_values(code, getattr(packed.usage, name)) for name, code in USAGE_COLUMNS.items()}
    cards = {name: column_values(code, getattr(packed.cards, name)) for name, code in CARD_COLUMNS.items()}
    rest = {field: getattr(packed, field) for field in Report.__struct_fields__ if field not in ("usage", "cards")}
    return Report(
        **rest,
        usage=tuple(
            UsageRecord(
                card=names[usage["card"][row]],
                process=usage["process"][row],
                owner=names[usage["owner"][row]],
                workload=names[usage["workload"][row]],
                share=usage["share"][row],
                started_at_ms=usage["started_at_ms"][row],
                ended_at_ms=usage["ended_at_ms"][row],
                basis=Basis(usage["basis"][row]),
                bridged=bool(flags & BRIDGED),
                active=usage["active"][row] if flags & HAS_ACTIVE else None,
                memory=usage["memory"][row] if flags & HAS_MEMORY else None,
            )
            for row, flags in enumerate(usage["flags"])
        ),
        cards=tuple(
            CardRecord(
                card=names[cards["card"][row]],
                started_at_ms=cards["started_at_ms"][row],
                ended_at_ms=cards["ended_at_ms"][row],
                state=CardState(cards["state"][row]),
                energy_mj=cards["energy_mj"][row] if flags & HAS_ENERGY else None,
            )
            for row, flags in enumerate(cards["flags"])
        ),
    )
