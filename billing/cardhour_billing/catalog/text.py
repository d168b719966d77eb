"""Tables of a catalog written as TOML, so that what a form says is read by the same code as a file.

Owns the text. Does not own what a table may say (``catalog_<noun>``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cardhour_billing.month import zone
from cardhour_contract.errors import InvariantBroken
from cardhour_contract.moment import from_ms


class Instant(str):
    """A time as TOML has it, unquoted: ``2026-10-01T00:00:00+08:00``."""

    __slots__ = ()


def table_text(name: str, values: Mapping[str, Any]) -> str:
    """``[[name]]`` with its keys; what is empty is left out."""
    lines = [f"{key} = {_value(value)}" for key, value in values.items() if value not in ("", None, [], False)]
    return "\n".join((f"[[{name}]]", *lines, ""))


def instant(at_ms: int, timezone: str) -> Instant:
    """UTC milliseconds on the wall clock of ``timezone``, with its offset."""
    return Instant(from_ms(at_ms).astimezone(zone(timezone)).isoformat())


def _value(value: Any) -> str:
    if isinstance(value, Instant):
        return str(value)
    if isinstance(value, str):
        # JSON's strings are TOML's basic strings, but for one control character.
        return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    raise InvariantBroken(f"a catalog has no {type(value).__name__}")
