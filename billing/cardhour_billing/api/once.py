"""Writes that may be sent again: the same ``Idempotency-Key`` within a day is given the same answer, and acts once.

Owns keeping those answers. Only what was done is kept: a write that was refused changed nothing, and asking again is
the way to find out whether it would be refused still.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated

from django.db import transaction
from django.http import HttpResponse
from ninja import Header, Schema

from cardhour_billing.api.caller import ApiRequest
from cardhour_billing.api.problem import Problem
from cardhour_billing.models import ApiAnswer, ApiKey
from cardhour_billing.models.api_key import IDEMPOTENCY_CHARS_MAX
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import DAY_MS

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
JSON = "application/json; charset=utf-8"

IdempotencyKey = Annotated[
    str,
    Header(
        alias=HEADER,
        min_length=1,
        max_length=IDEMPOTENCY_CHARS_MAX,
        pattern=r"^[!-~]+$",
        description="Made up by you, such as a UUID: the same one within a day acts once and is answered alike.",
    ),
]


def once(request: ApiRequest, act: Callable[[], Schema], clock: Clock, *, status: int = 200) -> HttpResponse:
    """Do ``act`` and answer with what it returns, or with what it returned the first time."""
    name = request.headers.get(HEADER, "")
    if not name or len(name) > IDEMPOTENCY_CHARS_MAX or not (name.isascii() and name.isprintable()):
        raise Problem("idempotency_key_needed", f"{HEADER} must be 1 to {IDEMPOTENCY_CHARS_MAX} characters of ASCII")
    digest, now_ms = _digest(request), clock.now_ms()
    with transaction.atomic():
        # 1. One write of a key at a time: two equal ones that arrive together become one after the other.
        ApiKey.objects.select_for_update().get(pk=request.auth.key.pk)
        # 2. What was answered before, if it was this request. 3. What is done and its answer stand or fall together.
        ApiAnswer.objects.filter(at_ms__lte=now_ms - DAY_MS).delete()
        kept = ApiAnswer.objects.filter(key=request.auth.key, idempotency_key=name).first()
        if kept is not None:
            if kept.request_digest != digest:
                raise Problem("idempotency_key_reused", f"'{name}' was used for another request: take a new key")
            return HttpResponse(bytes(kept.body), status=kept.status, content_type=JSON, headers={REPLAYED: "true"})
        try:
            body = act().model_dump_json().encode()
        except Refuse as error:
            raise Problem("in_conflict", " ".join(error.problems)) from error
        ApiAnswer.objects.create(
            key=request.auth.key, idempotency_key=name, request_digest=digest, status=status, body=body, at_ms=now_ms
        )
    return HttpResponse(body, status=status, content_type=JSON)


def _digest(request: ApiRequest) -> str:
    asked = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(asked + request.body).hexdigest()
