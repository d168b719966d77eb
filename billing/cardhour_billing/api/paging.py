"""Pages of a list: ``limit`` items, then a cursor that leads on. Items added meanwhile neither repeat nor skip any.

Owns cursors. A cursor holds the key of the last item that was given, and which list gave it: one of another list is
refused rather than taken for a place in this one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from django.db.models import Model, QuerySet
from ninja import Field, Schema

from cardhour_billing.api.problem import Problem

LIMIT, LIMIT_MAX = 100, 1_000
CURSOR_CHARS_MAX = 2_000

Row = TypeVar("Row", bound=Model)
Item = TypeVar("Item")

Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX, description="How many items to give at most.")]
Cursor = Annotated[
    str, Field(max_length=CURSOR_CHARS_MAX, description="`next_cursor` of the page before; empty for the first page.")
]


class Paged(Schema):
    """Where a list goes on."""

    next_cursor: str | None
    """For `?cursor=`; null on the last page."""


def page_of(
    name: str, rows: QuerySet[Row], shown: Callable[[Row], Item], *, limit: int, cursor: str, newest_first: bool = True
) -> dict[str, Any]:
    """A page of ``rows`` by their primary key, each as ``shown`` has it."""
    last = _last(name, cursor, int)
    ordered = rows.order_by("-pk" if newest_first else "pk")
    if last is not None:
        ordered = ordered.filter(**{"pk__lt" if newest_first else "pk__gt": last})
    found = list(ordered[: limit + 1])
    more = len(found) > limit
    return {
        "items": [shown(each) for each in found[:limit]],
        "next_cursor": _cursor(name, found[limit - 1].pk) if more else None,
    }


def page_of_sorted(
    name: str, items: Sequence[Item], key: Callable[[Item], list[str]], *, limit: int, cursor: str
) -> dict[str, Any]:
    """A page of items that are in memory, sorted by ``key``, which tells each from all others."""
    last = _last(name, cursor, list[str])
    left = [each for each in items if key(each) > last] if last is not None else items
    given = list(left[:limit])
    return {"items": given, "next_cursor": _cursor(name, key(given[-1])) if len(left) > limit else None}


def _cursor(name: str, last: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([name, last])).decode().rstrip("=")


def _last(name: str, cursor: str, kind: Any) -> Any:
    if not cursor:
        return None
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found, last = msgspec.json.decode(content, type=tuple[str, kind])
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise Problem("bad_cursor") from error
    if found != name or (isinstance(last, int) and not 0 <= last < 2**63):
        raise Problem("bad_cursor")
    return last
