"""The API put together: its routes, its OpenAPI document, and what becomes of each kind of failure."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from structlog import get_logger

from cardhour_billing.api.caller import AUTHENTICATE
from cardhour_billing.api.problem import MEDIA_TYPE, Problem, answer, code_of
from cardhour_billing.api.routes import (
    alerts,
    balance,
    budgets,
    invoices,
    leases,
    months,
    organisation,
    payments,
    reports,
    statements,
    usage,
)
from cardhour_billing.api.words import known_only
from cardhour_contract.errors import Refuse, Retry

DESCRIPTION = (
    "What a customer sees in the portal. Money is a decimal string with the currency's decimals, a quantity an integer "
    "of card-microseconds (3 600 000 000 are one card-hour), a time RFC 3339. Errors are application/problem+json."
)


class CardHourApi(NinjaAPI):
    """NinjaAPI whose document says of errors what is sent: their own media type."""

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(**kwargs)
        for operations in schema["paths"].values():
            for operation in operations.values():
                for status, response in operation["responses"].items():
                    if int(status) >= 400 and "application/json" in response.get("content", {}):
                        response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
        return schema


api = CardHourApi(
    title="CardHour",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    docs_url=None,  # its pages need a CDN or inline script; docs/api.md needs neither
)
api.add_decorator(known_only)
for module in (usage, months, reports, invoices, statements, payments, leases, balance, budgets, alerts, organisation):
    api.add_router("", module.router)


@api.exception_handler(Problem)
def on_problem(request: HttpRequest, error: Problem) -> HttpResponse:
    return answer(error)


@api.exception_handler(AuthenticationError)
def on_no_key(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return answer(Problem("unauthorized", headers=AUTHENTICATE))


@api.exception_handler(ValidationError)
def on_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    wrong = [{"where": ".".join(str(part) for part in each["loc"]), "what": each["msg"]} for each in error.errors]
    return answer(Problem("invalid", errors=wrong))


@api.exception_handler(HttpError)
def on_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    return answer(Problem(code_of(error.status_code), error.message))


@api.exception_handler(Http404)
def on_missing(request: HttpRequest, error: Http404) -> HttpResponse:
    return answer(Problem("not_found"))


@api.exception_handler(RequestDataTooBig)
def on_too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return answer(Problem("too_large", f"at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes"))


@api.exception_handler(Refuse)
def on_refused(request: HttpRequest, error: Refuse) -> HttpResponse:
    return answer(Problem("invalid", " ".join(error.problems)))


@api.exception_handler(Retry)
def on_retry(request: HttpRequest, error: Retry) -> HttpResponse:
    get_logger().warning("store_away", path=request.path, error=str(error))
    return answer(Problem("unavailable", headers={"Retry-After": "10"}))


@api.exception_handler(Exception)
def on_broken(request: HttpRequest, error: Exception) -> HttpResponse:
    get_logger().error("api_broken", path=request.path, exc_info=error)
    return answer(Problem("broken"))
