"""What every answer of the API has in common, whoever made it: Django, ninja or a route of ours.

Owns that a failure is a problem (never a page), and that no answer is kept on the way.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from cardhour_billing.api.problem import MEDIA_TYPE, Problem, answer, code_of

PREFIX = "/api/"


def problems_for_programs(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.path.startswith(PREFIX):
            return response
        if response.status_code >= 400 and response.headers.get("Content-Type") != MEDIA_TYPE:
            kept = {name: response.headers[name] for name in ("Allow", "Retry-After") if name in response.headers}
            response = answer(Problem(code_of(response.status_code), headers=kept))
        response.headers["Cache-Control"] = "no-store"
        return response

    return respond
