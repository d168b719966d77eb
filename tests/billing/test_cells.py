"""Cells of lists and charts are put together in Python: whatever a person has named stays text, whoever named it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import override

from cardhour_billing.portal.charts import Bar
from cardhour_billing.portal.drawing import drawn_change, linked_chart
from cardhour_billing.portal.explain_chart import LinkedBars, LinkedChart
from cardhour_billing.portal.explaining import Row
from cardhour_billing.portal.records.noun import Column
from cardhour_billing.portal.records.shown import Cell
from cardhour_billing.portal.records.states import in_state_words

EVIL = '"><script>alert(1)</script>'


def cell(text: str, *, url: str = "", small: str = "", narrow: str = "", **how: Any) -> str:
    column = Column(key="name", head="Name", text=lambda row, look: text, **how)
    return Cell(text=text, small=small, narrow=narrow, column=column, url=url).markup


def test_a_name_that_is_markup_stays_text() -> None:
    for shown in (
        cell(EVIL),
        cell(EVIL, url="/records/customers/1/"),
        cell("a", small=EVIL),
        cell("a", narrow=EVIL),
        cell("a", url=EVIL),
        cell(EVIL, mono=True),
        cell(EVIL, pill=True),
    ):
        assert "<script" not in shown
        assert "&lt;script&gt;" in shown


def test_a_cell_leads_where_it_says_and_nothing_is_a_dash() -> None:
    assert (
        cell("acme", url="/records/customers/1/", mono=True) == '<a href="/records/customers/1/" class="mono">acme</a>'
    )
    assert cell("", url="/records/customers/1/", mono=True) == '<a href="/records/customers/1/">—</a>'
    assert cell("GPU-0", mono=True) == '<span class="mono">GPU-0</span>'
    assert cell("USD", small="of each") == "USD<small>of each</small>"
    assert cell("") == '<span class="faint">—</span>'


def test_a_state_is_said_in_the_language_of_the_page() -> None:
    assert in_state_words("in-force") == '<span class="pill good">In force</span>'
    assert in_state_words("no such state") == "no such state"
    assert in_state_words("") == "—"
    with override("zh-hans"):
        assert in_state_words("in-force") == '<span class="pill good">生效中</span>'


def test_a_chart_leads_to_what_is_chosen_and_names_stay_text() -> None:
    row = Row(
        name={},
        quantity_us=1,
        card_hours="1.0000",
        units=1,
        amount="1.00",
        exact_amount="1.00",
        query="card=a&day=b",
        chosen=True,
    )
    bar = Bar(x=1.5, y=2, width=3, height=4, paint="fill-idle")
    slot = LinkedBars(row=row, label=EVIL, bars=(bar,), ground=bar)
    drawn = linked_chart(LinkedChart(width=10, height=10, slots=(slot,), ticks=()), EVIL, "records", "middle")
    assert "<script" not in drawn
    assert '<a href="?card=a&amp;day=b#records"' in drawn
    assert 'aria-current="true"' in drawn
    assert '<rect class="fill-idle" x="1.5" y="2" width="3" height="4"/>' in drawn
    assert drawn_change(None) == '<span class="faint">—</span>'
