"""The lists of what the warehouse knows: nodes with their keys, and messages that could not be read.

Owns what each shows. Their rows come all at once: a fleet has thousands of nodes, not millions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from msgspec import Struct

from cardhour_billing.portal.letters.replaying import seconds_text
from cardhour_billing.portal.letters.waiting import REASONS, by_reason, words_of
from cardhour_billing.portal.letters.worth import NONE, Worth, worth_of
from cardhour_billing.portal.phrases import in_words
from cardhour_billing.portal.records.noun import Column, Fact, Filter, Look, Noun, Part, Words
from cardhour_billing.portal.records.texts import instant, rfc3339
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import HOUR_MS

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.client import Warehouse
    from cardhour_ingest.warehouse.letters import StoredLetter
    from cardhour_ingest.warehouse.node_keys import NodeKey

OFFSET = re.compile(r"offset_ms=(-?\d+):")
"""How the checks say how far a clock was off."""
SILENT_MS = HOUR_MS
"""Nodes report every few seconds, and spool what cannot be sent: an hour of silence is worth a look."""


class NodeRow(Struct, frozen=True, kw_only=True):
    """A node that reported, or has a key, or both. ``received_ms`` is None where nothing arrived lately."""

    node: str
    cluster: str = ""
    cards: int = 0
    seen_at_ms: int | None = None
    received_ms: int | None = None
    ntp_synced: bool | None = None
    ahead_ms: int | None = None
    keys: Sequence[NodeKey] = ()


def key_state(key: NodeKey, now_ms: int) -> str:
    """``good``, ``ending`` or ``revoked``."""
    ended = key.revoked_from_ms
    return "good" if ended is None else "ending" if ended > now_ms else "revoked"


def nodes(warehouse: Warehouse) -> list[NodeRow]:
    """Every node that reported or has a key."""
    from cardhour_ingest.warehouse.node_keys import node_keys
    from cardhour_ingest.warehouse.nodes import nodes_seen

    keys: dict[str, list[NodeKey]] = {}
    for each in node_keys(warehouse):
        keys.setdefault(each.node, []).append(each)
    seen = {each.node: each for each in nodes_seen(warehouse, SystemClock().now_ms())}
    return [
        NodeRow(
            node=name, cluster=found.cluster, cards=found.cards, seen_at_ms=found.seen_at_ms,
            received_ms=found.received_ms, ntp_synced=found.ntp_synced, ahead_ms=found.ahead_ms,
            keys=keys.get(name, ()),
        )
        if (found := seen.get(name))
        else NodeRow(node=name, keys=keys.get(name, ()))
        for name in sorted(seen.keys() | keys.keys())
    ]  # fmt: skip


def letters(warehouse: Warehouse) -> list[StoredLetter]:
    from cardhour_ingest.warehouse.letters import find_letters

    return find_letters(warehouse)


def _keys(row: NodeRow, look: Look) -> str:
    """The best state of its keys; ``none`` where no key was ever enrolled."""
    states = {key_state(each, look.now_ms) for each in row.keys}
    return next((state for state in ("good", "ending", "revoked") if state in states), "none")


def _heard(row: NodeRow, look: Look) -> str:
    """``heard`` within the hour, ``silent``, or ``never``."""
    if row.received_ms is None:
        return "silent" if row.seen_at_ms else "never"
    return "heard" if look.now_ms - row.received_ms < SILENT_MS else "silent"


def _clock(row: NodeRow, _look: Look) -> str:
    return "" if row.ahead_ms is None else f"{row.ahead_ms:+,} ms".replace("-", "\u2212")


def _synced(row: NodeRow, _look: Look) -> str:
    return "" if row.ntp_synced is None else "synced" if row.ntp_synced else "unsynced"


def _key_rows(row: NodeRow, look: Look) -> Iterator[Sequence[str]]:
    for each in row.keys:
        ended = instant(each.revoked_from_ms, look)
        yield (
            each.key_id, key_state(each, look.now_ms), instant(each.enrolled_at_ms, look), each.enrolled_by, ended,
            each.reason,
        )  # fmt: skip


def _key_states() -> Sequence[tuple[str, Words]]:
    return [("good", _("Good")), ("ending", _("Ending")), ("revoked", _("Revoked")), ("none", _("No key"))]


def _letter_state(row: StoredLetter, _look: Look) -> str:
    return "replayed" if row.replayed else "waiting"


def _letter_states() -> Sequence[tuple[str, Words]]:
    return [("waiting", _("Waiting")), ("replayed", _("Replayed"))]


TEXT_CHARS_MAX = 40_000
"""Of a message's body: a node's largest report is read with ``cardhour dead-letters show``."""


def _message(warehouse: Warehouse, row: StoredLetter) -> Sequence[tuple[Words, str]]:
    """A letter's headers, and its body as far as it can be read."""
    import msgspec

    from cardhour_ingest.replay import decoded, message_of
    from cardhour_ingest.warehouse.letters import TOO_LATE

    message = message_of(warehouse, row)
    # What is too late is rows, not a message: the rollup wrote them down as JSON.
    body = message.body.decode() if row.reason == TOO_LATE else decoded(message)
    if body.startswith("{"):
        body = msgspec.json.format(body, indent=2)
    cut = f"{body[:TEXT_CHARS_MAX]}\n…" if len(body) > TEXT_CHARS_MAX else body
    headers = "\n".join(f"{name}: {text.decode(errors='replace')}" for name, text in message.headers)
    return [(_("Headers"), headers), (_("What it says"), cut)]


def _replayable(row: StoredLetter) -> bool:
    from cardhour_ingest.warehouse.letters import TOO_LATE

    return not row.replayed and row.reason != TOO_LATE


def _detail(row: StoredLetter) -> str:
    """What is wrong with it, for people."""
    skew = OFFSET.match(row.detail)
    return _("clock off by %(offset)s") % {"offset": seconds_text(int(skew[1]))} if skew else in_words(row.detail)


def _worth(row: StoredLetter, look: Look) -> Worth:
    found: Worth = look.beside.get(f"{row.letter:016x}", NONE)
    return found


def _reasons() -> Sequence[tuple[str, Words]]:
    return [(each, each) for each in REASONS]


def _now() -> Look:
    return Look(timezone="UTC", now_ms=SystemClock().now_ms())


NODES = Noun(
    slug="nodes", group="fleet", title=_("Nodes and keys"), one=_("Node"),
    help=_("Machines that report, when each was heard of last, how its clock stands, and the keys it signs with."),
    empty=_("No node has reported yet. Install the agent on one, and enrol the key that it prints."),
    stored=nodes, key=lambda row: row.node, order="node",
    columns=(
        Column(key="node", head=_("Node"), text=lambda row, _look: row.node, narrow=lambda row, _look: row.cluster),
        Column(key="cluster", head=_("Cluster"), text=lambda row, _look: row.cluster, wide=True),
        Column(key="cards", head=_("Cards"), text=lambda row, _look: str(row.cards),
               raw=lambda row, _look: row.cards, number=True, wide=True),
        Column(key="received", head=_("Last report"), text=lambda row, look: instant(row.received_ms, look),
               raw=lambda row, _look: rfc3339(row.received_ms)),
        Column(key="heard", head=_("State"), text=_heard, pill=True),
        Column(key="clock", head=_("Clock ahead"), text=_clock, raw=lambda row, _look: row.ahead_ms, number=True,
               wide=True),
        Column(key="ntp", head=_("NTP"), text=_synced, pill=True, wide=True),
        Column(key="keys", head=_("Key"), text=_keys, pill=True),
    ),
    filters=(
        Filter(key="key", label=_("Key"), choices=_key_states,
               match=lambda value: lambda row: _keys(row, _now()) == value),
    ),
    facts=(
        Fact(name=_("Cluster"), text=lambda row, _look: row.cluster),
        Fact(name=_("Cards"), text=lambda row, _look: str(row.cards or "")),
        Fact(name=_("Last report"), text=lambda row, look: instant(row.received_ms, look)),
        Fact(name=_("Last seen, by its own clock"), text=lambda row, look: instant(row.seen_at_ms, look)),
        Fact(name=_("Clock ahead"), text=_clock),
    ),
    parts=(
        Part(title=_("Keys"), heads=(_("Key"), _("State"), _("Enrolled"), _("Who"), _("Revoked from"), _("Reason")),
             rows=_key_rows, wide=frozenset({3, 4, 5})),
    ),
    audited=lambda row: row.node,
)  # fmt: skip

LETTERS = Noun(
    slug="dead-letters", group="fleet", title=_("Dead letters"), one=_("Dead letter"),
    help=_("Messages that could not be accepted, and why. Mend the cause, then replay them."),
    empty=_("No dead letters: every message could be read."),
    stored=letters, key=lambda row: f"{row.letter:016x}", order="-received",
    columns=(
        Column(key="letter", head=_("Letter"), text=lambda row, _look: f"{row.letter:016x}", mono=True,
               narrow=lambda row, look: instant(row.received_at_ms, look)),
        Column(key="received", head=_("Received"), text=lambda row, look: instant(row.received_at_ms, look),
               raw=lambda row, _look: rfc3339(row.received_at_ms), wide=True),
        Column(key="node", head=_("Node"), text=lambda row, _look: row.node, wide=True),
        Column(key="reason", head=_("Reason"), text=lambda row, _look: row.reason,
               small=lambda row, _look: _detail(row)),
        Column(key="card_hours", head=_("Card-hours"), text=lambda row, look: _worth(row, look).hours,
               raw=lambda row, look: _worth(row, look).hours.replace(",", ""), number=True, wide=True, beside=True),
        Column(key="worth", head=_("At list price"), text=lambda row, look: _worth(row, look).amount,
               small=lambda row, look: _worth(row, look).why, narrow=_letter_state,
               raw=lambda row, look: _worth(row, look).amount.replace(",", ""), number=True, beside=True),
        Column(key="currency", head=_("Currency"), text=lambda row, look: _worth(row, look).currency, wide=True,
               beside=True),
        Column(key="path", head=_("Field"), text=lambda row, _look: row.path, wide=True, mono=True),
        Column(key="state", head=_("State"), text=_letter_state, pill=True, wide=True),
    ),
    filters=(
        Filter(key="state", label=_("State"), choices=_letter_states,
               match=lambda value: lambda row: _letter_state(row, _now()) == value),
        Filter(key="reason", label=_("Reason"), choices=_reasons,
               match=lambda value: lambda row: row.reason == value),
    ),
    ticked="letters-replay", tick=_replayable, summary=by_reason, beside=worth_of, texts=_message,
    facts=(
        Fact(name=_("Reason"), text=lambda row, _look: row.reason),
        Fact(name=_("What it means"), text=lambda row, _look: words_of(row.reason)),
        Fact(name=_("What is wrong"), text=lambda row, _look: _detail(row)),
        Fact(name=_("Card-hours it speaks of"), text=lambda row, look: _worth(row, look).hours),
        Fact(name=_("At list price"), text=lambda row, look: " ".join(filter(None, (
            _worth(row, look).amount, _worth(row, look).currency, _worth(row, look).why)))),
        Fact(name=_("Field"), text=lambda row, _look: row.path, mono=True),
        Fact(name=_("Node"), text=lambda row, _look: row.node),
        Fact(name=_("Message"), text=lambda row, _look: row.source_id, mono=True),
        Fact(name=_("Where it was read"), text=lambda row, _look: row.position, mono=True),
        Fact(name=_("Received"), text=lambda row, look: instant(row.received_at_ms, look)),
    ),
)  # fmt: skip
