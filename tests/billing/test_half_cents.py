"""A half cent goes away from zero with either sign, as an independent calculation has it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from cardhour_billing.money import parse_price
from cardhour_billing.rating.commitment import recompute
from cardhour_contract.moment import CARD_HOUR_US
from tests.e2e.independent_bill import half_away


@pytest.mark.parametrize(("halves", "away"), [(5, 3), (-5, -3), (7, 4), (-7, -4)])
def test_a_half_cent_goes_away_from_zero_with_either_sign(halves: int, away: int) -> None:
    """2.5 cents are 3, and 2 where halves go to even; a charge by price, and a credit beyond a commitment."""
    exact = Fraction(halves, 2)
    assert half_away(exact) == away
    if halves > 0:
        price = parse_price(f"0.0{halves}", "USD")
        assert price.charge(CARD_HOUR_US // 2).amount == away
    else:  # one hour beyond the promise, billed at 10 cents and worth so much less
        inputs = {
            "currency": "USD", "committed_us": CARD_HOUR_US, "committed": None, "days": 1, "of_days": 1,
            "faulted_us": 0, "watched_us": 0, "true_up_nano": 0, "overage_nano": 100_000_000 + halves * 5_000_000,
            "used": [{"quantity_us": 2 * CARD_HOUR_US, "amount": 20}],
        }  # fmt: skip
        assert recompute(inputs).amount == away
