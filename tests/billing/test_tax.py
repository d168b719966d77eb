"""Tax: which rule holds for a line, and what a document's lines come to, to the minor unit."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardhour_billing.money import Money, parse_rate, percent_text, total
from cardhour_billing.rating.tax import CODES, Taxable, TaxRule, TaxRules, assess, overlaps
from cardhour_contract.errors import Refuse


def rule(id: int = 1, rate: str = "6", **others: str | int | None) -> TaxRule:
    return msgspec.convert(
        {"id": id, "category": "standard", "rate_ppm": parse_rate(rate), "from_ms": 0, **others}, TaxRule
    )


def line(amount: int, tax: TaxRule | None, *, included: bool = False, currency: str = "CNY") -> Taxable:
    return Taxable(Money(amount=amount, currency=currency), (tax,) if tax else (), included)


def test_a_customers_rule_beats_everybodys_and_an_exact_model_beats_a_prefix() -> None:
    rules = TaxRules(
        [rule(1), rule(2, model="NVIDIA*"), rule(3, model="NVIDIA A100"), rule(4, customer="acme"), rule(5, model="N*")]
    )
    found = {
        (customer, model): rules.find(customer, model, 0)
        for customer, model in (
            ("acme", "NVIDIA A100"),
            ("b", "NVIDIA A100"),
            ("b", "NVIDIA T4"),
            ("b", "N9"),
            ("b", "x"),
        )
    }
    assert [each and each.id for each in found.values()] == [4, 3, 2, 5, 1]


def test_a_rule_holds_from_its_first_instant_until_before_its_end() -> None:
    rules = TaxRules([rule(1, to_ms=10), rule(2, rate="9", from_ms=10)])
    assert [each and each.id for each in (rules.find("a", "T4", at_ms) for at_ms in (9, 10))] == [1, 2]
    assert list(overlaps(rules.rows)) == []
    assert len(list(overlaps([rule(1), rule(2, from_ms=10)]))) == 1


def test_exclusive_tax_is_rounded_once_on_the_sum_and_not_on_each_line() -> None:
    """Three lines of 0.08 at 6 %: 0.0144 is 0.01; rounded one by one they would be 0.00 each."""
    found = assess([line(8, rule())] * 3, "CNY")
    assert (found.net.amount, found.tax.amount, found.total.amount) == (24, 1, 25)
    halves = assess([line(25, rule(rate="10"))], "CNY")
    assert halves.tax.amount == 3  # 0.025 goes away from zero
    assert assess([line(-25, rule(rate="10"))], "CNY").tax.amount == -3


def test_three_inclusive_lines_of_ten_at_six_percent() -> None:
    """30.00 ÷ 1.06 = 28.3019 is 28.30, so tax is 1.70; the lines are 9.44, 9.43, 9.43 and not 9.43 three times."""
    found = assess([line(1000, rule(), included=True)] * 3, "CNY")
    assert (str(found.net), str(found.tax), str(found.total)) == ("28.30", "1.70", "30.00")
    assert [str(net) for net in found.nets] == ["9.44", "9.43", "9.43"]


def test_several_rates_stand_apart_highest_first() -> None:
    found = assess([line(1000, rule(2, rate="6")), line(500, rule(1, rate="13")), line(1, rule(3, rate="6"))], "CNY")
    assert [(row.rule.percent, row.net.amount, row.tax.amount) for row in found.rows] == [
        ("13", 500, 65), ("6", 1001, 60),
    ]  # fmt: skip


@pytest.mark.parametrize(("currency", "net", "tax"), [("JPY", 1005, 101), ("KWD", 1005, 101)])
def test_tax_has_the_decimals_of_its_currency(currency: str, net: int, tax: int) -> None:
    found = assess([line(net, rule(rate="10"), currency=currency)], currency)
    assert found.tax == Money(amount=tax, currency=currency)


amounts = st.integers(-(10**9), 10**9)
rates = st.integers(0, 999_999)


@given(st.lists(st.tuples(amounts, st.booleans(), st.integers(0, 2)), max_size=30), st.tuples(rates, rates, rates))
def test_documents_add_up_whatever_is_on_them(lines: list[tuple[int, bool, int]], ppm: tuple[int, int, int]) -> None:
    rules = [TaxRule(id=at, category="standard", rate_ppm=each, from_ms=0) for at, each in enumerate(ppm)]
    taxables = [line(amount, rules[at], included=included) for amount, included, at in lines]
    found = assess(taxables, "CNY")
    assert total(found.nets, "CNY") == found.net == total((row.net for row in found.rows), "CNY")
    assert total((row.tax for row in found.rows), "CNY") == found.tax
    for taxable, net in zip(taxables, found.nets, strict=True):
        exact = Fraction(taxable.amount.amount) / (1 + (taxable.rules[0].rate if taxable.included else 0))
        assert abs(net.amount - exact) < 1
    if all(each.included for each in taxables):
        assert found.total == total((each.amount for each in taxables), "CNY")
    for row in found.rows:
        assert abs(row.tax.amount - row.net.amount * row.rule.rate) <= Fraction(
            3, 2
        )  # exact where nothing is inclusive


@pytest.mark.parametrize(
    ("text", "ppm"), [("6", 60_000), ("5.5", 55_000), ("0", 0), ("8.1", 81_000), ("99.9999", 999_999)]
)
def test_a_rate_is_read_and_printed_exactly(text: str, ppm: int) -> None:
    assert (parse_rate(text), percent_text(ppm)) == (ppm, text)


@pytest.mark.parametrize("text", ["", "six", "-1", "100", "1e400", "6.00001", " 6", "nan"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(Refuse):
        parse_rate(text)


def test_every_category_has_its_code() -> None:
    assert set(CODES.values()) == {"S", "Z", "E", "AE"}
