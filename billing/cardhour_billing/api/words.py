"""What parameters and fields of the API are made of: text that a store can hold, numbers that it has, customers.

Owns their limits, which stand in the OpenAPI document as well.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Schema

from cardhour_billing.api.problem import CODES, Problem
from cardhour_billing.models.party import KEY_CHARS_MAX, NAME_CHARS_MAX

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

Id = Annotated[int, Field(ge=1, lt=2**63)]
Word = Annotated[str, Field(max_length=NAME_CHARS_MAX, pattern=PRINTABLE)]
CustomerKey = Annotated[
    str,
    Query(
        max_length=KEY_CHARS_MAX,
        pattern=PRINTABLE,
        description="Whose data. A key of staff must say it; a customer's key has its own.",
    ),
]
Period = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="`YYYY-MM`.")]


class Wrong(Schema):
    """One thing that is wrong with a request."""

    where: str
    """Such as `query.limit` or `body.lines.0`."""
    what: str


class ProblemShape(Schema):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    code: str = Field(description=f"Stable, one of: {', '.join(CODES)}.")
    detail: str
    errors: list[Wrong] | None = None


COMMON = (400, 401, 403, 404, 422, 429, 503)


def answers(shape: Any, *, status: int = 200, also: tuple[int, ...] = ()) -> dict[int, Any]:
    """What a route answers: ``shape``, or one of the problems that every route has, or of ``also``."""
    return {status: shape} | dict.fromkeys(sorted({*COMMON, *also}), ProblemShape)


def known_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """Refuses query parameters that a route does not have: a filter that is misspelt must not be a filter left out."""
    names = {_name(each) for each in inspect.signature(view, eval_str=True).parameters.values()}

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if unknown := sorted(set(request.GET) - names):
            raise Problem(
                "invalid", errors=[{"where": f"query.{each}", "what": "no such parameter"} for each in unknown]
            )
        return view(request, *args, **kwargs)

    return checked


def _name(parameter: inspect.Parameter) -> str:
    """As it is written in a query."""
    found = (getattr(each, "alias", None) for each in getattr(parameter.annotation, "__metadata__", ()))
    return next((each for each in found if each), parameter.name)
