"""Two customers who have everything the API tells: usage, an issued month, payments, credit, a lease, a statement.

Owns sample data. Everything is made by the functions that staff's commands call.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from cardhour_billing.logins.api_keys import SCOPES, add_key
from cardhour_billing.models import Customer, Statement
from cardhour_billing.money import Money
from cardhour_billing.receivables.allocating import allocate, oldest_first
from cardhour_billing.receivables.credit import GrantTerms, grant, top_up
from cardhour_billing.receivables.payments import Receipt, record
from cardhour_billing.statements.statement import draw_up, mark_sent
from cardhour_billing.usage.ledger import WarehouseLedger
from cardhour_contract.clock import SystemClock
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from tests.billing.books import ISSUER, PRICE, apply, clock_at, issue
from tests.billing.test_commands import HEADER

CUSTOMERS = ("acme", "rival")
CLOCK = clock_at("2026-02-10T00:00:00Z")
JANUARY = date(2026, 1, 1), date(2026, 1, 31)
SINCE = "2026-01-01T00:00:00Z"


def catalog() -> str:
    """Each customer has a project, a contract with a commitment, a lease and an add-on."""
    text = ISSUER + PRICE
    for each in CUSTOMERS:
        text += f"""
[[customer]]
id = "{each}"
name = "{each.title()} Ltd"
[[binding]]
owner = "k8s:{each}"
customer = "{each}"
project = "research"
from = {SINCE}
[[binding]]
owner = "user:{each}-*"
customer = "{each}"
from = {SINCE}
[[contract]]
id = "{each}-1"
customer = "{each}"
from = {SINCE}
[[commitment]]
id = "base"
contract = "{each}-1"
term = "month"
card_hours = "10"
models = ["T4"]
true_up = "1"
from = {SINCE}
[[lease]]
id = "{each}-pool"
customer = "{each}"
model = "H100"
count = 2
per = "card-month"
amount = "1550"
from = {SINCE}
[[add-on]]
id = "{each}-storage"
customer = "{each}"
name = "Object storage"
per = "month"
unit = "TB"
quantity = "1.5"
amount = "20"
from = {SINCE}
"""
    return text


def usage() -> str:
    """Each customer held a card for thirty hours, and one of its people another for two."""
    rows = (
        (f"{kind}:{each}{who}", job, f"GPU-{at}{kind}", "2026-01-05T00:00:00Z", f"2026-01-{end}:00:00Z")
        for at, each in enumerate(CUSTOMERS)
        for kind, who, job, end in (("k8s", "", "job-1", "06T06"), ("user", "-eve", "", "05T02"))
    )
    return HEADER + "".join(f"{owner},{job},n1,{card},T4,,{start},{end},1,,\n" for owner, job, card, start, end in rows)


def write(home: Path, warehouse: Warehouse) -> None:
    """Everything, into an empty store and warehouse."""
    apply(home, catalog())
    (home / "usage.csv").write_text(usage())
    import_csv(warehouse, home / "usage.csv")
    roll_up(warehouse)
    issue(WarehouseLedger(warehouse), "2026-01", "2026-02-10T00:00:00Z")
    for each in CUSTOMERS:
        _account(Customer.objects.select_related("issuer").get(key=each))


def token(customer: str, *scopes: str) -> str:
    """A key of ``customer`` that may do ``scopes``; all there are, where none is named."""
    owner = Customer.objects.get(key=customer)
    return add_key("test", scopes or tuple(SCOPES), owner=owner, clock=SystemClock(), who="tests")[1]


def statement_of(customer: str) -> Statement:
    """The statement that was sent."""
    return Statement.objects.get(customer__key=customer, events__kind="sent")


def _account(customer: Customer) -> None:
    """Money paid ahead, a grant, a payment that pays a part, a statement that was sent and one that was not."""

    def money(minor: int) -> Money:
        return Money(amount=minor, currency=customer.currency)

    top_up(customer, money(50_000), f"TOP {customer.key}", clock=CLOCK, who="tests")
    terms = GrantTerms(from_ms=CLOCK.now_ms(), reason="trial")
    grant(customer, money(1_000), terms, clock=CLOCK, who="tests")
    receipt = Receipt(
        customer=customer, reference=f"TRF {customer.key}", day=date(2026, 2, 9), amount=money(2_000), fee=money(0),
        write_off=money(0),
    )  # fmt: skip
    paid = record(receipt, write_off_max=0, clock=CLOCK, who="tests")
    allocate(paid, oldest_first(paid), clock=CLOCK, who="tests")
    mark_sent(draw_up(customer, *JANUARY, clock=CLOCK, who="tests"), "by mail", clock=CLOCK, who="tests")
    draw_up(customer, *JANUARY, clock=CLOCK, who="tests")
