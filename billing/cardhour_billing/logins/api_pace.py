"""How often a key may call: a steady pace with room for a burst (the generic cell rate algorithm).

Owns that count. It is one number in the key's own row, moved by one UPDATE with its condition, so any number of
processes share it and none can let a call through that another has just used up; the same statement notes when the
key was used last. Each call moves the number on by the time that one call may take at the permitted pace; a call is
refused when the number has run further ahead of the clock than a minute's worth.
"""

from __future__ import annotations

from django.db.models import F, Value
from django.db.models.functions import Greatest

from cardhour_billing.models import ApiKey
from cardhour_contract.clock import Clock

MINUTE_MS = 60_000


def pace(key: ApiKey, per_minute: int, clock: Clock) -> int:
    """Count a call of ``key``; 0 where it may go on, else the whole seconds to wait before the next try."""
    now_ms, each_ms = clock.now_ms(), max(1, MINUTE_MS // per_minute)
    ahead_ms = each_ms * (per_minute - 1)
    allowed = ApiKey.objects.filter(pk=key.pk, paced_to_ms__lte=now_ms + ahead_ms).update(
        paced_to_ms=Greatest(F("paced_to_ms"), Value(now_ms)) + each_ms, last_used_at_ms=now_ms
    )
    if allowed:
        return 0
    paced_to_ms = ApiKey.objects.values_list("paced_to_ms", flat=True).get(pk=key.pk)
    return max(1, -(-(paced_to_ms - ahead_ms - now_ms) // 1000))
