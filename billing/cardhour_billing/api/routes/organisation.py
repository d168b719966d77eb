"""``/users`` and ``/api-keys``: who and what may look at a customer's books. They are kept in the portal."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from ninja import Field, Router, Schema

from cardhour_billing.api.caller import ApiRequest, Key
from cardhour_billing.api.paging import LIMIT, Cursor, Limit, Paged, page_of
from cardhour_billing.api.words import CustomerKey, answers
from cardhour_billing.logins.api_keys import keys_of, state_of_key
from cardhour_billing.logins.invitation import invited_until_ms
from cardhour_billing.logins.organisation import members
from cardhour_billing.logins.users import role_of
from cardhour_billing.models import ApiKey
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import format_rfc3339, to_ms

router = Router(tags=["organisation"])
READ = Key("users:read")


class UserItem(Schema):
    """A login of the organisation."""

    login: str
    email: str = Field(description="Empty where it has none.")
    role: str = Field(description="`member` or `admin`.")
    active: bool
    invited_until: str | None = Field(description="Until when its link is good; null once it has a password.")
    last_sign_in: str | None


class Users(Paged):
    items: list[UserItem]


class KeyItem(Schema):
    """An API key. Its token was shown once, and is kept nowhere."""

    prefix: str
    name: str
    scopes: list[str]
    state: str = Field(description="`good`, `revoked` or `expired`.")
    created_at: str
    created_by: str
    expires_at: str
    last_used_at: str | None


class Keys(Paged):
    items: list[KeyItem]


@router.get("/users", auth=READ, response=answers(Users), operation_id="list_users", summary="Users")
def list_users(
    request: ApiRequest, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """Logins of the organisation, oldest first."""
    rows = members(request.auth.customer(customer))
    return page_of("users", rows, _user, limit=limit, cursor=cursor, newest_first=False)


@router.get("/api-keys", auth=READ, response=answers(Keys), operation_id="list_api_keys", summary="API keys")
def list_api_keys(
    request: ApiRequest, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """Every key that the organisation ever had, newest first."""
    now_ms = SystemClock().now_ms()
    rows = keys_of(request.auth.customer(customer))
    return page_of("api keys", rows, lambda key: _key(key, now_ms), limit=limit, cursor=cursor)


def _user(login: User) -> UserItem:
    until_ms, last = invited_until_ms(login), login.last_login
    return UserItem(
        login=login.username, email=login.email, role=role_of(login), active=login.is_active,
        invited_until=None if until_ms is None else format_rfc3339(until_ms),
        last_sign_in=format_rfc3339(to_ms(last.replace(microsecond=0))) if last else None,
    )  # fmt: skip


def _key(key: ApiKey, now_ms: int) -> KeyItem:
    return KeyItem(
        prefix=key.prefix, name=key.name, scopes=list(key.scopes), state=state_of_key(key, now_ms),
        created_at=format_rfc3339(key.created_at_ms), created_by=key.created_by,
        expires_at=format_rfc3339(key.expires_at_ms),
        last_used_at=None if key.last_used_at_ms is None else format_rfc3339(key.last_used_at_ms),
    )  # fmt: skip
