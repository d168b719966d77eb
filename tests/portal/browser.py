"""A real browser: the system's Chromium, driven by Playwright.

Found by the environment variable that names one, then on the PATH; where there is none, ``UnavailableError`` says so.
``chromium-headless-shell``, Chromium without what only a window needs, shows the same page for half of the work.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

PATIENCE_MS = 180_000
"""For anything awaited of a page: a busy machine is no failure."""

VARIABLE = "CARDHOUR_TEST_CHROMIUM"
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


class UnavailableError(Exception):
    """There is no browser here; the text says what to do."""


def chromium() -> str:
    """Path of the browser."""
    found = os.environ.get(VARIABLE) or _on_path()
    if not found:
        raise UnavailableError(f"no Chromium here: install chromium-headless-shell, or name one in {VARIABLE}")
    return found


def _on_path() -> str | None:
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser without a window. The sandbox needs a user of its own, which a build machine's root is not."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"], timeout=PATIENCE_MS)
        try:
            yield browser
        finally:
            browser.close()
