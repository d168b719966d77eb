"""Books for measuring pages: ten thousand customers with a month issued and the next one drafted, one of them large.

Owns sample data, written in bulk; every invoice adds up. The months are the two before the running one. The large
customer's invoice and its months of usage are made by the same code as in production, from pages of its cards made
inside the engine: its cards run in all three months.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

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
from cardhour_billing.month import BillingPeriod, billing_period, local_day, month_of, parse_month
from cardhour_contract.moment import CARD_HOUR_US, HOUR_MS, format_rfc3339

if TYPE_CHECKING:
    from cardhour_billing.models import Customer, Invoice, NumberSeries
    from cardhour_contract.clock import Clock
    from cardhour_ingest.warehouse.client import Warehouse

LARGE = "team-0"
MODELS = 40
"""Of the large customer's cards: its invoice has a line for each."""
LINES, CARDS_SHOWN = 2, 2
"""Of the invoices of the others."""
USAGE_HOURS = 3 * 24
"""From the first of a month; of the running one as many as have passed."""
HOURS_AT_ONCE = 12
LOT = 500

PAGES = """INSERT INTO card_hour
WITH at % {cards:UInt32} AS number,
     arrayMap(q -> concat('k8s:team-0-', toString(number % 20)), range(4)) AS owners,
     arrayMap(q -> concat('node-', toString(intDiv(number, 8))), range(4)) AS nodes,
     arrayMap(q -> 900000000::UInt64, range(4)) AS whole, arrayMap(q -> 0::UInt64, range(4)) AS nothing
SELECT {hour:UInt32} + intDiv(at, {cards:UInt32}), concat('GPU-', lower(hex(sipHash128(number)))), 'bench',
       concat('H', leftPad(toString(number % 40), 3, '0')), 0,
       range(4), nodes, owners, whole, whole, nothing, nothing, nothing, nothing,
       range(4), nodes, owners, arrayMap(q -> number, range(4)), whole, whole, nothing, nothing, nothing, nothing,
       nothing, nothing, nothing, [], [], [], 480, now64(6)
FROM (SELECT number AS at FROM numbers({cards:UInt32} * {hours:UInt32}))"""


class Months(NamedTuple):
    """The months of the books."""

    issued: str
    drafted: str
    running: str


def months(now_ms: int) -> Months:
    """The two before the running one, and that."""
    running = month_of(local_day(now_ms, "UTC"))
    return Months(str(running.minus(2)), str(running.minus(1)), str(running))


def write(customers: int, months: Months) -> None:
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
    book = PriceBook.objects.create()
    for at in range(MODELS):
        Price.objects.create(
            book=book, model=f"H{at:03d}", currency="USD", unit_nano=2_490_000_000, valid_from_ms=0, recorded_at_ms=0
        )
    Binding.objects.create(customer=known[0], owner="k8s:team-0-*", valid_from_ms=0, recorded_at_ms=0)
    series = NumberSeries.objects.create(issuer=issuer, kind="bench", fiscal_year=parse_month(months.issued).year)
    for month in (months.issued, months.drafted):
        # The large customer's issued one comes of a real close: it has what every line was computed from.
        whose = known[1:] if month == months.issued else known
        rows = _invoices(whose, billing_period(parse_month(month), "UTC"), series if month == months.issued else None)
        Invoice.objects.bulk_create(rows, batch_size=LOT)
    for name, staff in (("clerk", True), (LARGE, False)):
        login = User.objects.create_user(name, is_staff=staff)
        if staff:
            StaffRole.objects.create(user=login, role="billing")
        else:
            PortalUser.objects.create(user=login, customer=known[0])


def use(warehouse: Warehouse, cards: int, months: Months, now_ms: int) -> None:
    """The large customer holds every card for the first days of each month, and in the running one until now."""
    for month in months:
        first = billing_period(parse_month(month), "UTC").start_ms // HOUR_MS
        end = now_ms // HOUR_MS if month == months.running else first + USAGE_HOURS
        first = max(first, end - USAGE_HOURS)
        for hour in range(first, end, HOURS_AT_ONCE):
            warehouse.command(PAGES, hour=hour, hours=min(HOURS_AT_ONCE, end - hour), cards=cards)


def close(warehouse: Warehouse, months: Months, clock: Clock) -> None:
    """Issue the large customer's month, and put together what its pages of usage show."""
    from cardhour_billing.closing.close import CloseOrder, close_books
    from cardhour_billing.config import load_config
    from cardhour_billing.month_usage.keeping import refresh
    from cardhour_billing.usage.ledger import WarehouseLedger

    ledger = WarehouseLedger(warehouse)
    order = CloseOrder(month=parse_month(months.issued), who="bench", customers=(LARGE,), issue=True)
    # Without files: ten thousand documents that no page of these shows would be made, too.
    settings = load_config().billing
    report = close_books(order, ledger=ledger, clock=clock, settings=settings, progress=lambda what, done, of: None)
    if len(report.invoices) != 1 or report.blocked:
        raise RuntimeError(f"the large customer's month was not issued: {report.warnings}, {report.blocked}")
    refresh(ledger, clock)


def _invoices(customers: list[Customer], period: BillingPeriod, series: NumberSeries | None) -> Iterator[Invoice]:
    from cardhour_billing.models import Invoice

    day = period.last_day + timedelta(days=3)
    for at, customer in enumerate(customers, start=1):
        document = _document(customer.key, period, MODELS if customer.key == LARGE else LINES)
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
    made = tuple(_line(position, period, days) for position in range(1, lines + 1))
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


def _line(position: int, period: BillingPeriod, days: int) -> DocumentLine:
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
            for card in range(CARDS_SHOWN)
        ),
    )  # fmt: skip
