"""Charges of one document by card: the largest ones, and the rest as one row, so that the table adds up.

Owns choosing, ordering and summing. Does not own the shares (``document``): they sum to their lines exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from heapq import nsmallest

from cardhour_billing.figures import grouped
from cardhour_billing.frozen.document import InvoiceDocument, decode
from cardhour_billing.money import HOUR_DECIMALS, decimal_text, parse_amount, shown_hours, total

ROWS_MAX = 20
"""Cards listed one by one: a fleet's worth of rows is for a download, not for reading."""

KEPT_MAX = 64
"""Frozen documents whose charges by card are kept: twenty rows each, but ten thousand are added up for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRow:
    """A card, or with ``card`` empty the sum of those not listed. Figures are grouped text."""

    card: str
    node: str
    model: str
    card_hours: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardCharges:
    """``others`` counts the cards of ``rest``; where it is zero, every card is listed and ``rest`` is None."""

    rows: tuple[CardRow, ...]
    others: int
    rest: CardRow | None
    card_hours: str
    other_charges: str
    """What leases and other charges of no card come to; empty where there are none."""


@lru_cache(maxsize=KEPT_MAX)
def frozen_card_charges(frozen: bytes) -> CardCharges | None:
    """``card_charges`` of a stored document: the same bytes always come to the same."""
    return card_charges(decode(frozen))


def card_charges(document: InvoiceDocument) -> CardCharges | None:
    """Usage by card, largest first. None where a line lists no cards: the rest alone would not be the whole."""
    usage = [line for line in document.lines if line.kind == "usage"]
    if not usage or any(not line.cards for line in usage):
        return None
    sums: dict[tuple[str, str, str], tuple[int, int]] = {}
    for line in usage:
        for share in line.cards:
            quantity_us, amount = sums.get((share.card, share.node, line.model), (0, 0))
            key = (share.card, share.node, line.model)
            # An amount carries exactly its currency's decimals, so its digits are its minor units.
            sums[key] = (quantity_us + share.quantity_us, amount + int(share.amount.replace(".", "")))
    largest = nsmallest(ROWS_MAX, sums.items(), key=lambda item: (-item[1][1], item[0]))
    listed = [(key, *figures) for key, figures in largest]
    others = len(sums) - len(listed)
    if others:
        quantities_us, amounts = zip(*sums.values(), strict=True)
        left_us = sum(quantities_us) - sum(quantity_us for _, quantity_us, _ in listed)
        listed.append((("", "", ""), left_us, sum(amounts) - sum(amount for *_, amount in listed)))
    hours = shown_hours([quantity_us for _, quantity_us, _ in listed])
    rows = [
        CardRow(
            card=card,
            node=node,
            model=model,
            card_hours=scaled(shown, HOUR_DECIMALS),
            amount=scaled(amount, document.decimals),
        )
        for ((card, node, model), _, amount), shown in zip(listed, hours, strict=True)
    ]
    return CardCharges(
        rows=tuple(rows[:ROWS_MAX]),
        others=others,
        rest=rows[-1] if others else None,
        card_hours=scaled(sum(hours), HOUR_DECIMALS),
        other_charges=_other_charges(document),
    )


def _other_charges(document: InvoiceDocument) -> str:
    others = [parse_amount(line.amount, document.currency) for line in document.lines if line.kind != "usage"]
    return grouped(str(total(others, document.currency))) if others else ""


def scaled(value: int, decimals: int) -> str:
    """An integer of the last decimal as grouped text."""
    return grouped(decimal_text(value, decimals))
