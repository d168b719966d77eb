"""A month's margin, kept while nothing it rests on has changed: rating a fleet's month takes longer than a page may.

Owns when a kept one is still good. An ended month is good until the books change (whose every change is audited) or a
page of the ledger is computed anew; the running month for ``RUNNING_MS``, and the page says as of when.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from uuid import uuid4

from django.core.cache import cache
from django.db.models import Q

from cardhour_billing.audit.log import FIRST
from cardhour_billing.margin.month import MonthMargin, month_margin
from cardhour_billing.models import AuditLog
from cardhour_billing.month import Month, billing_period
from cardhour_billing.portal.fleet.tables import Tables, tables
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.clock import Clock
from cardhour_contract.moment import HOUR_MS, MINUTE_MS

RUNNING_MS = 10 * MINUTE_MS
"""The running month changes with every report; people watch its margin by the day."""

KEPT_S = 24 * 3600
MARGIN_MS = 5_000
"""A page that was being computed while this was read may carry a time shortly before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A margin and when it was reckoned, UTC milliseconds."""

    margin: MonthMargin
    at_ms: int
    name: str
    """Of this reckoning alone: what is made of it is good as long as it is."""


def kept_margin(month: Month, timezone: str, ledger: Ledger, clock: Clock) -> Kept:
    """The margin of ``month`` as it is, or as it was a moment ago. Raises Refuse for a month that has not begun."""
    now_ms = clock.now_ms()
    key = f"margin:{month}:{_books()}"
    known: Kept | None = cache.get(key)
    if known is not None and _good(known, month, timezone, ledger, now_ms):
        return known
    found = Kept(margin=month_margin(month, ledger, clock), at_ms=now_ms, name=uuid4().hex)
    cache.set(key, found, KEPT_S)
    return found


def kept_tables(kept: Kept, month_us: int, cut: Fraction) -> Tables:
    """``tables`` of a margin, made once for everyone who looks at it."""
    key = f"tables:{kept.name}:{month_us}:{cut.numerator}:{cut.denominator}"
    known: Tables | None = cache.get(key)
    if known is None:
        known = tables(kept.margin, month_us, cut)
        cache.set(key, known, KEPT_S)
    return known


def _good(known: Kept, month: Month, timezone: str, ledger: Ledger, now_ms: int) -> bool:
    period = billing_period(month, timezone)
    if not known.margin.ended:
        return now_ms - known.at_ms < RUNNING_MS and known.margin.until_ms >= min(period.end_ms, now_ms - HOUR_MS)
    return not ledger.changed_since(period.start_ms, period.end_ms, known.at_ms - MARGIN_MS)


def _books() -> str:
    """What names the state of the books: the audit log's last entry of a change to them."""
    changes = AuditLog.objects.filter(Q(action__startswith="catalog") | Q(action__startswith="lease"))
    return changes.order_by("-position").values_list("digest", flat=True).first() or FIRST
