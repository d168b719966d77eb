"""A running portal and a real browser for the page tests; a page that breaks its security policy fails its test.

The browser ends with these tests, not with the run: while it lives this thread has an event loop, beside which Django
refuses to touch a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState

from tests.portal.browser import PATIENCE_MS, UnavailableError, running_browser
from tests.portal.server import running_portal
from tests.portal.signing_in import sign_in

Visit = Callable[..., Page]
POLICY_WORDS = ("content security policy", "content-security-policy", "refused to")


@pytest.fixture(scope="package")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a portal over sample books, shared by all page tests: none of them changes the books."""
    with running_portal(tmp_path_factory.mktemp("portal")) as address:
        yield address


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser that CARDHOUR_TEST_CHROMIUM names, or the one installed here."""
    try:
        with running_browser() as started:
            yield started
    except UnavailableError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="package")
def signed_in(portal: str, browser: Browser) -> Callable[[str], StorageState]:
    """The cookies of a login, made by signing in once: hashing a password is slow on purpose."""
    kept: dict[str, StorageState] = {}

    def state(login: str) -> StorageState:
        if login not in kept:
            with browser.new_context(base_url=portal, locale="en") as context:
                context.set_default_timeout(PATIENCE_MS)
                sign_in(context, login)
                kept[login] = context.storage_state()
        return kept[login]

    return state


@pytest.fixture
def visit(portal: str, browser: Browser, signed_in: Callable[[str], StorageState]) -> Iterator[Visit]:
    """Opens a page in a fresh browser profile: ``visit("/invoices/", login="chen.yi")``."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def note(text: str) -> None:
        if any(word in text.lower() for word in POLICY_WORDS):
            complaints.append(text)

    def open_page(path: str, *, login: str = "", width: int = 1440, **options: object) -> Page:
        if login:
            options["storage_state"] = signed_in(login)
        context = browser.new_context(
            **{"base_url": portal, "locale": "en", "viewport": {"width": width, "height": 900}, **options}  # type: ignore[arg-type]  # Playwright types each keyword by itself
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        context.on("console", lambda message: note(message.text))
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
