"""What a replay of dead letters would do, shown before it is done. Owns the figures of that page; does nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from cardhour_billing.portal.letters.waiting import VALUED_MAX, Estimate, estimate, words_of
from cardhour_billing.portal.phrases import in_words
from cardhour_contract.errors import Refuse

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.client import Warehouse
    from cardhour_ingest.warehouse.letters import StoredLetter

LETTERS_MAX = 5_000
"""Letters of one replay from the portal; what is left is replayed with the next, or with the command."""
SHOWN_MAX = 50


class Fails(Struct, frozen=True, kw_only=True):
    """Letters that would stay, for one reason."""

    reason: str
    words: str
    count: int
    detail: str
    """Of the first of them."""


class Offset(Struct, frozen=True, kw_only=True):
    """What is taken from every time that a node's letters have."""

    node: str
    offset: str
    count: int


class Preview(Struct, frozen=True, kw_only=True):
    """What would become of ``letters``; of the first ``tried`` of them it was tried."""

    letters: tuple[StoredLetter, ...]
    left: int
    """Letters beyond ``LETTERS_MAX``, for a next time."""
    nodes: int
    tried: int
    accepted: int
    fails: tuple[Fails, ...]
    offsets: tuple[Offset, ...]
    estimate: Estimate | None
    digest: str
    """Of what is shown: another is asked about again."""


def letter_keys(names: Sequence[str]) -> list[int]:
    """Ids of letters. Raises Refuse for what is none."""
    wrong = [each for each in names if len(each) != 16 or set(each) - set("0123456789abcdef")]
    if wrong:
        raise Refuse(f"'{wrong[0][:40]}' is not a letter's id: 16 hexadecimal digits")
    return [int(each, 16) for each in names]


def preview(warehouse: Warehouse, keys: Sequence[int], reason: str, *, unsigned: bool, now_ms: int) -> Preview | None:
    """What replaying these would do; None where nothing waits. Raises Refuse as the command does."""
    from cardhour_ingest.replay import rehearse, waiting

    found = waiting(warehouse, letters=keys, reason=reason)
    letters = tuple(found[:LETTERS_MAX])
    if not letters:
        return None
    done = rehearse(warehouse, letters[:VALUED_MAX], of=letters, unsigned=unsigned)
    node_of = {each.letter: each.node for each in letters}
    moved = Counter((node_of[each.letter], each.offset_ms) for each in done if each.offset_ms)
    stays = Counter(each.reason for each in done if not each.accepted)
    first = {each.reason: each for each in reversed(done) if not each.accepted}
    return Preview(
        letters=letters,
        left=len(found) - len(letters),
        nodes=len(set(node_of.values())),
        tried=len(done),
        accepted=sum(each.accepted for each in done),
        fails=tuple(
            Fails(
                reason=each,
                words=words_of(each),
                count=count,
                detail=f"{first[each].path} {in_words(first[each].detail)}".strip(),
            )
            for each, count in stays.most_common()
        ),
        offsets=tuple(
            Offset(node=node, offset=seconds_text(offset_ms), count=count)
            for (node, offset_ms), count in sorted(moved.items())[:SHOWN_MAX]
        ),
        estimate=estimate(warehouse, letters, now_ms),
        digest=hashlib.sha256(b"".join(each.letter.to_bytes(8, "big") for each in letters)).hexdigest(),
    )


def seconds_text(offset_ms: int) -> str:
    """An offset with its sign: ``+1:00:00.000``."""
    seconds, rest = divmod(abs(offset_ms), 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{'−' if offset_ms < 0 else '+'}{hours}:{minute:02d}:{second:02d}.{rest:03d}"
