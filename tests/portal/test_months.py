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
from tests.portal import clerks_month as month
from tests.portal.month_books import NAMES, Names
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
    month.stands_in_the_audit_log(clerk, tmp_path)
    clerk.leaves()
