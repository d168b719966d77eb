"""The values of a usage row: each function reads the text of one field, or raises Refuse with what is wrong with it.

Owns the format of every column (docs/usage-csv.md). Does not own where the text stood, or rules across columns.
Decimals are read digit by digit into integers: no float, nothing rounded.
"""

from __future__ import annotations

import re
from functools import lru_cache

from cardhour_contract.errors import Refuse
from cardhour_contract.identity import NAME_BYTES_MAX
from cardhour_contract.moment import LAST_MS, parse_rfc3339
from cardhour_contract.record import ACTIVE_WHOLE, SHARE_WHOLE
from cardhour_ingest.reading import OWNER
from cardhour_ingest.rules import MEMORY_BYTES_MAX

NOT_MEASURED = -1
"""Stands for an empty field in a column of integers, where 0 is a reading."""

_SHOWN_MAX = 60
_INSTANT_MAX = 40
"""No RFC 3339 time is longer; keeps the message about a wrong one short."""
_CACHED = 1 << 17
"""Distinct texts remembered: a day has 86 400 seconds, and files mostly repeat."""

_NUMBER = re.compile(r"(-?)(\d{1,20})(?:\.(\d{1,40}))?", re.ASCII)


def shown(text: str) -> str:
    """The text in quotes, control characters escaped, cut where it is long."""
    return repr(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…")


def name(text: str) -> str:
    """A name that must be there."""
    if not text:
        raise Refuse("is empty")
    return optional_name(text)


def optional_name(text: str) -> str:
    """A name, or nothing."""
    if len(text.encode()) > NAME_BYTES_MAX:
        raise Refuse(f"{shown(text)} is longer than {NAME_BYTES_MAX} bytes")
    if not text.isprintable():
        raise Refuse(f"{shown(text)} holds a character that cannot be printed")
    if text != text.strip():
        raise Refuse(f"{shown(text)} begins or ends with a space")
    return text


def owner(text: str) -> str:
    """``kind:name``."""
    if name(text) and not OWNER.fullmatch(text):
        raise Refuse(f"{shown(text)} is not kind:name, such as k8s:team-a, with the kind in lower case")
    return text


def instant_ms(text: str) -> int:
    """RFC 3339 with an offset, at most milliseconds, not before 1970."""
    if len(text) > _INSTANT_MAX:
        raise Refuse(f"{shown(text)} is not an RFC 3339 time such as 2026-01-31T00:00:00Z")
    if not text:
        raise Refuse("is empty")
    try:
        # A day and a time of day each repeat far more often than both together do.
        at_ms = _read_ms(text[:10] + "T00:00:00Z") + _read_ms("2000-01-01" + text[10:]) - _YEAR_2000_MS
    except Refuse:
        at_ms = parse_rfc3339(text)
    if not 0 <= at_ms <= LAST_MS:
        raise Refuse(f"{shown(text)} is not between 1970 and 9999")
    return at_ms


_read_ms = lru_cache(maxsize=_CACHED)(parse_rfc3339)
_YEAR_2000_MS = parse_rfc3339("2000-01-01T00:00:00Z")


def share(text: str) -> int:
    """Permille of the card from a decimal in (0, 1]; the whole card where nothing is declared."""
    if not text:
        return SHARE_WHOLE
    permille = _scaled(text, 3)
    if not 0 < permille <= SHARE_WHOLE:
        raise Refuse(f"{shown(text)} is not above 0 and at most 1")
    return permille


def active_rate(text: str) -> int:
    """1e-4 percent from a percentage of 0 to 100; ``NOT_MEASURED`` where empty."""
    if not text:
        return NOT_MEASURED
    rate = _scaled(text, 4)
    if not 0 <= rate <= ACTIVE_WHOLE:
        raise Refuse(f"{shown(text)} is not a percentage from 0 to 100")
    return rate


def memory_bytes(text: str) -> int:
    """Whole bytes; ``NOT_MEASURED`` where empty."""
    if not text:
        return NOT_MEASURED
    held_bytes = _scaled(text, 0)
    if not 0 <= held_bytes <= MEMORY_BYTES_MAX:
        raise Refuse(f"{shown(text)} is not from 0 to {MEMORY_BYTES_MAX} bytes")
    return held_bytes


def _scaled(text: str, places: int) -> int:
    """The decimal times 10 to the ``places``, which must leave nothing behind the point."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise Refuse(f"{shown(text)} is not a number such as {'0.5' if places else '1073741824'}")
    sign, whole, fraction = match.groups(default="")
    if len(fraction) > places:
        raise Refuse(f"{shown(text)} has more than {places} decimals" if places else f"{shown(text)} is not whole")
    magnitude = int(whole + fraction.ljust(places, "0"))
    return -magnitude if sign else magnitude
