"""Books for measuring pages: ten thousand customers with a month issued and the next one drafted, one of them large.

Owns sample data, written in bulk; every invoice adds up. The large customer's month of usage is put together by the
same code as in production, from pages of its cards made inside the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from cardhour_billing.frozen.document import (
    CardShare,
    CustomerParty,
    DayShare,
    DocumentLine,
    InvoiceDocument,
    IssuerParty,
    Period,
    encode,
)
from cardhour_billing.month import BillingPeriod, billing_period, parse_month
from cardhour_contract.moment import CARD_HOUR_US, HOUR_MS, format_rfc3339

if TYPE_CHECKING:
    from cardhour_billing.models import Customer, Invoice, NumberSeries
    from cardhour_ingest.warehouse.client import Warehouse

ISSUED, DRAFTED = "2026-09", "2026-10"
LARGE = "team-0"
LINES, LINES_LARGE, CARDS_SHOWN = 2, 40, 256
"""Lines of an invoice; of the large customer's; and the cards that a document names at most."""
USAGE_HOURS = 10 * 24
LOT = 500

PAGES = """INSERT INTO card_hour
WITH arrayMap(q -> concat('k8s:team-0-', toString(number % 20)), range(4)) AS owners,
     arrayMap(q -> concat('node-', toString(intDiv(number, 8))), range(4)) AS nodes,
     arrayMap(q -> 900000000::UInt64, range(4)) AS whole, arrayMap(q -> 0::UInt64, range(4)) AS nothing
SELECT {hour:UInt32}, concat('GPU-', lower(hex(sipHash128(number)))), 'bench', 'H100', 0,
       range(4), nodes, owners, whole, whole, nothing, nothing, nothing, nothing,
       range(4), nodes, owners, arrayMap(q -> number, range(4)), whole, whole, nothing, nothing, nothing, nothing,
       nothing, nothing, nothing, [], [], [], 480, now64(6)
FROM numbers({cards:UInt32})"""


def write(customers: int) -> None:
    """Customers, their invoices and the logins; the store is migrated and empty."""
    from django.contrib.auth.models import User

    from cardhour_billing.models import (
        Binding,
        Customer,
        Invoice,
        Issuer,
        NumberSeries,
        PortalUser,
        Price,
        PriceBook,
        StaffRole,
    )

    issuer = Issuer.objects.create(name="Bench", currency="USD", timezone="UTC")
    Customer.objects.bulk_create(
        [
            Customer(issuer=issuer, key=f"team-{at}", name=f"Team {at}", currency="USD", timezone="UTC")
            for at in range(customers)
        ],
        batch_size=LOT,
    )
    known = list(Customer.objects.order_by("pk"))
    book = PriceBook.objects.create(issuer=issuer)
    Price.objects.create(
        book=book, model="H100", currency="USD", unit_nano=2_490_000_000, valid_from_ms=0, recorded_at_ms=0
    )
    Binding.objects.create(customer=known[0], owner="k8s:team-0-*", valid_from_ms=0, recorded_at_ms=0)
    series = NumberSeries.objects.create(issuer=issuer, kind="invoice", fiscal_year=2026)
    for month in (ISSUED, DRAFTED):
        rows = _invoices(known, billing_period(parse_month(month), "UTC"), series if month == ISSUED else None)
        Invoice.objects.bulk_create(rows, batch_size=LOT)
    for name, staff in (("clerk", True), (LARGE, False)):
        login = User.objects.create_user(name, is_staff=staff)
        if staff:
            StaffRole.objects.create(user=login, role="billing")
        else:
            PortalUser.objects.create(user=login, customer=known[0])


def use(warehouse: Warehouse, cards: int) -> None:
    """The large customer holds every card for ten days of the open month."""
    first = billing_period(parse_month(DRAFTED), "UTC").start_ms // HOUR_MS
    for hour in range(first, first + USAGE_HOURS):
        warehouse.command(PAGES, hour=hour, cards=cards)


def _invoices(customers: list[Customer], period: BillingPeriod, series: NumberSeries | None) -> Iterator[Invoice]:
    from cardhour_billing.models import Invoice

    day = period.last_day + timedelta(days=3)
    for at, customer in enumerate(customers, start=1):
        document = _document(customer.key, period, LINES_LARGE if customer.key == LARGE else LINES)
        total = int(document.total.replace(".", ""))
        row = Invoice(
            issuer_id=customer.issuer_id, customer=customer, period=str(period.month), currency="USD", net=total,
            period_start_ms=period.start_ms, period_end_ms=period.end_ms, total=total, frozen=encode(document),
            computed_at_ms=period.end_ms,
        )  # fmt: skip
        if series is not None:
            row.state, row.series, row.sequence, row.number = Invoice.State.ISSUED, series, at, f"B-{at:06d}"
            row.issue_date, row.due_date = day, day + timedelta(days=30)
            row.issued_at_ms, row.inputs, row.digest = period.end_ms, b"{}", "0" * 64
        yield row


def _document(key: str, period: BillingPeriod, lines: int) -> InvoiceDocument:
    days = (period.last_day - period.month.first_day).days + 1
    made = tuple(_line(position, period, days, lines > LINES) for position in range(1, lines + 1))
    total = f"{lines * days * 249 // 10}.{lines * days * 249 % 10}0"
    return InvoiceDocument(
        state="draft", terms_days=30, issuer=IssuerParty(name="Bench", legal_name="Bench"),
        customer=CustomerParty(id=key, name=key, legal_name=key), currency="USD", decimals=2, lines=made,
        period=Period(
            first_day=period.month.first_day.isoformat(), last_day=period.last_day.isoformat(), timezone="UTC",
            started_at=format_rfc3339(period.start_ms), ended_at=format_rfc3339(period.end_ms),
        ),
        net=total, total=total, due=total,
    )  # fmt: skip


def _line(position: int, period: BillingPeriod, days: int, large: bool) -> DocumentLine:
    """Ten card-hours a day at 2.49."""
    first = period.month.first_day
    amount = f"{days * 249 // 10}.{days * 249 % 10}0"
    return DocumentLine(
        position=position, model=f"H{position:03d}", first_day=first.isoformat(), unit="card-hour", unit_price="2.49",
        last_day=period.last_day.isoformat(), quantity_us=10 * days * CARD_HOUR_US, amount=amount,
        printed_quantity=f"{10 * days}.0000",
        days=tuple(
            DayShare(day=(first + timedelta(days=at)).isoformat(), quantity_us=10 * CARD_HOUR_US, amount="24.90")
            for at in range(days)
        ),
        cards=tuple(
            CardShare(card=f"GPU-{position}-{card}", node=f"node-{card // 8}", quantity_us=0, amount="0.00")
            for card in range(CARDS_SHOWN if large else 2)
        ),
    )  # fmt: skip
