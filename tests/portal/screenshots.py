"""Pictures of every page, to be looked at: ``python -m tests.portal.screenshots [OUTDIR]``.

Each page at 1440 and 390 pixels, light and dark, in English and Chinese; the print layout as PDF. Owns the list of
pages; asserts nothing.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page

from tests.portal.browser import running_browser
from tests.portal.month_words import WORDS
from tests.portal.months import scene, walk_a_clerks_month, walk_a_customers_month
from tests.portal.server import STATEMENT_LINK, running_portal
from tests.portal.signing_in import sign_in

SIZES = {"wide": (1440, 900), "phone": (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LANGUAGES = {"en": "en", "zh": "zh-CN"}

PAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("sign-in", "/sign-in/"),
        ("forgotten", "/forgotten/"),
        ("invitation", "/invitation/OTAw/sample-invitation/"),
        ("link-gone", "/new-password/MQ/no-such-token/"),
        ("not-found-alone", "/no-such-page"),
    ),
    "chen.yi": (
        ("customer-usage", "/usage/?month=2026-11"),
        ("customer-usage-project", "/usage/?month=2026-11&by=project"),
        ("customer-subscriptions", "/usage/subscriptions/"),
        ("customer-profile", "/profile/"),
        ("customer-statements", "/statements/"),
        ("customer-statement", "/statements/1/"),
        ("customer-report-refused", "/usage/report?from=soon"),
        ("customer-leases", "/leases/"),
        ("customer-balance", "/balance/"),
        ("customer-budgets", "/budgets/"),
        ("customer-users", "/organisation/"),
        ("customer-list", "/invoices/"),
        ("customer-none", "/invoices/?q=nothing"),
        ("customer-invoice", "/invoices/19/"),
        ("customer-404", "/invoices/2/"),
        ("customer-403", "/close/"),
        ("customer-keys", "/api-keys/"),
    ),
    "ada": (
        ("customer-usage-empty", "/usage/"),
        ("customer-statements-empty", "/statements/"),
        ("customer-leases-empty", "/leases/"),
        ("customer-balance-empty", "/balance/"),
        ("customer-budgets-empty", "/budgets/"),
    ),
    "nobody.yet": (("lost-list", "/invoices/"),),
    "lin.yue": (
        ("staff-profile", "/profile/"),
        ("staff-enrol", "/profile/second-factor/"),
        ("staff-today", "/today/?all=1"),
        ("staff-close", "/close/"),
        ("staff-close-empty", "/close/2026-01/"),
        ("staff-issue", "/close/2026-10/issue/?all=1"),
        ("staff-invoice", "/invoices/19/"),
        ("staff-pay", "/invoices/19/pay/"),
        ("staff-credit", "/invoices/19/credit/"),
        ("staff-void", "/invoices/19/void/"),
        ("staff-mail", "/invoices/19/mail/"),
        ("staff-list", "/invoices/"),
        ("staff-list-filtered", "/invoices/?month=2026-09&state=overdue"),
        ("staff-draft", "/invoices/20/"),
        ("staff-fleet", "/fleet/2026-10/"),
        ("staff-catalog", "/catalog/"),
        ("staff-audit", "/audit/"),
        ("staff-users", "/users/"),
        ("staff-user", "/users/1/"),
        ("staff-catalog-form", "/catalog/lease/?id=2"),
        ("staff-contract-form", "/catalog/contract/"),
        ("staff-commitment-form", "/catalog/commitment/"),
        ("staff-tax-form", "/catalog/tax/"),
        ("staff-add-on-form", "/catalog/add-on/?id=1"),
        ("staff-bind", "/catalog/binding/?owner=k8s%3Aacme-eval&from=2026-10-01"),
        ("staff-rotate", "/nodes/rotate/?node=hz-a100-01"),
        ("staff-customers", "/records/customers/"),
        ("staff-customer", "/records/customers/1/"),
        ("staff-bindings", "/records/bindings/"),
        ("staff-binding", "/records/bindings/1/"),
        ("staff-contracts", "/records/contracts/"),
        ("staff-contract", "/records/contracts/1/"),
        ("staff-commitments", "/records/commitments/"),
        ("staff-add-ons", "/records/add-ons/"),
        ("staff-taxes", "/records/taxes/"),
        ("staff-grants", "/records/grants/"),
        ("staff-grant", "/records/grants/1/"),
        ("staff-costs", "/records/costs/"),
        ("staff-leases", "/records/leases/?state=all"),
        ("staff-lease", "/records/leases/2/"),
        ("staff-prices", "/records/prices/"),
        ("staff-price", "/records/prices/1/"),
        ("staff-price-form", "/catalog/price/"),
        ("staff-customer-form", "/catalog/customer/?id=1"),
        ("staff-prepaid-list", "/records/prepaid/"),
        ("staff-prepaid", "/records/prepaid/2/"),
        ("staff-nodes", "/records/nodes/"),
        ("staff-node", "/records/nodes/hz-a100-01/"),
        ("staff-payments", "/records/payments/"),
        ("staff-statements", "/records/statements/"),
        ("staff-statement", "/records/statements/1/"),
        ("staff-payment", "/records/payments/1/"),
        ("staff-reverse", "/payments/1/reverse/"),
        ("staff-node-enrol", "/nodes/enrol/"),
        ("staff-dead-letters", "/records/dead-letters/"),
        ("staff-yen", "/invoices/26/"),
        ("staff-keys", "/api-keys/"),
    ),
}


def take(folder: Path) -> None:
    """Write every picture into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with running_browser() as browser:
        _of_addresses(browser, folder)
        for language in WORDS:
            _of_walks(browser, language, folder)


def _of_addresses(browser: Browser, folder: Path) -> None:
    """The pages of ``PAGES``, and what is printed."""
    with tempfile.TemporaryDirectory() as home, running_portal(Path(home)) as address:
        for language, locale in LANGUAGES.items():
            for size, (width, height) in SIZES.items():
                for scheme in SCHEMES:
                    context = browser.new_context(
                        base_url=address,
                        locale=locale,
                        viewport={"width": width, "height": height},
                        color_scheme=scheme,
                        device_scale_factor=1 if size == "wide" else 2,
                    )
                    mailed = (("statement-answer", (Path(home) / STATEMENT_LINK).read_text("utf-8")),)
                    for login, pages in (*PAGES.items(), ("", mailed)):
                        _each_page(context, login, pages, folder, f"{size}.{scheme}.{language}")
                    context.close()
        _printed(browser, address, folder)


def _of_walks(browser: Browser, language: str, folder: Path) -> None:
    """Each page that the walks of a month read, numbered in their order."""
    numbers, walk = count(1), "clerk"

    def look(page: Page) -> None:
        name = f"{walk}-{next(numbers):02}-{urlsplit(page.url).path.strip('/').replace('/', '-') or 'home'}"
        usual = page.viewport_size
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                page.screenshot(path=folder / f"{name}.{size}.{scheme}.{language[:2]}.png", full_page=True)
        page.emulate_media(color_scheme="light")
        if usual is not None:
            page.set_viewport_size(usual)

    with (
        tempfile.TemporaryDirectory() as home,
        tempfile.TemporaryDirectory() as downloads,
        scene(browser, language, Path(home), look) as october,
    ):
        walk_a_clerks_month(october, Path(downloads))
        numbers, walk = count(1), "customer"
        walk_a_customers_month(october, Path(downloads))


def _each_page(
    context: BrowserContext, login: str, pages: tuple[tuple[str, str], ...], folder: Path, suffix: str
) -> None:
    context.clear_cookies()
    if login:
        sign_in(context, login)
    page = context.new_page()
    for name, path in pages:
        page.goto(path, wait_until="networkidle")
        page.screenshot(path=folder / f"{name}.{suffix}.png", full_page=True)
    page.close()


def _printed(browser: Browser, address: str, folder: Path) -> None:
    context = browser.new_context(base_url=address, locale="en", color_scheme="dark")
    sign_in(context, "lin.yue")
    page = context.new_page()
    for name, path in (("print-invoice", "/invoices/19/"), ("print-close", "/close/")):
        page.goto(path, wait_until="networkidle")
        page.pdf(path=folder / f"{name}.pdf", prefer_css_page_size=True)
    context.close()


if __name__ == "__main__":
    wanted = Path(sys.argv[1] if len(sys.argv) > 1 else ".cache/screenshots")
    take(wanted)
    print(wanted)
