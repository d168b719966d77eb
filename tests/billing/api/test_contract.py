"""The API keeps to its own OpenAPI document, whatever it is sent: schemathesis makes requests from the document.

Bounded and derandomised: the same requests each time. What is checked of each answer: no error of ours, a status, media
type and body that the document has, invalid requests refused, and nothing without a key. Not checked is that whatever
fits the document is accepted: it cannot say that a span begins before it ends, or which cursors there are.
"""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from pytest_django import Settings
from schemathesis import Case
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from cardhour_billing.wsgi import application
from tests.billing import books_of_two as books
from tests.billing.in_process import Store

EXAMPLES = 4
"""Requests for each of the routes: some seconds in all."""

BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def test_every_route_answers_as_its_document_says(books_of_two: Store, settings: Settings) -> None:
    settings.API_CALLS_PER_MINUTE = 60_000
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    headers = {"Authorization": f"Bearer {books.token('acme')}"}
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found

        @BOUNDED
        @given(case=found.ok().as_strategy())
        def asked(case: Case[Any]) -> None:
            case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

        asked()
