"""Short ways to say a catalog and a close in a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from cardhour_billing.catalog.applying import apply_catalog
from cardhour_billing.catalog.change import Change
from cardhour_billing.catalog.file import read_catalog
from cardhour_billing.catalog.plan import plan
from cardhour_billing.closing.close import CloseOrder, CloseReport, close_books, close_month
from cardhour_billing.closing.zone_close import ClosedInvoice, ZoneClose
from cardhour_billing.config import BillingSettings
from cardhour_billing.models import Customer, Invoice
from cardhour_billing.month import billing_period, parse_month
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.clock import VirtualClock
from cardhour_contract.moment import parse_rfc3339

ISSUER = """
[issuer]
name = "Example Compute"
currency = "USD"
timezone = "UTC"
number_prefix = "EC"
"""

ACME = """
[[customer]]
id = "acme"
name = "Acme Ltd"
[[binding]]
owner = "k8s:acme"
customer = "acme"
from = 2026-01-01T00:00:00Z
"""

DEFAULTS = BillingSettings()

PRICE = """
[[price]]
model = "T4"
per = "card-hour"
amount = "1.616532"
from = 2026-01-01T00:00:00Z
"""


@pytest.fixture(scope="session", name="migrated")
def on_sqlite(migrated_file: str) -> str:
    """For modules that import it: their figures come out of one database as of the other, so they ask only one."""
    return migrated_file


def clock_at(at: str) -> VirtualClock:
    """A clock that stands at an RFC 3339 time."""
    return VirtualClock(parse_rfc3339(at))


def apply(home: Path, text: str) -> tuple[Change, ...]:
    """Apply a catalog, as ``cardhour catalog apply --yes`` does; what it changed."""
    path = home / "catalog.toml"
    path.write_text(text, encoding="utf-8")
    file = read_catalog(path)
    changes = plan(file)
    apply_catalog(file, changes, clock=clock_at("2026-01-01T00:00:00Z"), who="tests")
    return changes


def close(
    ledger: Ledger,
    month: str,
    at: str,
    *,
    issue: bool = False,
    customer: str = "",
    within_grace: bool = False,
    settings: BillingSettings = DEFAULTS,
    files: bool = False,
) -> CloseReport:
    """Close ``month``, as if it were ``at`` now. ``files`` take longer to typeset than all the rest."""
    only = (customer,) if customer else ()
    order = CloseOrder(month=parse_month(month), who="tests", customers=only, issue=issue, within_grace=within_grace)
    if files:
        return close_month(order, ledger=ledger, clock=clock_at(at), settings=settings)
    return close_books(order, ledger=ledger, clock=clock_at(at), settings=settings, progress=_untold)


def _untold(what: str, done: int, of: int) -> None:
    """Nobody watches a test's close."""


def issue(ledger: Ledger, month: str, at: str) -> list[ClosedInvoice]:
    """Issue ``month`` for everyone in UTC, and only that: no check of the time, no checklist."""
    customers = list(Customer.objects.select_related("issuer").order_by("key"))
    period = billing_period(parse_month(month), "UTC")
    closing = ZoneClose(period, customers, customers[0].issuer.currency, ledger, clock_at(at), DEFAULTS)
    return [closed for _, closed in closing.close(issued_by="tests") if closed]


def issued(customer: str = "acme") -> list[Invoice]:
    """Issued invoices of a customer, oldest period first."""
    return list(Invoice.objects.filter(customer__key=customer, state=Invoice.State.ISSUED).order_by("period", "pk"))
