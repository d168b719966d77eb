"""Months in the customer's zone: daylight saving, odd offsets, and local days."""

from __future__ import annotations

from datetime import date
from zoneinfo import available_timezones

import pytest

from cardhour_billing.month import Month, billing_period, parse_month, zone
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS, QUARTER_MS, parse_rfc3339


@pytest.mark.parametrize(
    ("month", "timezone", "hours"),
    [
        ("2026-01", "UTC", 744),
        ("2026-03", "America/New_York", 743),  # an hour is skipped
        ("2026-11", "America/New_York", 721),  # an hour happens twice
        ("2026-02", "Asia/Shanghai", 672),
        ("2028-02", "Asia/Shanghai", 696),
        ("2018-11", "America/Sao_Paulo", 719),  # midnight itself is skipped
    ],
)
def test_a_month_has_the_hours_its_clock_shows(month: str, timezone: str, hours: int) -> None:
    period = billing_period(parse_month(month), timezone)
    assert period.end_ms - period.start_ms == hours * HOUR_MS


def test_a_month_in_shanghai_begins_at_sixteen_utc() -> None:
    period = billing_period(parse_month("2026-10"), "Asia/Shanghai")
    assert (period.start_ms, period.end_ms) == (
        parse_rfc3339("2026-09-30T16:00:00Z"),
        parse_rfc3339("2026-10-31T16:00:00Z"),
    )
    assert period.last_day == date(2026, 10, 31)


def test_local_days_of_a_month_with_a_repeated_hour() -> None:
    period = billing_period(parse_month("2026-11"), "America/New_York")
    assert period.day_of(parse_rfc3339("2026-11-01T05:30:00Z")) == date(2026, 11, 1)  # the first 01:30
    assert period.day_of(parse_rfc3339("2026-11-01T06:30:00Z")) == date(2026, 11, 1)  # the second
    assert period.day_of(parse_rfc3339("2026-11-02T04:59:59Z")) == date(2026, 11, 1)
    assert period.day_of(parse_rfc3339("2026-11-02T05:00:00Z")) == date(2026, 11, 2)


def test_consecutive_months_leave_no_gap_in_any_zone() -> None:
    month = Month(year=2026, month=3)
    for name in sorted(available_timezones()):
        period, after = billing_period(month, name), billing_period(month.next, name)
        assert period.end_ms == after.start_ms
        assert period.start_ms % QUARTER_MS == 0


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "202601", "26-01", "2026-00", "0000-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(Refuse):
        parse_month(text)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "/etc/passwd", "America"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(Refuse):
        zone(name)
