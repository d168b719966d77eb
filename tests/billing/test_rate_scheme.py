"""Tiers and bands by table and by property: exact, and by the customer's wall clock."""

from __future__ import annotations

from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardhour_billing.month import billing_period, parse_month
from cardhour_billing.rating.binding import Bindings
from cardhour_billing.rating.cuts import cuts_ms
from cardhour_billing.rating.price import PriceRow, Prices
from cardhour_billing.rating.rate_scheme import Band, Rate, Tier, band_at, band_overlap, discounted
from cardhour_contract.moment import CARD_HOUR_US, QUARTER_MS, parse_rfc3339

H = CARD_HOUR_US
EURO = 1_000_000_000


def tiered(kind: str, *tiers: tuple[int | None, int]) -> Rate:
    steps = tuple(Tier(to_us=None if to is None else to * H, nano=euros * EURO) for to, euros in tiers)
    return Rate(nano=steps[0].nano, kind="volume" if kind == "volume" else "graduated", tiers=steps)


STEPS = ((1000, 10), (5000, 8), (None, 5))


@pytest.mark.parametrize(
    ("hours", "graduated", "volume"),
    [
        (1, 10, 10),
        (999, 9990, 9990),
        (1000, 10_000, 10_000),
        (1001, 10_008, 8008),
        (1010, 10_080, 8080),
        (5000, 42_000, 40_000),
        (5001, 42_005, 25_005),
    ],
)
def test_a_boundary_belongs_to_the_tier_it_ends(hours: int, graduated: int, volume: int) -> None:
    assert tiered("graduated", *STEPS).cost(hours * H, "EUR") == graduated * 100
    assert tiered("volume", *STEPS).cost(hours * H, "EUR") == volume * 100


def test_one_card_microsecond_over_a_volume_boundary_is_the_next_tier() -> None:
    assert tiered("volume", *STEPS).cost(1000 * H + 1, "EUR") == Fraction(800 * (1000 * H + 1), H)


@st.composite
def schemes(draw: st.DrawFn) -> Rate:
    bounds = sorted(draw(st.sets(st.integers(1, 10**9), min_size=0, max_size=5)))
    nanos = draw(st.lists(st.integers(0, 10**11), min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    tiers = tuple(Tier(to_us=to, nano=nano) for to, nano in zip([*bounds, None], nanos, strict=True))
    return Rate(nano=nanos[0], kind=draw(st.sampled_from(["graduated", "volume"])), tiers=tiers)


@given(schemes(), st.integers(1, 2 * 10**9))
def test_slices_sum_to_the_quantity_and_their_costs_to_the_cost(rate: Rate, quantity_us: int) -> None:
    slices = list(rate.slices(quantity_us))
    assert sum(part.quantity_us for part in slices) == quantity_us
    assert all(part.quantity_us > 0 for part in slices)
    assert rate.cost(quantity_us, "EUR") == sum(
        Fraction(part.quantity_us * part.nano * 100, EURO * H) for part in slices
    )
    if rate.kind == "graduated":  # each microsecond at the tier it lies in, counted one boundary at a time
        bounds = [0, *(tier.to_us for tier in rate.tiers if tier.to_us is not None)]
        by_hand = sum(
            max(0, min(quantity_us, tier.to_us or quantity_us) - start) * tier.nano
            for start, tier in zip(bounds, rate.tiers, strict=True)
        )
        assert rate.cost(quantity_us, "EUR") == Fraction(by_hand * 100, EURO * H)


NIGHT = Band(name="night", nano=1, from_minute=22 * 60, to_minute=8 * 60)
WEEKEND_DAY = Band(name="weekend", nano=2, days="weekends", from_minute=8 * 60, to_minute=22 * 60)


def test_a_band_past_midnight_and_one_of_weekends() -> None:
    local = ZoneInfo("Asia/Shanghai")
    for at, name in (
        ("2026-01-05T21:45:00+08:00", ""),
        ("2026-01-05T22:00:00+08:00", "night"),
        ("2026-01-06T00:00:00+08:00", "night"),
        ("2026-01-06T07:45:00+08:00", "night"),
        ("2026-01-06T08:00:00+08:00", ""),
        ("2026-01-10T08:00:00+08:00", "weekend"),
        ("2026-01-11T21:45:00+08:00", "weekend"),
        ("2026-01-12T08:00:00+08:00", ""),
    ):
        band = band_at((NIGHT, WEEKEND_DAY), parse_rfc3339(at), local)
        assert (band.name if band else "") == name, at


def test_bands_that_share_an_hour_of_the_week_are_found() -> None:
    assert band_overlap((NIGHT, WEEKEND_DAY)) is None
    early = Band(name="early", nano=1, days="weekdays", from_minute=7 * 60, to_minute=9 * 60)
    found = band_overlap((NIGHT, early))
    assert found
    assert {band.name for band in found} == {"night", "early"}


@pytest.mark.parametrize(
    ("month", "hours"),
    # Berlin: the clock skips 02:00–03:00 on 29 March and repeats it on 25 October.
    [("2026-03", 30), ("2026-10", 32), ("2026-05", 31)],
)
def test_an_hour_that_the_clock_repeats_counts_twice_and_one_it_skips_not_at_all(month: str, hours: int) -> None:
    period = billing_period(parse_month(month), "Europe/Berlin")
    two_to_three = Band(name="two", nano=1, from_minute=120, to_minute=180)
    local = ZoneInfo("Europe/Berlin")
    quarters = range(period.start_ms, period.end_ms, QUARTER_MS)
    in_band = {at for at in quarters if band_at((two_to_three,), at, local)}
    assert len(in_band) == 4 * hours
    price = PriceRow(id=1, model="T4", currency="EUR", nano=5, from_ms=0, bands=(two_to_three,))
    cuts = cuts_ms(period, Bindings([]), Prices([price]))
    # Cut wherever the band begins or ends, so that no segment is in two of them.
    for start, end in zip(cuts, [*cuts[1:], period.end_ms], strict=True):
        assert len({at in in_band for at in range(start, end, QUARTER_MS)}) == 1


def test_a_discounted_price_is_a_price_of_nine_decimals() -> None:
    assert discounted(10 * EURO, 150_000) == 8_500_000_000
    assert discounted(333_333_333, 500_000) == 166_666_667  # a half goes away from zero
    assert discounted(7, 0) == 7
