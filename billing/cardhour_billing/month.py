"""A billing period: a calendar month in a customer's zone, as UTC instants.

Owns the calendar: where a month and its local days begin and end, and which local day an instant lies in. Does not own
what is billed in it. A local day has 23, 24 or 25 hours, or begins at 00:30 UTC; every boundary in the IANA zones in
use lies on a quarter hour, and one that would not is refused.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cardhour_contract.errors import Refuse
from cardhour_contract.moment import QUARTER_MS, from_ms, to_ms

_MONTH = re.compile(r"(\d{4})-(\d\d)")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Month:
    """A calendar month, zone not yet given."""

    year: int
    month: int

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def next(self) -> Month:
        return month_of(self.first_day + timedelta(days=31))

    def minus(self, months: int) -> Month:
        """So many months earlier."""
        year, month = divmod(self.year * 12 + self.month - 1 - months, 12)
        return Month(year=year, month=month + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingPeriod:
    """A month in a zone.

    day_starts_ms: UTC instant at which each local day of the month begins, ascending; the first is the period's start.
    end_ms: exclusive.
    """

    month: Month
    timezone: str
    day_starts_ms: tuple[int, ...]
    end_ms: int

    @property
    def start_ms(self) -> int:
        return self.day_starts_ms[0]

    @property
    def last_day(self) -> date:
        return self.month.next.first_day - timedelta(days=1)

    def day_of(self, at_ms: int) -> date:
        """The local day that ``at_ms`` lies in."""
        if not self.start_ms <= at_ms < self.end_ms:
            raise Refuse(f"an instant outside {self.month} was asked for its day in that month")
        return self.month.first_day + timedelta(days=bisect_right(self.day_starts_ms, at_ms) - 1)


def parse_month(text: str) -> Month:
    """``YYYY-MM`` as a month."""
    match = _MONTH.fullmatch(text)
    if match is None or not 1 <= int(match[2]) <= 12 or not 1970 <= int(match[1]) <= 9998:
        raise Refuse(f"'{text}' is not a month such as 2026-01")
    return Month(year=int(match[1]), month=int(match[2]))


def month_of(day: date) -> Month:
    """The month a day lies in."""
    return Month(year=day.year, month=day.month)


def zone(name: str) -> ZoneInfo:
    """An IANA time zone by name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError) as error:
        raise Refuse(f"'{name}' is not an IANA time zone such as Asia/Shanghai") from error


def billing_period(month: Month, timezone: str) -> BillingPeriod:
    """The period of ``month`` in ``timezone``."""
    days = (month.next.first_day - month.first_day).days
    starts = [day_start_ms(month.first_day + timedelta(days=day), timezone) for day in range(days + 1)]
    for start_ms in starts:
        if start_ms % QUARTER_MS:
            raise Refuse(f"days in {timezone} do not begin on a quarter hour in {month}; choose another time zone")
    return BillingPeriod(month=month, timezone=timezone, day_starts_ms=tuple(starts[:-1]), end_ms=starts[-1])


def local_day(at_ms: int, timezone: str) -> date:
    """The calendar day of an instant in ``timezone``."""
    return from_ms(at_ms).astimezone(zone(timezone)).date()


def day_start_ms(day: date, timezone: str) -> int:
    """The UTC instant at which a local day begins."""
    # Where midnight is skipped (a DST change at 00:00) the datetime names the instant of the change, the true start.
    # Where it happens twice, fold=0 is the first of the two.
    return to_ms(datetime(day.year, day.month, day.day, tzinfo=zone(timezone)))


def clock_time(at_ms: int, timezone: str, form: str = "%H:%M") -> str:
    """The wall clock of an instant in ``timezone``, such as ``14:15``."""
    return from_ms(at_ms).astimezone(zone(timezone)).strftime(form)
