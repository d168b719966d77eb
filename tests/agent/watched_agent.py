"""What an agent that runs as a process has put into its spool."""

from __future__ import annotations

from pathlib import Path

from cardhour_contract.record import CardRecord, CardState, Report
from cardhour_contract.spool import Spool
from cardhour_contract.unpack import unpack
from cardhour_contract.wire import PACKED, decode


def reports(home: Path) -> list[Report]:
    with Spool(home / "spool.db") as spool:
        return [unpack(decode(each.entry.body, PACKED)) for each in spool.read()]


def cards(home: Path, *states: CardState) -> list[CardRecord]:
    return [each for report in reports(home) for each in report.cards if each.card == "GPU-0" and each.state in states]
