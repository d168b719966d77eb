"""Replacing a part of a running service, for the launcher alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def replace(owner: object, name: str, make: Callable[[Any], Any]) -> None:
    """Put ``make(original)`` in the place of ``owner.name``, which must exist."""
    setattr(owner, name, make(getattr(owner, name)))
