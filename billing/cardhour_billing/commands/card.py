"""``cardhour card``: what staff decide about a card."""

from __future__ import annotations

import click

from cardhour_billing.store import answering, open_store
from cardhour_billing.table import notes
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.moment import format_rfc3339, parse_rfc3339


@click.group()
def card() -> None:
    """What staff decide about a card."""


@card.command()
@click.argument("card", metavar="CARD")
@click.argument("node", metavar="NODE")
@click.option("--from", "from_", metavar="T", required=True, help="Since when, RFC 3339 with offset.")
def move(card: str, node: str, from_: str) -> None:
    """Say that CARD is at home on NODE from a time on, where its old node cannot say that it is gone.

    Only records from a card's home count (`cardhour ledger conflicts` lists the others). The move is audited.
    """
    from_ms = parse_rfc3339(from_)
    config = open_store()
    from cardhour_billing.audit.log import audit, login_name
    from cardhour_contract.clock import SystemClock

    with answering(), opened_warehouse(config) as warehouse:
        from cardhour_ingest.warehouse.conflicts import Move, check_move, move_card
        from cardhour_ingest.warehouse.rollup import roll_up

        moved = Move(card=card, node=node, from_ms=from_ms, who=login_name())
        check_move(warehouse, moved)
        # 1. Who decided it, before it has any effect: there is no move that nobody made.
        audit(SystemClock(), moved.who, "card move", card, {"node": node, "from": format_rfc3339(from_ms)})
        # 2. The fact, and 3. the pages that follow from it. Repeating the command after a crash changes nothing twice.
        move_card(warehouse, moved)
        rolled = roll_up(warehouse)
    notes().print(f"{card} is at home on {node} from {format_rfc3339(from_ms)}; {rolled.pages} pages computed.")


@card.command()
@click.argument("card", metavar="CARD")
@click.option("--from", "from_", metavar="T", required=True, help="Since when, RFC 3339 with offset.")
@click.option("--reason", required=True, help="Why: it is kept with the card and in the audit log.")
def retire(card: str, from_: str, reason: str) -> None:
    """Say that CARD is gone for good from a time on, where its node cannot: the node is dead, or sold.

    A card that a living node misses for thirty days is retired without it. From then on the card's time is nobody's,
    and hours in which nothing was reported of it have no page. A scan that lists it again brings it back. Audited.
    """
    from_ms = parse_rfc3339(from_)
    config = open_store()
    from cardhour_billing.audit.log import audit, login_name
    from cardhour_contract.clock import SystemClock

    with answering(), opened_warehouse(config) as warehouse:
        from cardhour_ingest.warehouse.retirement import Word, check_retirement
        from cardhour_ingest.warehouse.retirement import retire as record
        from cardhour_ingest.warehouse.rollup import roll_up

        word = Word(card=card, from_ms=from_ms, reason=reason, who=login_name())
        check_retirement(warehouse, word)
        # 1. Who decided it, before it has any effect. 2. The fact, and 3. the pages that follow from it.
        audit(SystemClock(), word.who, "card retire", card, {"from": format_rfc3339(from_ms), "reason": reason})
        record(warehouse, word)
        roll_up(warehouse)
    notes().print(f"{card} is retired from {format_rfc3339(from_ms)}.")
