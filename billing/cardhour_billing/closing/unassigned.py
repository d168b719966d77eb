"""Usage that nobody is bound to, by owner: what each would have to be bound to a customer for.

Owns adding up an owner's models. Does not own finding it (``rating``). Texts only, so that a kept checklist has them.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from cardhour_billing.figures import grouped
from cardhour_billing.money import Money, card_hours
from cardhour_billing.rating.rate import Unassigned

OWNERS_MAX = 20
"""Owners named one by one, most time first; the others are in the sum."""


class OwnerUse(Struct, frozen=True, kw_only=True):
    """One owner's time and its worth at list price, grouped; empty where no model of it has a price."""

    owner: str
    hours: str
    worth: str


def by_owner(unassigned: Iterable[Unassigned]) -> tuple[OwnerUse, ...]:
    """The owners with most time."""
    times: dict[str, int] = {}
    values: dict[str, Money] = {}
    for each in unassigned:
        times[each.owner] = times.get(each.owner, 0) + each.quantity_us
        if each.list_value is not None:
            known = values.get(each.owner)
            values[each.owner] = known + each.list_value if known else each.list_value
    largest = sorted(times, key=lambda owner: (-times[owner], owner))[:OWNERS_MAX]
    return tuple(
        OwnerUse(
            owner=owner,
            hours=grouped(card_hours(times[owner], decimals=2)),
            worth=f"{grouped(str(values[owner]))} {values[owner].currency}" if owner in values else "",
        )
        for owner in largest
    )
