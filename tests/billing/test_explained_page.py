"""The page of an explained line: what it chooses, what it leads to, and the card's day beside what was frozen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from cardhour_billing.answers.explanation import Explainer, Explanation, Part
from cardhour_billing.money import Money, shown_hours
from cardhour_billing.portal.card_time import card_time, term_us
from cardhour_billing.portal.explain_chart import day_chart, quarter_chart
from cardhour_billing.portal.explain_csv import level_csv
from cardhour_billing.portal.explaining import Chosen, LineExplained, explain_line
from cardhour_billing.portal.explaining import _level as level_of
from cardhour_billing.usage.ledger import WarehouseLedger
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import parse_rfc3339
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.evidence import CardQuarter
from tests.billing.books import ACME, ISSUER, PRICE, apply, close, issued, on_sqlite
from tests.billing.stores import copied, lent, settled
from tests.billing.test_commands import HEADER

__all__ = ["on_sqlite"]

QUARTER_US = 900_000_000
USAGE = HEADER + "".join(
    f"{owner},job,n1,{card},T4,,{start},{end},{share},,\n"
    for owner, card, start, end, share in (
        ("k8s:acme", "GPU-0", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z", "1"),
        ("k8s:acme", "GPU-1", "2026-01-05T22:00:00Z", "2026-01-06T01:10:00Z", "1"),
        ("k8s:acme", "GPU-2", "2026-01-07T00:00:00Z", "2026-01-07T00:10:00Z", "0.75"),
        ("k8s:other", "GPU-2", "2026-01-07T00:00:00Z", "2026-01-07T00:15:00Z", "0.75"),
    )
)


@pytest.fixture(scope="module")
def month(
    migrated: str,
    shared_warehouse: Warehouse,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> str:
    """Books for tests to copy: Acme held two cards whole, and a third beside somebody else; the month is issued."""
    folder = tmp_path_factory.mktemp("month")
    with django_db_blocker.unblock(), copied(migrated, folder) as store:
        apply(folder, ISSUER + ACME + PRICE)
        (folder / "usage.csv").write_text(USAGE)
        import_csv(shared_warehouse, folder / "usage.csv")
        close(WarehouseLedger(shared_warehouse), "2026-01", "2026-02-10T00:00:00Z", issue=True)
    return settled(store.url)


@pytest.fixture
def ledger(
    month: str, shared_warehouse: Warehouse, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[WarehouseLedger]:
    """The usage of that month, beside its books."""
    with django_db_blocker.unblock(), lent(month, tmp_path):
        yield WarehouseLedger(shared_warehouse)


def explained(ledger: WarehouseLedger, **query: str) -> LineExplained:
    return explain_line(Explainer(issued()[0], 1, ledger), ledger, Chosen.from_query(query), "UTC")


def test_the_largest_part_of_each_level_is_shown_first(ledger: WarehouseLedger) -> None:
    shown = explained(ledger)
    assert shown.days.chosen.name == {"day": "2026-01-05"}
    assert shown.cards.chosen.name["card"] == "GPU-0"
    assert shown.cards.chosen.query == "day=2026-01-05&card=GPU-0"
    assert sum(row.quantity_us for row in shown.quarters.rows) == shown.cards.chosen.quantity_us
    assert (shown.time.duration, shown.time.measured, shown.time.differs) == ("10:00:00.000", 40, False)


def test_each_level_is_shown_to_come_to_what_was_chosen_above(ledger: WarehouseLedger) -> None:
    """Days are rounded so that they add up to the line: their cards, to the day as it stands there."""
    for row in explained(ledger).days.rows:
        shown = explained(ledger, day=str(row.name["day"]))
        assert shown.cards.card_hours == shown.days.chosen.card_hours == row.card_hours
        assert shown.quarters.card_hours == shown.cards.chosen.card_hours
    assert shown_hours([1, 1, 1], 10_001) == [3334, 3334, 3333]


def test_any_part_may_be_chosen_and_what_is_none_is_refused(ledger: WarehouseLedger) -> None:
    shown = explained(ledger, day="2026-01-07", card="GPU-2", quarter="2026-01-07T00:07:00Z")
    quarter, *_ = shown.time.quarters  # the rest of the hour, no row says anything of
    assert quarter.billable_us.keys() == {"k8s:acme", "k8s:other"}
    assert sum(term_us(quarter, state) for state in ("billable", "idle", "rounding")) == QUARTER_US
    assert shown.records.quantity_us == quarter.billable_us["k8s:acme"]
    with pytest.raises(Refuse, match="has nothing of card GPU-9"):
        explained(ledger, day="2026-01-07", card="GPU-9")
    with pytest.raises(Refuse, match="is not a day"):
        explained(ledger, day="yesterday")


def test_of_many_cards_some_are_listed_and_the_others_are_one_row(
    ledger: WarehouseLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardhour_billing.portal.explaining.CARDS_MAX", 1)
    cards = explained(ledger, day="2026-01-05", card="GPU-1").cards
    assert [row.name["card"] for row in cards.shown] == ["GPU-0", "GPU-1"], "the chosen one is always listed"
    assert cards.rest is None
    cards = explained(ledger, day="2026-01-05", card="GPU-0").cards
    assert [row.name["card"] for row in cards.shown] == ["GPU-0"]
    assert cards.rest is not None
    assert (cards.rest.count, cards.rest.card_hours, cards.rest.amount) == (1, "2.0000", "3.23")
    assert (cards.shown[0].amount, cards.amount) == ("16.17", "19.40"), "listed and others add up"
    assert len(cards.rows) == 2, "files have every card"


def test_a_picture_leads_where_there_is_something_below(ledger: WarehouseLedger) -> None:
    shown = explained(ledger)
    days = day_chart(shown.days, "2026-01-01", "2026-01-31", width=720)
    assert [slot.row.name["day"][8:] for slot in days.slots if slot.row] == ["05", "06", "07"]
    quarters = quarter_chart(shown.time, shown.quarters.rows, width=960)
    assert len(quarters.slots) == 96
    assert [at for at, slot in enumerate(quarters.slots) if slot.row] == list(range(40))


def test_a_level_as_csv_has_exact_quantities(ledger: WarehouseLedger) -> None:
    lines = level_csv(explained(ledger, day="2026-01-05"), "cards").decode("utf-8-sig").splitlines()
    assert lines[0] == "card,node,quantity_us,amount"
    assert lines[1] == "GPU-0,n1,36000000000,16.17"


def test_usage_that_moved_since_is_said() -> None:
    """The ledger gives the owner ten seconds more than the invoice froze."""
    at = "2026-10-14T06:15:00Z"
    start_ms = parse_rfc3339(at)
    quarter = CardQuarter(
        start_ms=start_ms, billable_us={"k8s:a": 610_000_000}, idle_us=290_000_000, faulted_us=0,
        unobserved_us={}, rounding_us=0,
    )  # fmt: skip
    amount = Money(amount=100, currency="CNY")
    for frozen_us, differs in ((600_000_000, True), (610_000_000, False)):
        part = Part(name={"quarter": at, "owner": "k8s:a"}, quantity_us=frozen_us, amount=amount)
        frozen = Explanation(whole="", quantity_us=frozen_us, amount=amount, parts=(part,))
        assert card_time([quarter], frozen, (start_ms, start_ms + 900_000), "Asia/Shanghai").differs is differs


def test_a_day_of_25_hours_has_100_quarters() -> None:
    span_ms = (parse_rfc3339("2026-10-24T22:00:00Z"), parse_rfc3339("2026-10-25T23:00:00Z"))
    nothing = Explanation(whole="", quantity_us=0, amount=Money(amount=0, currency="EUR"), parts=())
    time = card_time([], nothing, span_ms, "Europe/Berlin")
    chart = quarter_chart(time, [], width=1000)
    assert len(chart.slots) == 100
    assert [tick.text for tick in chart.ticks][:3] == ["00:00", "02:00", "03:00"]


def test_a_quarter_hour_is_shown_whole_when_its_raw_records_have_expired() -> None:
    nothing_left = Explanation(
        whole="a quarter hour", quantity_us=QUARTER_US, amount=Money(amount=62, currency="CNY"), parts=()
    )
    shown = level_of(nothing_left, "", "", {})
    assert (shown.rows, shown.card_hours, shown.amount) == ((), "0.2500", "0.62")
