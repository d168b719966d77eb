"""Signing in to the portals of the tests, whose logins all have one password."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

PASSWORD = "correct horse battery"


def sign_in(context: BrowserContext, login: str) -> None:
    """Leave ``context`` signed in as ``login``."""
    page = context.new_page()
    page.goto("/sign-in/")
    page.fill("input[name=username]", login)
    page.fill("input[name=password]", PASSWORD)
    page.click("form:has(input[name=password]) button")
    page.wait_for_url(lambda url: "/sign-in/" not in url)
    page.close()
