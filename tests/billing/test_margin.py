"""Margin, by hand: a server of eight A100 that cost 1.6 million and is leased for 133 400 a month."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from cardhour_billing.cost import CostRow
from cardhour_billing.margin.margin import Hours, Margin, expense, together
from cardhour_billing.money import Money, round_half_away
from cardhour_contract.moment import CARD_HOUR_US

OCTOBER_US = 744 * CARD_HOUR_US
SERVER = CostRow(
    id=1, model="A100", currency="CNY", cards_per_server=8, purchase_nano=1_600_000 * 10**9, depreciation_months=24,
    hosting_nano=10_000 * 10**9, power_nano=4_000 * 10**9, from_ms=0,
)  # fmt: skip


def margin(hours: Hours, revenue: int) -> Margin:
    whole = expense(SERVER, hours.capacity_us, OCTOBER_US)
    money = Money(amount=revenue, currency="CNY")
    return Margin(name="A100", hours=hours, revenue=money, rent=money, expense=whole)


LEASED = margin(Hours(leased_us=8 * OCTOBER_US), 13_340_000)


def percent(value: Fraction | None) -> str:
    """Hundredths of a percent, as a person would write them."""
    assert value is not None
    basis_points = round_half_away(value * 10_000)
    return f"{basis_points // 100}.{basis_points % 100:02d}"


def test_a_leased_server_earns_four_tenths_of_its_rent() -> None:
    """66 666.67 of depreciation, 10 000 of hosting and 4 000 of power leave 52 733.33 of 133 400."""
    assert LEASED.expense is not None
    assert LEASED.expense.depreciation == Fraction(160_000_000, 24)
    assert LEASED.expense.hosting == 1_000_000
    assert LEASED.expense.power == 400_000
    assert LEASED.gross == 13_340_000 - Fraction(160_000_000, 24) - 1_400_000
    assert percent(LEASED.gross_part) == "39.53"
    assert percent(LEASED.utilisation) == "100.00"
    assert percent(LEASED.break_even) == "60.47"


def test_a_twelfth_of_the_price_for_a_year_is_about_the_purchase() -> None:
    assert 12 * LEASED.revenue.amount == 160_080_000


def test_half_sold_by_the_hour_at_22_42() -> None:
    """2 976 of 5 952 card-hours at 22.42 are 66 721.92: less than it costs, and 60.45 % would be enough."""
    half = margin(Hours(sold_us=4 * OCTOBER_US, idle_us=4 * OCTOBER_US), 6_672_192)
    assert half.revenue_per_card_hour == 2_242
    assert percent(half.utilisation) == "50.00"
    assert half.gross is not None
    assert half.gross < 0
    assert percent(half.break_even) == "60.45"


def test_a_price_cut_of_a_quarter() -> None:
    """100 050 a month still pays 80 666.67, with 19.37 % left; earning as much again would take a third more hours."""
    cut = LEASED.cut(Fraction(1, 4))
    assert str(cut.revenue) == "100050.00"
    assert percent(cut.gross_part) == "19.37"
    assert percent(cut.break_even) == "80.63"
    assert percent(LEASED.utilisation_to_keep(Fraction(1, 4))) == "133.33"


def test_a_card_of_half_the_month_costs_half() -> None:
    half = expense(SERVER, OCTOBER_US // 2, OCTOBER_US)
    assert half.hosting == Fraction(1_000_000, 16)


def test_models_together_and_one_whose_cost_nobody_knows() -> None:
    both = together("2026-10", [LEASED, LEASED])
    assert both.revenue.amount == 26_680_000
    assert percent(both.gross_part) == "39.53"
    zero = Money(amount=0, currency="CNY")
    unknown = Margin(name="T4", hours=Hours(idle_us=OCTOBER_US), revenue=zero, rent=zero, expense=None)
    assert together("2026-10", [LEASED, unknown]).gross is None


def test_cards_that_nobody_paid_for_have_no_revenue_per_hour_and_no_break_even() -> None:
    idle = margin(Hours(idle_us=8 * OCTOBER_US), 0)
    assert (idle.revenue_per_card_hour, idle.break_even, idle.gross_part) == (None, None, None)
    assert percent(idle.utilisation) == "0.00"


@given(
    st.integers(1, 8 * OCTOBER_US),
    st.integers(0, 8 * OCTOBER_US),
    st.integers(1, 10**9),
    st.fractions(0, Fraction(9, 10)),
)
def test_at_break_even_revenue_is_cost(sold_us: int, idle_us: int, revenue: int, part: Fraction) -> None:
    """Selling exactly the break-even part of the capacity at today's price earns exactly what it costs."""
    found = margin(Hours(sold_us=sold_us, idle_us=idle_us), revenue)
    assert found.break_even is not None
    assert found.revenue_per_card_hour is not None
    assert found.expense is not None
    hours = found.break_even * Fraction(found.hours.capacity_us, CARD_HOUR_US)
    assert hours * found.revenue_per_card_hour == found.expense.total
    assert found.cut(part).revenue.amount == round_half_away(revenue * (1 - part))
