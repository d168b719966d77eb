"""Charts: what is drawn is what is billed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cardhour_billing.frozen.document import CardShare, DayShare, DocumentLine, InvoiceDocument
from cardhour_billing.portal.card_day import EXAMPLE, QUARTERS, card_day
from cardhour_billing.portal.cards import ROWS_MAX, card_charges
from cardhour_billing.portal.charts import SERIES_MAX, DayCharges, day_charges
from cardhour_billing.portal.paper import as_printed
from tests.portal import sample


def with_days(*lines: tuple[str, dict[int, str]]) -> InvoiceDocument:
    """A document of October whose lines have these amounts by day."""
    made: list[DocumentLine] = [
        replace(
            sample.line(at, model, "1.0000", "1.00", "0.00"),
            days=tuple(
                DayShare(day=f"2026-10-{day:02d}", quantity_us=1, amount=amount) for day, amount in days.items()
            ),
        )
        for at, (model, days) in enumerate(lines, 1)
    ]
    return replace(sample.ISSUED, lines=tuple(made))


def drawn(document: InvoiceDocument) -> DayCharges:
    charges = day_charges(document, other="others")
    assert charges is not None
    return charges


def test_a_bar_is_as_high_as_its_amount() -> None:
    chart = drawn(with_days(("A100", {1: "100.00", 2: "50.00"}))).wide
    full, half = chart.bars
    assert full.height / half.height == pytest.approx(2, abs=0.02)
    assert full.y + full.height == pytest.approx(chart.base)


def test_the_legend_and_the_table_carry_exact_sums() -> None:
    charges = drawn(with_days(("A100", {1: "100.00", 2: "50.10"}), ("T4", {2: "0.05", 31: "1234.00"})))
    assert {each.name: each.sum for each in charges.series} == {"A100": "150.10", "T4": "1,234.05"}
    table = dict(charges.table)
    assert len(table) == 31
    assert table["2026-10-02"] == "50.15"
    assert table["2026-10-03"] == "0.00"


def test_a_credit_hangs_below_the_line() -> None:
    chart = drawn(with_days(("A100", {1: "100.00"}), ("T4", {1: "-40.00"}))).wide
    charge, credit = sorted(chart.bars, key=lambda bar: bar.y)
    assert charge.y + charge.height <= chart.base + 0.01
    assert credit.y == pytest.approx(chart.base)
    assert "−" in "".join(tick.text for tick in chart.grid)


def test_more_models_than_colours_are_drawn_as_one() -> None:
    charges = drawn(with_days(*((f"M{at}", {1: f"{100 - at}.00"}) for at in range(9))))
    assert len(charges.series) == SERIES_MAX
    assert charges.series[-1].name == "others"
    assert charges.series[-1].sum == "374.00"  # 95 + 94 + 93 + 92


def test_a_document_without_days_has_no_chart() -> None:
    assert day_charges(sample.ISSUED, other="others") is None


def test_the_example_of_a_cards_day_fills_all_of_it() -> None:
    day = card_day()
    assert sum(seconds for _, seconds in EXAMPLE) == 86_400
    assert sum(bar.height for bar in day.bars) == pytest.approx(QUARTERS * day.height, rel=1e-3)
    assert sum(int(hours.replace(".", "")) for hours in day.sums.values()) == 24_0000


def test_charges_by_card_add_up_with_the_unlisted_ones() -> None:
    cards = tuple(
        CardShare(card=f"GPU-{at}", node="n1", quantity_us=3_600_000_000, amount=f"{at}.25") for at in range(1, 31)
    )
    charges = card_charges(replace(sample.ISSUED, lines=(replace(sample.ISSUED.lines[0], cards=cards),)))
    assert charges is not None
    assert [row.card for row in charges.rows] == [f"GPU-{at}" for at in range(30, 10, -1)]
    assert len(charges.rows) == ROWS_MAX
    assert charges.others == 10
    assert charges.rest is not None
    assert charges.rest.amount == "57.50"  # 1.25 + 2.25 + … + 10.25
    assert charges.card_hours == "30.0000"


def test_a_document_that_lists_no_cards_has_no_table_of_them() -> None:
    assert card_charges(sample.ISSUED) is None


def test_card_hours_shown_add_up_to_their_sum() -> None:
    third_us = 1_200_000_000
    cards = tuple(CardShare(card=f"GPU-{at}", node="n1", quantity_us=third_us, amount="1.00") for at in range(3))
    charges = card_charges(replace(sample.ISSUED, lines=(replace(sample.ISSUED.lines[0], cards=cards),)))
    assert charges is not None
    assert sorted(row.card_hours for row in charges.rows) == ["0.3333", "0.3333", "0.3334"]
    assert charges.card_hours == "1.0000"


def test_what_is_of_no_day_and_of_no_card_stands_beside_the_rest_so_that_both_add_up() -> None:
    """A lease and storage stand on an invoice beside usage: 10.00 by day and card, 25.50 of neither."""
    usage = replace(
        with_days(("A100", {1: "4.00", 2: "6.00"})).lines[0],
        amount="10.00",
        cards=(CardShare(card="GPU-1", node="n", quantity_us=1, amount="10.00"),),
    )
    lease = sample.charge(2, "lease", "Lease 租赁 one, 1 card 卡", "20.00")
    storage = sample.charge(3, "add-on", "Storage", "5.50")
    document = replace(sample.ISSUED, lines=(usage, lease, storage))
    by_day, by_card = drawn(document), card_charges(document)
    assert by_card is not None
    assert ([each.sum for each in by_day.series], by_day.undated) == (["10.00"], "25.50")
    assert ([row.amount for row in by_card.rows], by_card.other_charges) == (["10.00"], "25.50")
    assert document.charges == "35.50"
    alone = replace(document, lines=(usage,))
    assert (drawn(alone).undated, getattr(card_charges(alone), "other_charges", None)) == ("", "")


def test_a_credit_note_is_printed_with_what_it_gives_back() -> None:
    """The page says what the PDF says: positive amounts, quantity × price as before."""
    note = as_printed(sample.CREDIT_NOTE)
    assert sample.CREDIT_NOTE.total.startswith("-")
    assert not any(text.startswith("-") for text in (note.net, note.total, note.due, *(row.tax for row in note.tax)))
    for line, was in zip(note.lines, sample.CREDIT_NOTE.lines, strict=True):
        assert line.amount == was.amount.removeprefix("-") or line.amount == f"-{was.amount}"
    assert as_printed(sample.MIXED) is sample.MIXED
