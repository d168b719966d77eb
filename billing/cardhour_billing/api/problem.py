"""Errors of the API, as RFC 9457 has them: ``application/problem+json`` with a ``code`` that programs may rely on.

Owns the codes and how each kind of failure becomes one. A code never changes its meaning; ``detail`` is for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

MEDIA_TYPE = "application/problem+json"

CODES: dict[str, tuple[int, str]] = {
    "bad_request": (400, "the request cannot be read"),
    "bad_cursor": (400, "the cursor is not one that this list gave"),
    "customer_needed": (400, "a key of staff must say whose data it asks for: ?customer=ID"),
    "idempotency_key_needed": (400, "a write needs an Idempotency-Key header"),
    "unauthorized": (401, "no key, or one that is not good (any more)"),
    "scope_missing": (403, "the key may not do this"),
    "not_found": (404, "there is no such thing, or it is not yours"),
    "method_not_allowed": (405, "this address does not take that method"),
    "in_conflict": (409, "what was asked for does not go with how things stand"),
    "idempotency_key_reused": (409, "the Idempotency-Key was used for another request"),
    "too_large": (413, "the request is too large"),
    "invalid": (422, "a parameter or field is not what it should be"),
    "too_many_calls": (429, "the key calls too often: wait as long as Retry-After says"),
    "broken": (500, "an error of ours; nothing was changed"),
    "unavailable": (503, "a store did not answer: try again"),
}
"""Code → HTTP status and its meaning. docs/api.md has them too."""


class Problem(Exception):
    """Ends a call. ``errors``: what is wrong with which parameter or field."""

    def __init__(
        self, code: str, detail: str = "", *, errors: Sequence[Mapping[str, str]] = (), headers: Mapping[str, str] = {}
    ) -> None:
        super().__init__(detail or CODES[code][1])
        self.code, self.detail, self.errors, self.headers = code, detail, errors, headers


def answer(problem: Problem) -> HttpResponse:
    """The problem as it is sent."""
    status, meaning = CODES[problem.code]
    content: dict[str, Any] = {
        "type": f"urn:cardhour:problem:{problem.code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": problem.code,
        "detail": problem.detail or meaning,
    }
    if problem.errors:
        content["errors"] = [dict(each) for each in problem.errors]
    return HttpResponse(
        json.dumps(content, ensure_ascii=False), status=status, content_type=MEDIA_TYPE, headers=dict(problem.headers)
    )


def code_of(status: int) -> str:
    """The code for a failure that has only a status."""
    return next(
        (code for code, (each, _) in CODES.items() if each == status), "broken" if status >= 500 else "bad_request"
    )


@csrf_exempt
def no_such_address(request: HttpRequest) -> HttpResponse:
    """For every address under ``/api`` that is no route, so that a program is not answered with a page."""
    return answer(Problem("not_found", "there is no such route: /api/v1/openapi.json has those there are"))
