"""A clerk's month and a customer's month at the portal, in a real browser, once in each language.

The portal is a process of its own over real usage; mail and webhooks are heard by real servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct
from playwright.sync_api import Browser

from tests.billing.mail_server import Post, post_office
from tests.billing.receiver import receiving
from tests.portal import clerks_month as month
from tests.portal import customers_month as own
from tests.portal.month_books import LATER, NAMES, NOVEMBER, Names, usage_file
from tests.portal.month_server import MonthPortal, month_portal
from tests.portal.month_words import WORDS
from tests.portal.walker import Walker


class Scene(Struct, frozen=True, kw_only=True):
    """What a walk happens in."""

    browser: Browser
    portal: MonthPortal
    post: Post
    language: str
    names: Names

    def walker(self) -> Walker:
        """Somebody who has not signed in."""
        return Walker(self.browser, self.portal.address, self.language, WORDS[self.language])


@pytest.fixture(scope="module", params=["en", "zh-hans"])
def scene(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    language: str = request.param
    home = tmp_path_factory.mktemp("month")
    with post_office() as (post, port), month_portal(home, language, port) as portal:
        yield Scene(browser=browser, portal=portal, post=post, language=language, names=NAMES[language])


def test_a_clerks_month(scene: Scene, tmp_path: Path) -> None:
    clerk, portal, names = scene.walker(), scene.portal, scene.names
    secret = month.sets_up_a_second_factor(clerk, portal)
    clerk.press("Sign out")
    portal.at("2026-10-30T10:02:00+08:00")
    portal.tick()
    month.signs_in(clerk, portal, secret)
    month.binds_whose_usage_it_is(clerk, names)
    month.looks_at_the_silent_node(clerk)
    month.replays_dead_letters(clerk)
    portal.at("2026-11-01T00:15:00+08:00")
    portal.tick()  # the month is over: the scheduler prepares its drafts
    portal.at("2026-11-04T09:00:00+08:00")
    portal.tick()
    clerk.goes("Today")
    month.mends_what_blocks(clerk, names)
    month.issues(clerk, names)
    month.sends(clerk, names, scene.post, tmp_path)
    month.explains(clerk, tmp_path)
    month.gives_back(clerk)
    month.records_the_payment(clerk)
    month.sends_the_statement(clerk, portal, scene.post, names)
    month.looks_at_the_fleet(clerk)
    month.stands_in_the_audit_log(clerk, tmp_path)
    clerk.leaves()


def test_a_customers_month(scene: Scene, tmp_path: Path) -> None:
    reader, portal, post = scene.walker(), scene.portal, scene.post
    portal.at("2026-11-19T15:00:00+08:00")
    for customer in ("green", "red"):  # nothing is issued twice
        portal.command("close", "2026-10", "--issue", "--customer", customer)
    portal.command("import", str(usage_file(tmp_path / "november.csv", NOVEMBER)))
    portal.command("credit", "top-up", "green", "100.00", "--reference", "TT-1119", "--yes")
    portal.command("user", "invite", own.ADMIN, "--customer", "green", "--role", "admin")
    portal.at("2026-11-20T09:00:00+08:00")
    portal.tick()
    own.accepts_the_invitation(reader, portal, post, own.ADMIN)
    own.reads_the_month_to_date(reader, tmp_path)
    own.subscribes(reader)
    own.looks_at_what_is_paid_ahead(reader)
    with receiving() as receiver:
        secret = own.sets_a_budget(reader, receiver)
        portal.command("import", str(usage_file(tmp_path / "later.csv", LATER)))
        portal.at("2026-11-22T09:00:00+08:00")
        portal.tick()
        own.hears_that_it_is_crossed(reader, post, receiver, secret)
    own.invites_a_colleague(reader)
    colleague = scene.walker()
    own.accepts_the_invitation(colleague, portal, post, own.COLLEAGUE)
    own.colleague_only_looks(colleague)
    colleague.leaves()
    own.gives_a_program_a_key(reader)
    own.reads_the_other_language(reader, WORDS["zh-hans" if scene.language == "en" else "en"])
    portal.at("2026-12-03T09:00:00+08:00")
    portal.command("close", "2026-11", "--issue", "--customer", "green")
    statement = own.is_sent_a_statement(portal)
    portal.tick()
    own.has_the_invoice(reader, tmp_path)
    own.confirms_the_statement(reader)
    own.gets_the_report(post)
    own.finds_nobody_elses(reader, statement)
    reader.leaves()
