"""``--from`` and ``--to``, as every command that looks at a span takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def span_options(grain: str) -> Callable[[F], F]:
    """Both options, required, as ``from_`` and ``to``; ``grain`` says what they lie on."""

    def decorate(command: F) -> F:
        end = click.option("--to", metavar="T", required=True, help="End, exclusive, likewise.")
        start = click.option(
            "--from", "from_", metavar="T", required=True, help=f"Start, RFC 3339 with offset, on {grain}."
        )
        return start(end(command))

    return decorate
