"""Points in time: UTC instants as integer milliseconds since 1970, and their text.

Owns the units of time and RFC 3339. Does not own calendars or time zones (billing's business).
An instant without an offset is refused wherever it comes from.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from cardhour_contract.errors import Refuse

SECOND_MS = 1_000
MINUTE_MS = 60_000
QUARTER_MS = 900_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

MS_US = 1_000
"""Microseconds in a millisecond: times are kept in ms, quantities in card-microseconds."""
QUARTER_US = 900_000_000
CARD_HOUR_US = 3_600_000_000

LAST_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z, the last instant that RFC 3339 and Python's datetime can write."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|z|[+-]\d\d:\d\d)", re.ASCII)

_PLAIN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z", re.ASCII)


def to_ms(at: datetime) -> int:
    """Milliseconds since the epoch of an aware datetime; finer digits are refused, not rounded."""
    if at.tzinfo is not UTC and at.utcoffset() is None:
        raise Refuse(f"{at.isoformat()} has no offset from UTC: add Z or an offset such as +08:00")
    delta = at - _EPOCH
    if delta.microseconds % MS_US:
        raise Refuse(f"{at.isoformat()} is finer than a millisecond")
    return (delta.days * DAY_MS) + delta.seconds * SECOND_MS + delta.microseconds // MS_US


def from_ms(at_ms: int) -> datetime:
    """The aware UTC datetime of an instant in milliseconds."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def parse_rfc3339(text: str) -> int:
    """Milliseconds of an RFC 3339 instant with offset and at most three decimals of a second.

    Raises Refuse with what is wrong: no offset, no such day, more than milliseconds.
    """
    if _PLAIN.fullmatch(text) is not None:  # what agents send with every report, told quickly
        with suppress(ValueError):
            return to_ms(datetime.fromisoformat(text))
    match = _RFC3339.fullmatch(text)
    if match is None:
        if re.fullmatch(r"[\d-]+([Tt ][\d:.]+)?", text):
            raise Refuse(f"'{text}' has no offset from UTC: write 2026-01-31T00:00:00Z or …+08:00")
        raise Refuse(f"'{text}' is not an RFC 3339 time such as 2026-01-31T00:00:00Z")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    if len((fraction or "").rstrip("0")) > 3:
        raise Refuse(f"'{text}' is finer than a millisecond")
    try:
        local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6])) if offset not in "Zz" else timedelta()
        if shift >= timedelta(days=1):
            raise ValueError("offset of a day or more")
        utc = local + shift if offset.startswith("-") else local - shift
    except (ValueError, OverflowError) as error:
        raise Refuse(f"'{text}' is not a time: {error}") from error
    return to_ms(utc) + int((fraction or "0")[:3].ljust(3, "0"))


def format_rfc3339(at_ms: int) -> str:
    """``2026-01-31T00:00:00Z``; milliseconds only where there are some."""
    at = from_ms(at_ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{at_ms % 1000:03d}" if at_ms % 1000 else "") + "Z"


def floor_to(at_ms: int, step_ms: int) -> int:
    """The last multiple of ``step_ms`` (from the epoch) that is not after ``at_ms``."""
    return at_ms - at_ms % step_ms


def ceil_to(at_ms: int, step_ms: int) -> int:
    """The first multiple of ``step_ms`` (from the epoch) that is not before ``at_ms``."""
    return at_ms + (-at_ms) % step_ms
