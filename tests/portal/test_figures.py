"""Figures and days as people read them."""

from __future__ import annotations

import pytest

from cardhour_billing import figures


@pytest.mark.parametrize(
    ("amount", "printed"),
    [
        ("0.00", "0.00"),
        ("999", "999"),
        ("1000", "1,000"),
        ("75092.72", "75,092.72"),
        ("-0.05", "−0.05"),
        ("-1234567.890", "−1,234,567.890"),
        ("1204.112358", "1,204.112358"),
    ],
)
def test_thousands_are_grouped_and_decimals_kept(amount: str, printed: str) -> None:
    assert figures.grouped(amount) == printed


@pytest.mark.parametrize(
    ("first", "last", "english", "chinese"),
    [
        ("2026-10-01", "2026-10-31", "1–31 October", "10 月 1–31 日"),
        ("2026-10-12", "2026-10-12", "12 October", "10 月 12 日"),
        ("2026-09-28", "2026-10-03", "28 September – 3 October", "9 月 28 日 – 10 月 3 日"),
    ],
)
def test_days_of_a_line(first: str, last: str, english: str, chinese: str) -> None:
    assert figures.days_en(first, last) == english
    assert figures.days_zh(first, last) == chinese


def test_a_period_names_its_second_year_only_where_it_differs() -> None:
    assert figures.period_iso("2026-10-01", "2026-10-31") == "2026-10-01 – 10-31"
    assert figures.period_iso("2026-12-01", "2027-01-02") == "2026-12-01 – 2027-01-02"
