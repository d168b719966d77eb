"""Rehearse, show, ask, do: for commands whose effect stays.

Owns that order. What is shown is what the rehearsal did, checks and all, before it was rolled back; nobody waits for a
lock while a person reads. Whatever changed in between is refused by the same checks when it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

T = TypeVar("T")


def asked(act: Callable[[], T], show: Callable[[T], None], question: str, *, yes: bool) -> T:
    """Do ``act`` after having shown what it does; ``yes`` does not ask. Raises Abort where the answer is no."""
    from cardhour_billing.rehearsal import rehearsed

    rehearsed(act, show)
    if not yes:
        click.confirm(question, abort=True, err=True)
    return act()
