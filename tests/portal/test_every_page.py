"""Every page in a real browser: accessible in light and dark, and no wider than a phone."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe

from tests.portal.conftest import Visit

CUSTOMER, STAFF, LOST = "chen.yi", "lin.yue", "nobody.yet"
EVERY_PAGE = (
    ("", "/sign-in/"),
    ("", "/no-such-page"),
    *(("", each) for each in ("/forgotten/", "/invitation/OTAw/sample-invitation/", "/new-password/MQ/no-such-token/")),
    (CUSTOMER, "/usage/?month=2026-11&by=project"),
    *((CUSTOMER, each) for each in ("/usage/report?from=soon", "/usage/subscriptions/")),
    (CUSTOMER, "/statements/"),
    (CUSTOMER, "/statements/1/"),
    (CUSTOMER, "/leases/"),
    (CUSTOMER, "/balance/"),
    (CUSTOMER, "/budgets/"),
    (CUSTOMER, "/organisation/"),
    (CUSTOMER, "/invoices/"),
    (CUSTOMER, "/invoices/?q=nothing"),
    (CUSTOMER, "/invoices/19/"),
    (CUSTOMER, "/close/"),
    (LOST, "/invoices/"),
    (STAFF, "/invoices/"),
    (STAFF, "/invoices/20/"),
    (CUSTOMER, "/api-keys/"),
    (STAFF, "/api-keys/"),
    (STAFF, "/today/?all=1"),
    (STAFF, "/profile/"),
    (STAFF, "/profile/second-factor/"),
    (CUSTOMER, "/profile/"),
    (STAFF, "/close/2026-10/"),
    (STAFF, "/close/2026-01/"),
    (STAFF, "/fleet/2026-10/?cut=12.5"),
    (STAFF, "/fleet/2026-07/"),
    (STAFF, "/close/2026-10/issue/?all=1"),
    (STAFF, "/catalog/"),
    (STAFF, "/audit/?action=catalog"),
    (STAFF, "/users/"),
    (STAFF, "/users/1/"),
    (STAFF, "/nodes/enrol/?node=n1"),
    (STAFF, "/nodes/rotate/?node=n1"),
    (STAFF, "/catalog/commitment/"),
    (STAFF, "/catalog/tax/"),
    (STAFF, "/records/dead-letters/"),
    (STAFF, "/catalog/lease/?id=2"),
    (STAFF, "/records/statements/1/"),
    (STAFF, "/records/customers/"),
    (STAFF, "/records/customers/1/"),
    (STAFF, "/records/bindings/?q=nothing"),
    (STAFF, "/records/leases/?state=all&known=2026-10-11"),
    (STAFF, "/records/leases/2/"),
    (STAFF, "/records/nodes/hz-a100-01/"),
    (STAFF, "/records/prepaid/2/"),
    (STAFF, "/invoices/19/"),
    (STAFF, "/invoices/19/pay/"),
    (STAFF, "/invoices/19/credit/"),
    (STAFF, "/invoices/19/void/"),
    (STAFF, "/invoices/19/mail/"),
    (STAFF, "/payments/1/reverse/"),
)


COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules of axe that look at colours."""


def test_every_page_is_accessible_in_light_and_dark_and_fits_a_phone(visit: Visit) -> None:
    """Each is loaded once: what a scheme changes is its colours, so dark asks the rules of colours alone."""
    found = []
    for login in ("", CUSTOMER, LOST, STAFF):
        page = visit("/sign-in/", login=login, color_scheme="light")
        for _, path in (each for each in EVERY_PAGE if each[0] == login):
            page.goto(path)
            violations = Axe().run(page).response["violations"]
            page.emulate_media(color_scheme="dark")
            violations += page.evaluate(f"axe.run({{runOnly: {COLOURS}}})")["violations"]
            found += [(path, each["id"], [node["html"] for node in each["nodes"]]) for each in violations]
            page.set_viewport_size({"width": 390, "height": 900})
            if page.evaluate("document.documentElement.scrollWidth") > 390:
                found.append((path, "wider than a phone", []))
            page.set_viewport_size({"width": 1440, "height": 900})
            page.emulate_media(color_scheme="light")
    assert not found, "\n".join(map(str, found))
