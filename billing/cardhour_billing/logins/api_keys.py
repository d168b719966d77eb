"""Keys of the API: made, found by their token, revoked.

Owns tokens and scopes. Does not own how often a key may call (``api_pace``) nor what its calls may see (``api``).

A token is 256 random bits, so nobody guesses one and no list of likely ones exists: to keep one SHA-256 is enough.
The slow, salted hashes that passwords need would add a tenth of a second to each call and make nothing harder. A token
is shown once, when it is made; only its beginning is shown again, and nothing logs or audits more than that.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from cardhour_billing.audit.log import audit
from cardhour_billing.models import ApiKey, Customer
from cardhour_billing.models.party import NAME_CHARS_MAX
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import DAY_MS, format_rfc3339

TOKEN_BYTES = 32
START = "chk_"
"""Says what it is: to a person who finds one, and to programs that look for secrets in code."""
PREFIX_CHARS = len(START) + 8
"""Shown: eight characters are 48 bits, of which 208 more keep the secret."""

SCOPES: dict[str, str] = {
    "usage:read": "usage by day, project, model and workload",
    "invoices:read": "invoices, credit notes, their lines and files",
    "statements:read": "statements of account",
    "statements:write": "confirm a statement, or dispute lines of it",
    "payments:read": "payments and what they paid",
    "leases:read": "leases, add-ons and commitments",
    "balance:read": "what was paid ahead or granted, and each entry",
    "budgets:read": "budgets, alerts, and what the webhook was told",
    "budgets:write": "add, change and remove budgets",
    "users:read": "logins and API keys of the organisation",
}
"""What a key may be allowed, and what that is."""

EXPIRES_DAYS, EXPIRES_DAYS_MAX = 365, 1_100
"""A key that nobody remembers ends by itself: after a year, unless asked for otherwise, and within three."""
KEYS_MAX = 50
"""Keys of one owner that are good at a time: more is a program that makes keys and forgets them."""


def add_key(
    name: str,
    scopes: Sequence[str],
    *,
    owner: Customer | User,
    days: int = EXPIRES_DAYS,
    clock: Clock,
    who: str,
) -> tuple[ApiKey, str]:
    """A new key and its token, which is in no other place. Refuses, with every reason, what cannot be a key."""
    wanted, customer = sorted(set(scopes)), owner if isinstance(owner, Customer) else None
    _check(name, wanted, days, for_staff=customer is None)
    token = START + secrets.token_urlsafe(TOKEN_BYTES)
    now_ms = clock.now_ms()
    with transaction.atomic():
        # One owner's keys are made one after the other, so that they cannot become too many together.
        owners: QuerySet[Any] = Customer.objects.all() if customer else User.objects.all()
        owners.select_for_update().get(pk=owner.pk)
        if good_keys(owner, now_ms).count() >= KEYS_MAX:
            raise Refuse(f"{owner_name(owner)} has {KEYS_MAX} keys that are good: revoke what is not used any more")
        made = ApiKey.objects.create(
            customer=customer,
            user=owner if isinstance(owner, User) else None,
            name=name.strip(),
            prefix=token[:PREFIX_CHARS],
            digest=digest_of(token),
            scopes=wanted,
            created_at_ms=now_ms,
            created_by=who,
            expires_at_ms=now_ms + days * DAY_MS,
        )
        detail = {
            "name": made.name,
            "owner": owner_name(owner),
            "scopes": wanted,
            "expires_at": format_rfc3339(made.expires_at_ms),
        }
        audit(clock, who, "api-key.add", made.prefix, detail)
    return made, token


def revoke_key(key: ApiKey, *, clock: Clock, who: str) -> bool:
    """End a key now, for good. Whether it was good until now."""
    with transaction.atomic():
        ended = ApiKey.objects.filter(pk=key.pk, revoked_at_ms=None).update(revoked_at_ms=clock.now_ms())
        if ended:
            audit(clock, who, "api-key.revoke", key.prefix, {"name": key.name})
    return bool(ended)


def key_of_token(token: str, now_ms: int) -> ApiKey | None:
    """The key that ``token`` is, while it is good. A member of staff who has left takes the key along."""
    found = ApiKey.objects.select_related("customer__issuer", "user").filter(digest=digest_of(token)).first()
    if found is None or state_of_key(found, now_ms) != "good":
        return None
    if found.user and not (found.user.is_active and found.user.is_staff):
        return None
    return found


def keys_of(owner: Customer | User) -> QuerySet[ApiKey]:
    """Every key that an owner ever had, newest first."""
    mine = {"customer": owner} if isinstance(owner, Customer) else {"user": owner}
    return ApiKey.objects.filter(**mine).order_by("-id")


def good_keys(owner: Customer | User, now_ms: int) -> QuerySet[ApiKey]:
    """Those that can be used."""
    return keys_of(owner).filter(revoked_at_ms=None, expires_at_ms__gt=now_ms)


def find_key(prefix: str) -> ApiKey:
    """The key that is known by this beginning; a whole token is not asked for, and is not repeated."""
    found = ApiKey.objects.filter(prefix=prefix).first()
    if found is None:
        raise Refuse(f"there is no key '{prefix[:PREFIX_CHARS]}': cardhour api-key list shows those there are")
    return found


def state_of_key(key: ApiKey, now_ms: int) -> str:
    """``good``, ``revoked`` or ``expired``."""
    if key.revoked_at_ms is not None:
        return "revoked"
    return "expired" if now_ms >= key.expires_at_ms else "good"


def owner_name(owner: Customer | User) -> str:
    """A customer's id, or a login."""
    return owner.key if isinstance(owner, Customer) else owner.get_username()


def digest_of(token: str) -> str:
    """SHA-256 of a token, 64 hex digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def _check(name: str, scopes: Sequence[str], days: int, *, for_staff: bool) -> None:
    problems = []
    if not name.strip() or len(name) > NAME_CHARS_MAX or not name.isprintable():
        problems.append(
            f"a key needs a name of at most {NAME_CHARS_MAX} printable characters, such as 'nightly export'"
        )
    if unknown := [each for each in scopes if each not in SCOPES]:
        problems.append(f"there is no scope '{', '.join(unknown)}': use any of {', '.join(SCOPES)}")
    if not scopes:
        problems.append(f"a key without a scope can do nothing: name any of {', '.join(SCOPES)}")
    if for_staff and (writing := [each for each in scopes if each.endswith(":write")]):
        problems.append(f"'{', '.join(writing)}' is the customer's own word: a key of staff only reads")
    if not 1 <= days <= EXPIRES_DAYS_MAX:
        problems.append(f"a key is good for 1 to {EXPIRES_DAYS_MAX} days, not {days}")
    if problems:
        raise Refuse(*problems)
