"""A statement on the customer's own page: disputed in its own words, which staff read; or confirmed."""

from __future__ import annotations

import pytest

from cardhour_billing.models import AuditLog, Customer, Statement, StatementEvent
from cardhour_billing.statements.statement import draw_up, mark_sent, state
from tests.billing.books import on_sqlite
from tests.billing.test_statement import CLOCK, FEBRUARY, customer
from tests.billing.visitor import Visitor

__all__ = ["customer", "on_sqlite"]


@pytest.fixture
def statement(customer: Customer) -> Statement:
    """February of Qinghe, sent: A100 228.40, T4 11.32, tax 14.38; 2 000.00 paid."""
    made = draw_up(customer, *FEBRUARY, clock=CLOCK, who="lin")
    mark_sent(made, "ap@qinghe.example", clock=CLOCK, who="lin")
    return made


def said(statement: Statement) -> list[tuple[str, int | None, str, str]]:
    return list(statement.events.order_by("id").values_list("kind", "line", "note", "who"))


def test_a_customer_disputes_lines_in_its_own_words_and_staff_read_them(statement: Statement) -> None:
    reader, clerk, page = Visitor("wang", customer="qinghe"), Visitor(), f"/statements/{statement.pk}/"
    assert f'href="{page}"' in reader.get("/statements/")
    first = reader.get(page)
    for figure in ("2,000.00", "254.10", "228.40", "11.32", "14.38"):
        assert figure in first
    assert state(statement) == "sent"  # looking changes nothing
    assert "全部确认" in reader.get(page, language="zh-hans")

    without_words = reader.send(page, {"answer": "dispute", "line": "2"}, status=409)
    assert "say why" in without_words
    assert 'value="2" aria-label="Line 2 is not right" checked' in without_words  # what was ticked stays
    assert reader.send(page, {"answer": ["dispute"], "line": ["1", "2"], "reason": ["returned on the 10th"]}) == page
    after = reader.get(page)
    assert after.count("returned on the 10th") == 4  # beside each line, and among what was said
    assert "Disputed" in reader.get("/statements/")
    assert said(statement)[1:] == [
        ("disputed", 1, "returned on the 10th", "wang"),
        ("disputed", 2, "returned on the 10th", "wang"),
    ]
    assert AuditLog.objects.filter(who="wang", action="statement.disputed").count() == 2

    assert str(FEBRUARY[0]) in clerk.get("/records/statements/?is=disputed")
    assert str(FEBRUARY[0]) not in clerk.get("/records/statements/?is=confirmed")
    record = clerk.get(f"/records/statements/{statement.pk}/")
    assert record.count("returned on the 10th") == 2
    assert "wang" in record


def test_a_confirmed_statement_takes_no_other_answer(statement: Statement) -> None:
    reader, page = Visitor("wang", customer="qinghe"), f"/statements/{statement.pk}/"
    slip = reader.send(page, {"answer": "confirm", "line": "2"}, status=409)  # what cannot be undone takes no slip
    assert "clear the ticks" in slip
    assert state(statement) == "sent"
    assert reader.send(page, {"answer": "confirm"}) == page
    assert "wang has confirmed it on 2026-" in reader.get(page)
    refused = reader.send(page, {"answer": "dispute", "line": "1", "reason": "no"}, status=409)
    assert "it takes no other answer" in refused
    assert reader.send(page, {"answer": "confirm"}, status=409)
    assert said(statement)[1:] == [("confirmed", None, "wang", "wang")]


def test_a_draft_and_a_line_that_is_not_there_are_answered_by_nobody(statement: Statement, customer: Customer) -> None:
    reader = Visitor("wang", customer="qinghe")
    draft = draw_up(customer, *FEBRUARY, clock=CLOCK, who="lin")
    reader.get(f"/statements/{draft.pk}/", status=404)
    reader.send(f"/statements/{draft.pk}/", {"answer": "confirm"}, status=404)
    path = f"/statements/{statement.pk}/"
    assert "lines 1 to 3" in reader.send(path, {"answer": "dispute", "line": "99", "reason": "no"}, status=409)
    assert StatementEvent.objects.exclude(kind="sent").count() == 0
