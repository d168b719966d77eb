"""Money: integers, one rounding, and nothing lost on the way."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardhour_billing.money import (
    Money,
    UnitPrice,
    allocate,
    exponent,
    parse_price,
    printed_quantity,
    round_half_away,
    total,
)
from cardhour_contract.errors import InvariantBroken, Refuse
from cardhour_contract.moment import CARD_HOUR_US

CURRENCIES = st.sampled_from(["JPY", "CNY", "USD", "KWD", "CLF"])


@st.composite
def prices(draw: st.DrawFn) -> UnitPrice:
    currency = draw(CURRENCIES)
    highest = 10 ** (18 - exponent(currency))
    return UnitPrice(nano=draw(st.integers(0, highest)), currency=currency)


@pytest.mark.parametrize(("currency", "decimals"), [("JPY", 0), ("CNY", 2), ("USD", 2), ("KWD", 3), ("CLF", 4)])
def test_decimals_are_those_of_iso_4217(currency: str, decimals: int) -> None:
    assert exponent(currency) == decimals


@pytest.mark.parametrize("code", ["XAU", "EURO", "usd", ""])
def test_what_is_no_currency_is_refused(code: str) -> None:
    with pytest.raises(Refuse):
        exponent(code)


@pytest.mark.parametrize(
    ("hours", "price", "amount"),
    [
        ("3287.7723", "22.84", "75092.72"),
        ("8410.25", "18.62", "156598.86"),  # 156 598.855: the half goes away from zero
        ("1", "0.005", "0.01"),
        ("1", "0.004999999", "0.00"),
    ],
)
def test_a_line_is_rounded_once_half_away_from_zero(hours: str, price: str, amount: str) -> None:
    quantity_us = int(Fraction(hours) * CARD_HOUR_US)
    assert str(parse_price(price, "CNY").charge(quantity_us)) == amount


def test_part_of_a_lease_month_rounds_as_the_design_says() -> None:
    assert round_half_away(Fraction(133_400_00 * 15, 31)) == 64_548_39


def test_a_credit_mirrors_its_charge() -> None:
    assert round_half_away(Fraction(-5, 2)) == -round_half_away(Fraction(5, 2)) == -3


def test_currencies_without_and_with_three_decimals_round_to_their_own() -> None:
    half_hour = CARD_HOUR_US // 2
    assert str(parse_price("301", "JPY").charge(half_hour)) == "151"
    assert str(parse_price("0.001", "KWD").charge(half_hour)) == "0.001"


def test_floats_bools_and_mixed_currencies_cannot_become_money() -> None:
    for wrong in (1.5, True, "1"):
        with pytest.raises(InvariantBroken):
            Money(amount=wrong, currency="USD")  # type: ignore[arg-type]  # that is the test
    with pytest.raises(InvariantBroken):
        parse_price(1.5, "USD")  # type: ignore[arg-type]  # that is the test
    with pytest.raises(InvariantBroken):
        Money(amount=1, currency="USD") + Money(amount=1, currency="CNY")


@pytest.mark.parametrize("text", ["1,5", "1e400", "NaN", "inf", "-1", "0.1234567891", " 1", "1_000", ""])
def test_a_price_that_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(Refuse):
        parse_price(text, "USD")


@pytest.mark.parametrize(
    ("given_text", "currency", "shown"),
    [("1.616532", "USD", "1.616532"), ("22.8400", "CNY", "22.84"), ("133400", "CNY", "133400.00"), ("90", "JPY", "90")],
)
def test_a_price_prints_without_needless_zeros(given_text: str, currency: str, shown: str) -> None:
    assert str(parse_price(given_text, currency)) == shown


def test_a_quantity_on_the_edge_is_printed_so_that_it_still_gives_the_amount() -> None:
    """A third of an hour at 0.015 is exactly half a cent; 0.333333333 would round down."""
    price = parse_price("0.015", "USD")
    assert printed_quantity(CARD_HOUR_US // 3, price) == "0.333333334"


@given(prices(), st.integers(0, 10**19))
def test_printed_quantity_times_price_rounds_to_the_amount(price: UnitPrice, quantity_us: int) -> None:
    printed = printed_quantity(quantity_us, price)
    assert 4 <= len(printed.partition(".")[2]) <= 9
    assert round_half_away(price.minor * Fraction(printed)) == price.charge(quantity_us).amount
    off = abs(Fraction(printed) - Fraction(quantity_us, CARD_HOUR_US))
    assert off <= Fraction(1, 10**4)


@given(st.integers(-(10**15), 10**15), st.lists(st.integers(0, 10**15), min_size=1, max_size=50).filter(any))
def test_shares_sum_to_the_whole_and_are_fair(whole: int, weights: list[int]) -> None:
    shares = allocate(whole, weights)
    assert sum(shares) == whole
    for share, weight in zip(shares, weights, strict=True):
        assert abs(Fraction(share) - Fraction(whole * weight, sum(weights))) < 1
    assert allocate(-whole, weights) == [-share for share in shares]


def test_nothing_can_be_shared_by_nothing() -> None:
    with pytest.raises(InvariantBroken):
        allocate(100, [0, 0])


@given(st.lists(st.integers(-(10**12), 10**12)), CURRENCIES)
def test_a_total_is_the_sum_of_rounded_amounts(amounts: list[int], currency: str) -> None:
    rounded = [Money(amount=each, currency=currency) for each in amounts]
    assert total(rounded, currency).amount == sum(amounts)


def test_many_short_uses_on_one_line_cost_what_they_hold_together() -> None:
    """5 000 jobs of one second at 1.00 an hour: 1.39 together, nothing if each were rounded alone."""
    price = parse_price("1.00", "USD")
    assert str(price.charge(5_000 * 1_000_000)) == "1.39"
    assert price.charge(1_000_000).amount == 0
