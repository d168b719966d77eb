"""The tables of a customer's usage: a figure that stands in two of them is the same in both."""

from __future__ import annotations

import pytest

from cardhour_billing.month_usage.content import Cell, MonthUsage
from cardhour_billing.portal.usage_page import project_table, what_table
from cardhour_contract.moment import CARD_HOUR_US


def cell(model: str, project: str) -> Cell:
    """A card-hour and half a hundredth: rounded by itself, it would be 1.01."""
    us = CARD_HOUR_US + CARD_HOUR_US // 200
    return Cell(
        day="2026-10-01", project=project, owner="k8s:a", model=model, kind="usage", quantity_us=us, net=ord(model[0])
    )


@pytest.mark.parametrize("models", [("A", "B", "C"), ("A", "B", "C", "D", "E")])
def test_card_hours_of_a_model_are_the_same_by_project_and_by_model(models: tuple[str, ...]) -> None:
    usage = MonthUsage(
        month="2026-10", timezone="UTC", currency="USD", days=("2026-10-01",), until_ms=0, computed_at_ms=0,
        cells=tuple(cell(model, project) for model in models for project in ("x", "y")),
    )  # fmt: skip
    what, projects = what_table(usage), project_table(usage, "others")
    shown = {row.name: row.hours for row in what.rows}
    for column, hours in zip(projects.columns, projects.hours, strict=True):
        named = (
            [shown[column]] if column in shown else [shown[model] for model in models if model not in projects.columns]
        )
        assert hundredths([hours]) == hundredths(named)
    assert hundredths(projects.hours) == hundredths(list(shown.values())) == hundredths([what.hours])
    for at, hours in enumerate(projects.hours):
        assert hundredths([row.hours[at] for row in projects.rows]) == hundredths([hours])


def hundredths(texts: list[str] | tuple[str, ...]) -> int:
    return sum(int(text.replace(".", "")) for text in texts)
