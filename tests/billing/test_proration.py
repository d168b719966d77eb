"""Parts of a month's price: by hand where a contract would count on fingers, by property for every cutting."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardhour_billing.leases.proration import Cycle, Period, anniversary_ms, periods
from cardhour_billing.money import Money, UnitPrice, parse_price, round_half_away, total
from cardhour_billing.printed import printed_units
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS, QUARTER_MS, format_rfc3339, parse_rfc3339

SERVER = parse_price("133400", "CNY")
SHANGHAI, NEW_YORK = "Asia/Shanghai", "America/New_York"


def period(cycle: Cycle, at: str, timezone: str, anchor: str = "") -> Period:
    """The period that an instant lies in."""
    at_ms = parse_rfc3339(at)
    (found,) = periods(cycle, parse_rfc3339(anchor or at), timezone, at_ms, at_ms + QUARTER_MS)
    return found


def piece(of: Period, from_: str, to: str, price: UnitPrice = SERVER, quantity: int = 1) -> str:
    return str(of.piece(price, quantity, parse_rfc3339(from_), parse_rfc3339(to)))


def test_the_first_half_of_october() -> None:
    """Fifteen of 31 days of 133 400: 64 548.387…, and the other sixteen make it whole."""
    october = period("calendar", "2026-10-01T00:00:00+08:00", SHANGHAI)
    assert piece(october, "2026-10-01T00:00:00+08:00", "2026-10-16T00:00:00+08:00") == "64548.39"
    assert piece(october, "2026-10-16T00:00:00+08:00", "2026-11-01T00:00:00+08:00") == "68851.61"


def test_an_anniversary_keeps_its_day_and_is_clamped_in_short_months() -> None:
    anchor_ms = parse_rfc3339("2026-01-31T00:00:00+08:00")
    found = [anniversary_ms(anchor_ms, SHANGHAI, months) for months in range(5)]
    assert [format_rfc3339(at_ms + 8 * HOUR_MS)[:10] for at_ms in found] == [
        "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31",
    ]  # fmt: skip
    leap = anniversary_ms(parse_rfc3339("2024-01-30T00:00:00Z"), "UTC", 1)
    assert format_rfc3339(leap) == "2024-02-29T00:00:00Z"


def test_an_anniversary_month_has_the_days_that_it_has() -> None:
    """From 31 January to 28 February are 28 days; from 28 February to 31 March 31."""
    first, second = periods(
        "anniversary",
        parse_rfc3339("2026-01-31T00:00:00Z"),
        "UTC",
        parse_rfc3339("2026-01-31T00:00:00Z"),
        parse_rfc3339("2026-03-31T00:00:00Z"),
    )
    assert first.fraction(parse_rfc3339("2026-02-14T00:00:00Z")) == Fraction(14, 28)
    assert second.fraction(parse_rfc3339("2026-03-01T00:00:00Z")) == Fraction(1, 31)


def test_a_lease_that_began_in_the_morning_has_its_anniversary_in_the_morning() -> None:
    anchor = "2026-03-01T10:15:00-05:00"
    march = period("anniversary", anchor, NEW_YORK)
    assert format_rfc3339(march.end_ms) == "2026-04-01T14:15:00Z"  # still 10:15, now four hours behind UTC
    assert [march.fraction(at_ms) for at_ms in (march.start_ms, march.end_ms)] == [0, 1]
    (april,) = periods("anniversary", march.start_ms, NEW_YORK, march.end_ms, march.end_ms + QUARTER_MS)
    assert april.start_ms == march.end_ms


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-03-09", 24), ("2026-11-01", 25)])
def test_a_day_of_any_length_is_one_day(day: str, hours: int) -> None:
    """The night of the change costs what every other day costs, and an hour of it its part of that day."""
    starts = {"2026-03-08": "2026-03-08T05:00:00Z", "2026-03-09": "2026-03-09T04:00:00Z"}
    start_ms = parse_rfc3339(starts.get(day, "2026-11-01T04:00:00Z"))
    month = period("calendar", format_rfc3339(start_ms), NEW_YORK)
    days = 31 if day.startswith("2026-03") else 30
    assert month.fraction(start_ms + hours * HOUR_MS) - month.fraction(start_ms) == Fraction(1, days)
    assert month.fraction(start_ms + HOUR_MS) - month.fraction(start_ms) == Fraction(1, hours * days)


def test_a_day_whose_midnight_is_skipped_or_comes_twice() -> None:
    """Beirut goes to summer time at midnight, Havana leaves it at one o'clock: the days there are 23 and 25 hours."""
    march = period("calendar", "2026-03-29T12:00:00Z", "Asia/Beirut")
    assert march.fraction(parse_rfc3339("2026-03-29T21:00:00Z")) == Fraction(29, 31)
    november = period("calendar", "2026-11-01T12:00:00Z", "America/Havana")
    assert november.fraction(parse_rfc3339("2026-11-02T05:00:00Z")) == Fraction(1, 30)
    assert november.fraction(parse_rfc3339("2026-11-01T05:30:00Z")) == Fraction(6, 30 * 100)


def test_a_lease_of_a_hundred_years_is_a_mistyped_year() -> None:
    start_ms = parse_rfc3339("2026-01-01T00:00:00Z")
    with pytest.raises(Refuse, match="mistyped"):
        list(periods("anniversary", start_ms, "UTC", start_ms, parse_rfc3339("2226-01-01T00:00:00Z")))


CYCLES = st.sampled_from(["calendar", "anniversary"])
ZONES = st.sampled_from(["UTC", SHANGHAI, NEW_YORK, "Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Beirut"])
PRICES = st.builds(
    lambda nano, currency: UnitPrice(nano=nano, currency=currency),
    st.integers(0, 10**15),
    st.sampled_from(["CNY", "JPY", "KWD"]),
)
START_QUARTER = parse_rfc3339("2026-01-01T00:00:00Z") // QUARTER_MS
ANCHORS = st.integers(START_QUARTER, START_QUARTER + 96 * 400).map(lambda quarter: quarter * QUARTER_MS)


@given(CYCLES, ANCHORS, ZONES, PRICES, st.integers(1, 4096), st.lists(st.integers(0, 96 * 31), max_size=8))
def test_however_a_period_is_cut_its_pieces_sum_to_its_price(
    cycle: Cycle, anchor_ms: int, timezone: str, price: UnitPrice, quantity: int, cuts: list[int]
) -> None:
    found = list(periods(cycle, anchor_ms, timezone, anchor_ms, anchor_ms + 70 * 24 * HOUR_MS))
    assert found[0].start_ms <= anchor_ms
    assert all(one.end_ms == other.start_ms for one, other in pairwise(found))
    for each in found:
        inside = {min(each.start_ms + cut * QUARTER_MS, each.end_ms) for cut in cuts}
        ends = sorted({each.start_ms, each.end_ms, *inside})
        pieces = [each.piece(price, quantity, at, until) for at, until in pairwise(ends)]
        assert total(pieces, price.currency) == price.times(quantity)
        assert all(one.amount >= 0 for one in pieces)


@given(ANCHORS, ZONES, PRICES, st.lists(st.integers(0, 96 * 31), min_size=1, max_size=6))
def test_extensions_and_early_ends_come_to_what_the_last_word_would_have_cost(
    anchor_ms: int, timezone: str, price: UnitPrice, ends: list[int]
) -> None:
    """A lease is billed until some end, then its end is moved, on or back, again and again."""
    (month,) = periods("anniversary", anchor_ms, timezone, anchor_ms, anchor_ms + QUARTER_MS)
    billed, at_ms = Money(amount=0, currency=price.currency), month.start_ms
    for end in ends:
        until_ms = min(month.start_ms + end * QUARTER_MS, month.end_ms)
        if until_ms >= at_ms:
            billed = billed + month.piece(price, 1, at_ms, until_ms)
        else:
            billed = billed - month.piece(price, 1, until_ms, at_ms)
        at_ms = until_ms
    assert billed == month.piece(price, 1, month.start_ms, at_ms)


@given(
    PRICES,
    st.fractions(min_value=-50, max_value=5000, max_denominator=2976),
    st.integers(-1, 1),
)
def test_a_printed_quantity_times_its_price_is_the_amount(price: UnitPrice, quantity: Fraction, off: int) -> None:
    """Also where a piece of a period is a minor unit off its fraction."""
    exact = price.times(quantity)
    amount = Money(amount=exact.amount + (off if price.nano else 0), currency=price.currency)
    printed = printed_units(quantity, price, amount)
    assert round_half_away(price.minor * Fraction(printed)) == amount.amount


def test_whole_months_are_printed_whole() -> None:
    assert printed_units(Fraction(8), SERVER, SERVER.times(8)) == "8"
    assert printed_units(Fraction(15, 31), SERVER, SERVER.times(Fraction(15, 31))) == "0.483871"
