"""Waiting for what a page does by itself."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def until_it_comes_by_itself(page: Page, row: str) -> None:
    """The row that a download leaves behind. The page looks once, soon after the click; where the portal was so busy
    that it had not begun by then, the next click's look finds it.
    """
    for _ in range(5):
        try:
            expect(page.locator("#reports")).to_contain_text(row, timeout=20_000)
        except AssertionError:
            with page.expect_download():
                page.click("text=Download report")
        else:
            return
    expect(page.locator("#reports")).to_contain_text(row)
