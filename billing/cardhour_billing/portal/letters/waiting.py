"""Dead letters that wait, by reason: how many, since when, and what they may be worth.

Owns the sums and the estimate. Does not own the list (``records``) nor reading letters (``cardhour_ingest``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from msgspec import Struct

from cardhour_billing.closing.list_value import list_value
from cardhour_billing.figures import grouped
from cardhour_billing.models import Issuer
from cardhour_billing.money import card_hours
from cardhour_billing.month import billing_period, local_day, month_of
from cardhour_contract.interval import Interval
from cardhour_contract.moment import LAST_MS

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.client import Warehouse
    from cardhour_ingest.warehouse.letters import StoredLetter

VALUED_MAX = 200
"""Letters whose bodies are read for a page: what that takes is a second at most."""


class Group(Struct, frozen=True, kw_only=True):
    """Letters of one reason."""

    reason: str
    words: str
    """The reason for people; empty where it is a word that nobody here knows."""
    count: int
    nodes: int
    oldest_ms: int
    newest_ms: int
    replayable: bool


class Estimate(Struct, frozen=True, kw_only=True):
    """What letters speak of, at most: it may have arrived in another copy. Texts are empty where nobody can say."""

    hours: str
    worth: str
    currency: str
    unpriced: bool
    """Whether some of the time has no list price, and is not in ``worth``."""
    mute: int
    """Letters that say nothing that can be valued."""
    read: int
    """How many were read for it, the oldest first."""


def by_reason(letters: Sequence[StoredLetter]) -> list[Group]:
    """Waiting letters, most of them first."""
    from cardhour_ingest.warehouse.letters import TOO_LATE

    groups: dict[str, list[StoredLetter]] = {}
    for each in letters:
        if not each.replayed:
            groups.setdefault(each.reason, []).append(each)
    found = [
        Group(
            reason=reason,
            words=words_of(reason),
            count=len(own),
            nodes=len({each.node for each in own}),
            oldest_ms=min(each.received_at_ms for each in own),
            newest_ms=max(each.received_at_ms for each in own),
            replayable=reason != TOO_LATE,
        )
        for reason, own in groups.items()
    ]
    return sorted(found, key=lambda each: (-each.count, each.reason))


REASONS = {
    "clock_skew": _("The node’s clock was wrong. It is read with the offset taken from every time."),
    "unsigned": _("Not signed, where signatures are required. Enrol a key for the node first."),
    "bad_signature": _("The signature does not fit. Only the agent can send it again."),
    "unknown_key": _("Signed with a key that is not enrolled. Enrol it, then replay."),
    "revoked_key": _("Signed with a key that was revoked by then."),
    "wrong_key": _("Signed with the key of another node."),
    "wrong_card": _("It speaks of a card that is another node’s. Move the card, then replay."),
    "wrong_source": _("One node sent a report of another one."),
    "too_late": _("Rows for a page that is sealed: no reading of them can change it."),
    "out_of_time": _("Its times are too far from when it arrived."),
    "bad_value": _("It has a value that cannot be. The agent has to be mended."),
    "crosses_quarter": _("A row that crosses a quarter hour. The agent has to be mended."),
    "bad_envelope": _("Its headers cannot be read."),
    "bad_payload": _("Its body cannot be read."),
    "too_large": _("Larger than a message may be."),
    "unknown_type": _("Of a type that is not known here yet. Upgrade, then replay."),
    "unknown_content_type": _("Of a format that is not known here yet. Upgrade, then replay."),
}
"""What each reason means, and what mends it."""


def words_of(reason: str) -> str:
    """What a reason means; empty for one that nobody here knows."""
    return str(REASONS.get(reason, ""))


def estimate(warehouse: Warehouse, letters: Sequence[StoredLetter], now_ms: int) -> Estimate | None:
    """What the first of some letters speak of, at list price of the running month. None without an issuer."""
    from cardhour_ingest.warehouse.unread import said_by

    issuer = Issuer.objects.first()
    if issuer is None:
        return None
    chosen = [each.letter for each in letters[:VALUED_MAX]]
    said = said_by(warehouse, chosen, Interval(0, LAST_MS))
    period = billing_period(month_of(local_day(now_ms, issuer.timezone)), issuer.timezone)
    value, unpriced = list_value(said.held_us, period, issuer.currency) if said.held_us else (None, False)
    whole = sum(said.held_us.values())
    return Estimate(
        hours=grouped(card_hours(whole, decimals=2)) if whole else "",
        worth=grouped(str(value)) if value else "",
        currency=value.currency if value else "",
        unpriced=unpriced,
        mute=said.unreadable,
        read=len(chosen),
    )
