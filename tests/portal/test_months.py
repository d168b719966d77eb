"""A clerk's month and a customer's month at the portal, in a real browser, once in each language.

The portal is a process of its own over real usage; mail and webhooks are heard by real servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.portal.month_words import WORDS
from tests.portal.months import Scene, scene, walk_a_clerks_month, walk_a_customers_month


@pytest.fixture(scope="module", params=list(WORDS))
def october(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    with scene(browser, request.param, tmp_path_factory.mktemp("month")) as begun:
        yield begun


def test_a_clerks_month(october: Scene, tmp_path: Path) -> None:
    walk_a_clerks_month(october, tmp_path)


def test_a_customers_month(october: Scene, tmp_path: Path) -> None:
    walk_a_customers_month(october, tmp_path)
