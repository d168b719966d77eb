"""Whatever comes to light, in whatever order: what was billed in all is what the month comes to, and again nothing."""

from __future__ import annotations

from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cardhour_billing.catalog.current import terms_of
from cardhour_billing.frozen.document import decode
from cardhour_billing.models import Customer, Invoice
from cardhour_billing.money import parse_amount, total
from cardhour_billing.month import billing_period, parse_month
from cardhour_billing.receivables.standing import in_force
from cardhour_billing.usage.zone_rating import rate_zone
from tests.billing.books import ACME, ISSUER, PRICE, apply, issue, on_sqlite
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_adjusting_kinds import VOLUME

__all__ = ["on_sqlite"]

GRADUATED = VOLUME.replace('"volume"', '"graduated"').replace('"T4"', '"A100"').replace('"1000"', '"20"')
MONTHS = ("2026-01", "2026-02", "2026-03")
CLOSES = {"2026-01": "2026-02-10", "2026-02": "2026-03-10", "2026-03": "2026-04-10", "2026-04": "2026-05-10"}

Use = tuple[str, str, int, int, int]
"""Month, model, day, quarter hours, card."""

uses = st.lists(
    st.tuples(
        st.sampled_from(MONTHS), st.sampled_from(("T4", "A100", "L4")), st.integers(1, 28), st.integers(1, 96),
        st.integers(0, 2),
    ),
    max_size=6,
)  # fmt: skip


def hold(ledger: MemoryLedger, use: Use) -> None:
    month, model, day, quarters, card = use
    hours, rest = divmod(quarters * 15, 60)
    end = f"{month}-{day:02}T{hours:02}:{rest:02}:00Z" if hours < 24 else f"{month}-{day:02}T23:45:00Z"
    ledger.hold("k8s:acme", model, f"{month}-{day:02}T00:00:00Z", end, card=f"{model}-{card}")


def billed_of(month: str) -> int:
    """Everything that issued documents billed of a month: its usage, wherever it stands."""
    documents = [decode(bytes(each.frozen)) for each in in_force(Invoice.objects.all())]
    lines = (
        line
        for document in documents
        for line in document.lines
        if line.first_day[:7] == month and line.kind in ("usage", "adjustment", "carried")
    )
    return total((parse_amount(line.amount, "USD") for line in lines), "USD").amount


def comes_to(ledger: MemoryLedger, month: str) -> int:
    """The month rated whole, today."""
    period = billing_period(parse_month(month), "UTC")
    customer = Customer.objects.get()
    rating = rate_zone(period, terms_of([customer], period), "USD", ledger).rating
    return sum(line.amount.amount for line in rating.lines["acme"])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=uses, late=st.lists(st.tuples(uses, st.integers(0, 3)), min_size=3, max_size=3))
def test_original_and_adjustments_are_the_month_rated_whole(
    store: Store, first: list[Use], late: list[tuple[list[Use], int]]
) -> None:
    with transaction.atomic():
        apply(store.home, ISSUER + ACME + VOLUME.replace('"1000"', '"20"') + GRADUATED + PRICE.replace("T4", "L4"))
        ledger = MemoryLedger()
        for use in first:
            hold(ledger, use)
        for month, (more, fewer) in zip(MONTHS, late, strict=True):
            issue(ledger, month, f"{CLOSES[month]}T00:00:00Z")
            del ledger.held[:fewer]  # some turns out to be wrong, some comes late
            for use in more:
                hold(ledger, use)
        issue(ledger, "2026-04", "2026-05-10T00:00:00Z")
        for month in MONTHS:
            assert billed_of(month) == comes_to(ledger, month)
        assert issue(ledger, "2026-05", "2026-06-10T00:00:00Z") == []
        for invoice in Invoice.objects.all():
            assert (invoice.total < 0) == (invoice.kind == "credit-note")
            assert all(line.quantity_us > 0 for line in invoice.lines.filter(kind="usage"))
        transaction.set_rollback(True)
