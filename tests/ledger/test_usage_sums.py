"""Usage that is answered from sums is the usage of the pages, to the integer, whoever writes pages at the same time.

A story lives through rollups that race, die half-way and are repeated, while facts come late and are taken back. At
every moment of it somebody may sum hours up, and somebody else asks: from sums, and from the pages alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from random import Random
from typing import Any

import pytest

from cardhour_contract.moment import HOUR_MS, QUARTER_MS
from cardhour_ingest.warehouse import sums
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up, run
from cardhour_ingest.warehouse.sql import sql
from cardhour_ingest.warehouse.sums import hours_summed, sum_hours
from cardhour_ingest.warehouse.usage import usage
from tests.ledger.facts import Attribution, Card, Claim, Facts, Retraction, UsageRow
from tests.ledger.fleet import HOURS_MS
from tests.ledger.store import FACTS, clear, put

SUMMED = ("owner", "model", "cluster", "day")
ZONE = "Asia/Kolkata"
"""Its days begin on a half hour."""

AGAIN = "INSERT INTO dirty_hour (hour, node, mark, done) SELECT DISTINCT hour, node, {mark:UInt64}, 0 FROM dirty_hour"

MOMENTS = ("after rollup/word", "after rollup/publish")
"""The first comes twice: the pages are about to be written, and they are written."""

WHAT = ("sum", "sum", "race", "race and sum", "race", "sum", "sum", "die")
"""What somebody else does at one moment after another; or the rollup's own process dies."""

OWNERS = ("unknown:exited", "unknown:hidden", "k8s:a", "k8s:b")


CHAPTERS = 2


class Died(Exception):
    """A process ended there."""


def told(chance: Random) -> Facts:
    """Two cards for two hours: most of their owners are not known yet."""
    rows = []
    for process, owner in enumerate(OWNERS):
        start_ms = HOURS_MS[0] + chance.randrange(8) * QUARTER_MS
        rows.append(
            UsageRow(
                card=chance.choice(("gpu-0", "gpu-1")),
                process=process,
                node="n1",
                start_ms=start_ms,
                end_ms=start_ms + chance.choice((1, 60_000, QUARTER_MS)),
                claim=Claim(owner=owner, workload="w"),
                active=chance.choice((None, 7_000)),
            )
        )
    return Facts(cards=(Card(card="gpu-0"), Card(card="gpu-1", model="L40S", cluster="edge")), usage=tuple(rows))


def told_late(chance: Random) -> Facts:
    """Then a name comes for one of the processes, or an owner is taken back."""
    names = [Attribution(process=each, claim=Claim(owner="k8s:c", workload="w"), at_ms=HOURS_MS[1]) for each in (0, 1)]
    back = [
        Retraction(scope="owner", subject=each, from_ms=HOURS_MS[0], to_ms=HOURS_MS[1] + HOUR_MS) for each in OWNERS
    ]
    some = chance.choice((names[:1], names[1:], back[2:3], back[3:]))
    return Facts(
        cards=(),
        attributions=tuple(each for each in some if isinstance(each, Attribution)),
        retractions=tuple(each for each in some if isinstance(each, Retraction)),
    )


class Story:
    """What happens to one ledger, by chance, and what was seen of it."""

    def __init__(self, warehouse: Warehouse, chance: Random) -> None:
        self._warehouse = warehouse
        self._chance = chance
        self._next = cycle(WHAT)
        self._busy = False
        self.seen: Counter[str] = Counter()

    def live(self, chapters: int) -> None:
        for _chapter in range(chapters):
            for facts in (told(self._chance), told_late(self._chance)):
                put(self._warehouse, facts, HOURS_MS)
                self._roll_up()
                # Whoever has not ended by now is dead, whatever the clock says.
                sum_hours(self._warehouse, quiet_s=0, dead_s=0)
                self.ask()
            clear(self._warehouse, FACTS)

    def at(self, moment: str) -> None:
        """Somebody else does something at this moment of a rollup, or its process dies."""
        if self._busy or moment not in MOMENTS:
            return
        what = next(self._next)
        self.seen[what] += 1
        self._busy = True
        try:
            if "race" in what:
                self._roll_up()
            if "sum" in what:
                sum_hours(self._warehouse, quiet_s=0)
            self.ask()
        finally:
            self._busy = False
        if what == "die":
            raise Died

    def ask(self) -> None:
        """The same question of both."""
        span = (HOURS_MS[0] + QUARTER_MS * self._chance.randrange(2), HOURS_MS[1] + HOUR_MS)
        told = usage(self._warehouse, *span, by=SUMMED, timezone=ZONE)
        if told != by_summed(usage(self._warehouse, *span, by=(*SUMMED, "node"), timezone=ZONE)):
            raise AssertionError("sums are not those of the pages")
        known = hours_summed(self._warehouse, HOURS_MS[0] // HOUR_MS, HOURS_MS[1] // HOUR_MS)
        self.seen["asked"] += 1
        self.seen["answered from sums"] += bool(known and told)

    def _roll_up(self) -> None:
        self._warehouse.command(AGAIN, mark=self._chance.getrandbits(63))
        try:
            roll_up(self._warehouse)
        except Died:
            self.seen["died"] += 1


def by_summed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that were also grouped by node, without it."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in SUMMED)
        row.pop("node")
        before = found.setdefault(key, {**row, "held_us": 0, "billable_us": 0, "active_us": None})
        for name in ("held_us", "billable_us", "active_us"):
            known = [each for each in (before[name], row[name]) if each is not None]
            before[name] = sum(known) if known else None
    return [found[key] for key in sorted(found)]


@pytest.fixture
def story(plain_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """On an empty ledger. Each statement of a rollup is followed by a moment."""
    lived = Story(plain_warehouse, Random(7))
    plain = run.Run.command

    def command(self: run.Run, statement: str, **parameters: Any) -> None:
        plain(self, statement, **parameters)
        lived.at(f"after {statement}")

    monkeypatch.setattr(run.Run, "command", command)
    yield lived
    clear(plain_warehouse)


def test_sums_say_what_the_pages_say_at_every_moment(story: Story) -> None:
    story.live(CHAPTERS)
    seen = story.seen
    assert seen["answered from sums"] >= 4, seen
    assert min(seen[each] for each in WHAT) >= 1, seen
    assert seen["died"] == seen["die"]


WRONG = {
    "sums_of_any_age": ("hours_summed", " AND summed.words = said.words", ""),
    "an_open_writing_does_not_matter": ("hours_to_sum", "uniqExact(writing) * 2 = words", "1"),
    "a_quarter_is_forgotten": ("sum_hours", "GROUP BY", "AND e_quarter < 3 GROUP BY"),
    "the_newest_page_does_not_win": ("sum_hours", "card_hour FINAL", "card_hour"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_sums_are_caught(wrong: str, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    name, right, instead = WRONG[wrong]
    text = sql(f"queries/{name}")
    assert text.count(right) == 1, f"{name}.sql no longer says: {right}"
    monkeypatch.setattr(
        sums, "sql", lambda each: text.replace(right, instead) if each == f"queries/{name}" else sql(each)
    )
    with pytest.raises(AssertionError, match="sums are not those of the pages"):
        story.live(CHAPTERS)


def test_a_rollup_that_does_not_say_what_it_is_about_to_write_is_caught(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = run.Run.command

    def command(self: run.Run, statement: str, **parameters: Any) -> None:
        if statement != "rollup/word" or parameters["done"]:
            plain(self, statement, **parameters)

    monkeypatch.setattr(run.Run, "command", command)
    monkeypatch.setattr(sums, "sql", lambda each: sql(each).replace("uniqExact(writing) * 2", "uniqExact(writing)"))
    with pytest.raises(AssertionError, match="sums are not those of the pages"):
        story.live(CHAPTERS)
