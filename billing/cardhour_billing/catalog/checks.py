"""Checks of single values of a catalog file, in the words that the file's author reads.

Owns those that more than one noun needs. A check takes a value and raises Refuse; ``check`` turns that into problems.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from cardhour_contract.errors import Refuse
from cardhour_contract.identity import NAME_BYTES_MAX
from cardhour_contract.moment import QUARTER_MS, ceil_to, floor_to, format_rfc3339, to_ms

_COUNTRY = re.compile(r"[A-Z]{2}")
_ENDPOINT = re.compile(r"(?:[0-9]{4}|[A-Z]{2}):\S{1,100}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check(*checks: tuple[Callable[[Any], object], Any]) -> list[str]:
    """What the checks refuse, each with its value."""
    found: list[str] = []
    for each, value in checks:
        try:
            each(value)
        except Refuse as error:
            found += error.problems
    return found


def an_id(text: str) -> None:
    """What people choose for a customer, a project, a book: it stands in file names and URLs."""
    if not _ID.fullmatch(text):
        raise Refuse(f"'{text}' is not an id: letters, digits, dot, dash and underscore, at most 64")


def a_name(text: str) -> None:
    """What the fleet or people call something."""
    if not text or text.strip() != text or len(text.encode()) > NAME_BYTES_MAX:
        raise Refuse(f"'{text[:40]}' is not a name: 1 to {NAME_BYTES_MAX} bytes, no space around it")


def an_owner(text: str) -> None:
    """An owner or model, exact or a prefix ending in ``*``."""
    a_name(text)
    if "*" in text[:-1]:
        raise Refuse(f"'{text}': a * may only stand at the end, and means every owner that begins so")


def emails(value: str | list[str]) -> None:
    """One address or a list of them; none is fine."""
    given = [value] if isinstance(value, str) else value
    wrong = [each for each in given if each and not re.fullmatch(r"[^\s@<>,;]+@[^\s@<>,;]+", each)]
    if wrong:
        raise Refuse(f"email: '{wrong[0]}' is not an address such as billing@example.com")


def a_country(text: str) -> None:
    """ISO 3166-1 alpha-2; the two that people write otherwise are named."""
    usual = {"UK": "GB", "EL": "GR"}.get(text)
    if usual or not _COUNTRY.fullmatch(text):
        if usual:
            raise Refuse(f"country: '{text}' is not an ISO 3166-1 code: ISO has '{usual}'")
        raise Refuse(f"country: '{text}' is not an ISO 3166-1 code: two capital letters, such as DE or CN")


def an_endpoint(text: str) -> None:
    """An electronic address with its scheme of the EAS list."""
    if not _ENDPOINT.fullmatch(text):
        raise Refuse(f"endpoint: '{text}' is not an electronic address: scheme:id, such as 0204:991-12345-06")


def times(from_: datetime, to: datetime | None) -> list[str]:
    """Both on a quarter hour, with an offset, and in order."""
    found: list[str] = []
    for key, at in (("from", from_), ("to", to)):
        if at is not None:
            try:
                at_ms = to_ms(at)
            except Refuse as error:
                found.append(f"{key}: {error}")
                continue
            if at_ms % QUARTER_MS:
                before, after = format_rfc3339(floor_to(at_ms, QUARTER_MS)), format_rfc3339(ceil_to(at_ms, QUARTER_MS))
                found.append(
                    f"{key}: {format_rfc3339(at_ms)} is off a quarter hour; the nearest are {before} and {after}"
                )
    if not found and to is not None and to <= from_:
        found.append("to: must be after from")
    return found


def validity(table: Any) -> tuple[int, int | None]:
    """``from`` and ``to`` of a table as UTC milliseconds. Raises Refuse where ``times`` has complained."""
    return to_ms(table.from_), to_ms(table.to) if table.to else None
