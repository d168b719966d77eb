"""What comes into the books between rating and issuing: the document is rated again, and never issued as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import pytest

from cardhour_billing.frozen.credit_line import CreditLine
from cardhour_billing.invoices.crediting import draft_credit, issue_credit
from cardhour_billing.invoices.issuing import InputsMoved
from cardhour_billing.models import Invoice
from cardhour_billing.money import Money
from cardhour_billing.rating.rated import UsageSum
from cardhour_billing.usage.ledger import Frozen
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, issue, issued, on_sqlite
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger

__all__ = ["on_sqlite"]

SINCE = "from = 2026-01-01T00:00:00Z\n"
CONTRACT = f'[[contract]]\nid = "acme-2026"\ncustomer = "acme"\n{SINCE}'
BASE = ISSUER + ACME + CONTRACT + PRICE.replace("1.616532", "10")
NEGOTIATED = f'[[price]]\ncontract = "acme-2026"\nmodel = "T4"\nper = "card-hour"\namount = "8"\n{SINCE}'
COMMITMENT = (
    f'[[commitment]]\nid = "base"\ncontract = "acme-2026"\nterm = "month"\ncard_hours = "12"\ntrue_up = "5"\n{SINCE}'
)
STORAGE = (
    '[[add-on]]\nid = "disk"\ncustomer = "acme"\nname = "Disk"\nunit = "TB"\nquantity = "1"\nper = "month"\n'
    f'amount = "3"\n{SINCE}'
)
TAX = f'[[tax]]\ncategory = "standard"\nrate = "6"\n{SINCE}'
DISCOUNT = CONTRACT + 'discount = "50"\n'
AFTER, LATER = "2026-02-10T00:00:00Z", "2026-03-10T00:00:00Z"


class BusyOffice(MemoryLedger):
    """Acme held a T4 for ten hours in January and in February. ``meanwhile`` happens after each rating, so often."""

    def __init__(self) -> None:
        super().__init__()
        for month in ("01", "02"):
            self.hold("k8s:acme", "T4", f"2026-{month}-05T00:00:00Z", f"2026-{month}-05T10:00:00Z")
        self.meanwhile: list[Callable[[], object]] = []

    def freeze(
        self, from_ms: int, to_ms: int, cuts_ms: Sequence[int], lines: Iterable[tuple[UsageSum, str, int]]
    ) -> Mapping[str, Frozen]:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return super().freeze(from_ms, to_ms, cuts_ms, lines)


@pytest.mark.parametrize(
    ("catalog", "total"),
    [(NEGOTIATED, "80.00"), (COMMITMENT, "110.00"), (STORAGE, "103.00"), (TAX, "106.00"), (DISCOUNT, "50.00")],
    ids=["negotiated price", "commitment", "add-on", "tax", "discount"],
)
def test_a_catalog_applied_in_between_is_in_the_document(store: Store, catalog: str, total: str) -> None:
    apply(store.home, BASE)
    ledger = BusyOffice()
    ledger.meanwhile = [lambda: apply(store.home, catalog)]
    (closed,) = issue(ledger, "2026-01", AFTER)
    assert (closed.document.total, ledger.freezes) == (total, 2)


def test_a_commitment_changed_in_between_is_charged_as_it_is_now(store: Store) -> None:
    apply(store.home, BASE + COMMITMENT)
    ledger = BusyOffice()
    ledger.meanwhile = [lambda: apply(store.home, COMMITMENT.replace('"12"', '"20"'))]
    (closed,) = issue(ledger, "2026-01", AFTER)
    assert closed.document.total == "150.00"


def test_an_address_changed_in_between_holds_the_document_back_until_it_is_read(store: Store) -> None:
    apply(store.home, BASE)
    ledger = BusyOffice()
    ledger.meanwhile = [lambda: apply(store.home, ACME.replace("Acme Ltd", "Acme plc"))]
    with pytest.raises(InputsMoved, match="acme or its issuer was changed"):
        issue(ledger, "2026-01", AFTER)
    assert issued() == []
    (closed,) = issue(ledger, "2026-01", AFTER)
    assert closed.document.customer.name == "Acme plc"


def test_a_credit_note_issued_in_between_is_not_given_back_twice(store: Store) -> None:
    """Two hours too many were billed in January. The correction is on its way as a credit note and as an adjustment."""
    apply(store.home, BASE)
    ledger = BusyOffice()
    issue(ledger, "2026-01", AFTER)
    ledger.held[0] = (*ledger.held[0][:6], ledger.held[0][6] - 2 * 3_600_000)
    ledger.meanwhile = [lambda: _correct("20.00")]
    (closed,) = issue(ledger, "2026-02", LATER)
    assert [(line.kind, line.amount) for line in closed.document.lines] == [("usage", "100.00")]


def _correct(amount: str) -> None:
    money = Money(amount=int(amount.replace(".", "")), currency="USD")
    lines = [CreditLine(position=1, amount=money)]
    (january,) = issued()
    note = draft_credit(january, lines, Invoice.Reason.CORRECTION, clock=clock_at(LATER), who="tests")
    issue_credit(note, clock=clock_at(LATER), who="tests")


def test_what_changes_after_the_rating_belongs_to_the_next_one(store: Store) -> None:
    """The instant a document was computed is that of its rating: a later look asks what changed since then."""
    apply(store.home, BASE)
    ledger = BusyOffice()
    clock = clock_at(AFTER)
    rated_at_ms = clock.now_ms()
    issue(ledger, "2026-01", AFTER)
    assert issued()[0].computed_at_ms == rated_at_ms
