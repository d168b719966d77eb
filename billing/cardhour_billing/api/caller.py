"""Who calls: a key, shown as ``Authorization: Bearer …``, that may do what the route asks and is within its pace.

Owns those checks, in that order: what is not a key is not counted, and a key that calls too often learns nothing.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from msgspec import Struct
from ninja.security import HttpBearer

from cardhour_billing.api.problem import Problem
from cardhour_billing.logins.api_keys import key_of_token
from cardhour_billing.logins.api_pace import pace
from cardhour_billing.models import ApiKey, Customer
from cardhour_contract.clock import SystemClock

AUTHENTICATE = {"WWW-Authenticate": 'Bearer realm="cardhour"'}


class Caller(Struct, frozen=True, kw_only=True):
    """The key behind a call."""

    key: ApiKey

    @property
    def who(self) -> str:
        """As the audit log names it."""
        return f"api:{self.key.prefix}"

    def customer(self, asked: str) -> Customer:
        """Whose data the call is about: the key's customer; for a key of staff, the one that is asked for."""
        own = self.key.customer
        if own is not None:
            if asked not in ("", own.key):
                raise Problem("not_found", f"there is no customer '{asked}' that this key may see")
            return own
        if not asked:
            raise Problem("customer_needed")
        found = Customer.objects.select_related("issuer").filter(key=asked).first()
        if found is None:
            raise Problem("not_found", f"there is no customer '{asked}'")
        return found


class ApiRequest(HttpRequest):
    """A request that ``Key`` has let through."""

    auth: Caller


class Key(HttpBearer):
    """Lets through keys that have ``scope``."""

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        clock = SystemClock()
        key = key_of_token(token.strip(), clock.now_ms())
        if key is None:
            raise Problem("unauthorized", headers=AUTHENTICATE)
        wait_s = pace(key, settings.API_CALLS_PER_MINUTE, clock)
        if wait_s:
            raise Problem("too_many_calls", headers={"Retry-After": str(wait_s)})
        if self.scope not in key.scopes:
            raise Problem("scope_missing", f"this needs the scope '{self.scope}'; the key has {', '.join(key.scopes)}")
        return Caller(key=key)
