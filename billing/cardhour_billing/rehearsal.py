"""Rehearsing: doing something for real, checks and all, and taking it back.

Owns nothing but that. What a person is shown before they say yes is what the rehearsal did, and nobody waits for a lock
while they read; whatever changes in between is refused by the same checks when it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import transaction

T = TypeVar("T")
S = TypeVar("S")


def rehearsed(act: Callable[[], T], look: Callable[[T], S]) -> S:
    """What ``look`` sees of ``act`` before it is rolled back."""
    with transaction.atomic():
        seen = look(act())
        transaction.set_rollback(True)
    return seen
