"""A clerk's month and a customer's month as wholes: what happens between their steps, and what they happen in.

Owns the order of the steps and the moves of the clock; the steps are in ``clerks_month`` and ``customers_month``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from playwright.sync_api import Browser, Page

from tests.billing.mail_server import Post, post_office
from tests.billing.receiver import receiving
from tests.portal import clerks_month as month
from tests.portal import customers_month as own
from tests.portal.month_facts import LATER, NAMES, NOVEMBER, Names, usage_file
from tests.portal.month_server import MonthPortal, month_portal
from tests.portal.month_words import WORDS
from tests.portal.walker import Walker, unseen


class Scene(Struct, frozen=True, kw_only=True):
    """What a walk happens in."""

    browser: Browser
    portal: MonthPortal
    post: Post
    language: str
    names: Names
    look: Callable[[Page], None]

    def walker(self) -> Walker:
        """Somebody who has not signed in."""
        return Walker(self.browser, self.portal.address, self.language, WORDS[self.language], self.look)


@contextmanager
def scene(browser: Browser, language: str, home: Path, look: Callable[[Page], None] = unseen) -> Iterator[Scene]:
    """A portal over new books in ``home``, and a mail server. Each page that a walk reads is shown to ``look``."""
    with post_office() as (post, port), month_portal(home, language, port) as portal:
        yield Scene(browser=browser, portal=portal, post=post, language=language, names=NAMES[language], look=look)


def walk_a_clerks_month(scene: Scene, folder: Path) -> None:
    """October, from an owner that nobody has to the audit log. ``folder`` keeps what is downloaded."""
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
    month.sends(clerk, names, scene.post, folder)
    month.explains(clerk, folder)
    month.gives_back(clerk)
    month.records_the_payment(clerk)
    month.sends_the_statement(clerk, portal, scene.post, names)
    month.looks_at_the_fleet(clerk)
    month.stands_in_the_audit_log(clerk, folder)
    clerk.leaves()


def walk_a_customers_month(scene: Scene, folder: Path) -> None:
    """November, from the invitation to the statement that is confirmed, in a scene whose October may be issued."""
    reader, portal, post = scene.walker(), scene.portal, scene.post
    portal.at("2026-11-19T15:00:00+08:00")
    for customer in ("green", "red"):  # nothing is issued twice
        portal.command("close", "2026-10", "--issue", "--customer", customer)
    portal.command("import", str(usage_file(folder / "november.csv", NOVEMBER)))
    portal.command("credit", "top-up", "green", "100.00", "--reference", "TT-1119", "--yes")
    portal.command("user", "invite", own.ADMIN, "--customer", "green", "--role", "admin")
    portal.at("2026-11-20T09:00:00+08:00")
    portal.tick()
    own.accepts_the_invitation(reader, portal, post, own.ADMIN)
    own.reads_the_month_to_date(reader, folder)
    own.subscribes(reader)
    own.looks_at_what_is_paid_ahead(reader)
    with receiving() as receiver:
        secret = own.sets_a_budget(reader, receiver)
        portal.command("import", str(usage_file(folder / "later.csv", LATER)))
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
    own.has_the_invoice(reader, folder)
    own.confirms_the_statement(reader)
    own.gets_the_report(post)
    own.finds_nobody_elses(reader, statement)
    reader.leaves()
