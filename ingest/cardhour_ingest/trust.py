"""Whose word is taken: a node speaks for itself alone, by a key that staff enrolled for it.

Owns the decision on one message, and keeping the nodes' keys and cards at hand. Does not own the keys
(``warehouse.node_keys``) nor what is signed (``contract.signing``).

Where signatures are not required nothing is verified, since that would double what a message costs; but a message
that names another node's key, or a revoked one, is refused all the same. A message is judged by its arrival, which
the broker's clock gives: a stolen key cannot date its messages back to before it was revoked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from cardhour_contract.clock import Clock
from cardhour_contract.errors import Reject
from cardhour_contract.moment import format_rfc3339
from cardhour_contract.signing import BAD_SIGNATURE, KEY_HEADER, SIGNATURE_HEADER, Signature, signature_of
from cardhour_contract.wire import PackedReport, column_values
from cardhour_ingest.source import Message
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.homes import card_listings
from cardhour_ingest.warehouse.node_keys import NodeKey, keys_by_id

UNSIGNED = "unsigned"
UNKNOWN_KEY = "unknown_key"
REVOKED_KEY = "revoked_key"
WRONG_KEY = "wrong_key"
WRONG_CARD = "wrong_card"

UNTRUSTED = frozenset({UNSIGNED, UNKNOWN_KEY, REVOKED_KEY, WRONG_KEY, WRONG_CARD, BAD_SIGNATURE})
"""Every reason given here."""

KEYS_AGE_MS = 10_000
"""How late a revocation may be noticed. Reading all keys of 10,000 nodes takes some milliseconds."""

ASK_AGAIN_MS = 1_000
"""How soon an unknown key is asked for again: one that was enrolled a moment ago must not cost its first reports, and
strangers' keys must not keep the warehouse busy."""

LISTINGS_AGE_MS = 60_000
"""How often the cards of all nodes are read. Claims that pass here are noted at once."""


class Trust(Protocol):
    """Decides on messages before anything else is made of them."""

    def check(self, message: Message, source: str) -> None:
        """Raises Reject for a message that its ``ce_source`` may not have sent. The body is not decoded yet."""
        ...

    def check_cards(self, report: PackedReport) -> None:
        """Raises Reject for a report on cards that are other nodes'. Reports of a node must come in their order."""
        ...


class Anyone:
    """What arrives by a way that only its sender can write to, such as a spool on this machine."""

    def check(self, message: Message, source: str) -> None:
        """Believed."""

    def check_cards(self, report: PackedReport) -> None:
        """Believed."""


class EnrolledNodes:
    """The nodes' keys and cards, as they are known now.

    listings: which nodes' scans have listed a card. A scan is a claim that anybody may make, since cards move; of two
    claims the ledger counts the home's (``warehouse.homes``) and shows the other. Without it a claim is no conflict
    but a lie.
    """

    def __init__(self, keys: Mapping[str, NodeKey], listings: dict[str, set[str]], *, required: bool) -> None:
        self.keys = keys
        self.listings = listings
        self._required = required

    def check_cards(self, report: PackedReport) -> None:
        if not self._required:
            return
        for listed in report.scan.cards if report.scan is not None else ():
            for card in filter(None, (listed.card, listed.parent)):
                self.listings.setdefault(card, set()).add(report.node)
        for kind, card in _cards_of(report):
            nodes = self.listings.get(card)
            if nodes and report.node not in nodes:
                detail = f"card '{card}' is on {' and '.join(sorted(nodes))}; no scan of '{report.node}' lists it"
                raise Reject(WRONG_CARD, detail, path=f"$.{kind}")

    def check(self, message: Message, source: str) -> None:
        signature = self._claimed(message)
        if signature is None:
            return
        key = self.keys.get(signature.key_id)
        path = f"headers.{KEY_HEADER}"
        if key is not None and source != key.source:
            raise Reject(WRONG_KEY, f"'{source}' signs with a key of node '{key.node}'", path=path)
        if key is not None and key.revoked_from_ms is not None and message.received_at_ms >= key.revoked_from_ms:
            raise Reject(REVOKED_KEY, f"revoked from {format_rfc3339(key.revoked_from_ms)}", path=path)
        if not self._required:
            return
        if key is None:
            detail = f"no node has the key {signature.key_id[:64]}: enrol it with 'cardhour node enrol', then replay"
            raise Reject(UNKNOWN_KEY, detail, path=path)
        if not key.public.verify(message.headers, message.body, signature.value):
            detail = f"not made by the key {key.key_id} over these headers and this body"
            raise Reject(BAD_SIGNATURE, detail, path=f"headers.{SIGNATURE_HEADER}")

    def _claimed(self, message: Message) -> Signature | None:
        try:
            signature = signature_of(message.headers)
        except Reject:
            if self._required:
                raise
            return None
        if signature is None and self._required:
            raise Reject(UNSIGNED, "a signature is required", path=f"headers.{SIGNATURE_HEADER}")
        return signature


class KeyRing:
    """Trust that follows the warehouse: enrolments and revocations count within seconds, without a restart."""

    def __init__(self, warehouse: Warehouse, *, required: bool, clock: Clock) -> None:
        self._warehouse = warehouse
        self._required = required
        self._clock = clock
        self._nodes = EnrolledNodes({}, {}, required=required)
        self._read_at_ms: int | None = None
        self._listed_at_ms: int | None = None

    def check(self, message: Message, source: str) -> None:
        self._nodes.check(message, source)

    def check_cards(self, report: PackedReport) -> None:
        self._nodes.check_cards(report)

    def refresh(self, messages: Iterable[Message]) -> None:
        """Have the keys that these messages need. Raises Retry where the warehouse does not answer."""
        now_ms = self._clock.monotonic_ms()
        age_ms = None if self._read_at_ms is None else now_ms - self._read_at_ms
        if age_ms is None or age_ms >= KEYS_AGE_MS or (age_ms >= ASK_AGAIN_MS and self._lacks_one(messages)):
            with self._warehouse.another() as mine:  # the loop's own connection may be writing just now
                self._nodes = EnrolledNodes(keys_by_id(mine), self._listings(mine, now_ms), required=self._required)
            self._read_at_ms = now_ms

    def _listings(self, warehouse: Warehouse, now_ms: int) -> dict[str, set[str]]:
        if not self._required or (self._listed_at_ms is not None and now_ms - self._listed_at_ms < LISTINGS_AGE_MS):
            return self._nodes.listings
        found = card_listings(warehouse)
        # What was claimed here a moment ago may not be stored yet.
        for card, nodes in self._nodes.listings.items():
            found.setdefault(card, set()).update(nodes)
        self._listed_at_ms = now_ms
        return found

    def _lacks_one(self, messages: Iterable[Message]) -> bool:
        named = {value for each in messages for name, value in each.headers if name.lower() == KEY_HEADER}
        return any(each.decode(errors="replace") not in self._nodes.keys for each in named)


def _cards_of(report: PackedReport) -> Iterator[tuple[str, str]]:
    """Each card that the report speaks of, with where. An index that points nowhere is for the columns' own check."""
    strings = report.strings
    for kind, column in (("usage", report.usage.card), ("cards", report.cards.card)):
        for index in set(column_values("I", column)):
            if index < len(strings):
                yield kind, strings[index]
    for fault in report.faults:
        yield "faults", fault.card
