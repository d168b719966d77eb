"""One month in one time zone: read and rated once, then closed customer by customer.

Owns rating against the store's current rows, and trying again where usage moved in between. Does not own which months
may be closed (``close``).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from cardhour_billing.binding import Bindings
from cardhour_billing.current import current_bindings, current_prices, terms_of
from cardhour_billing.document import InvoiceDocument, decode
from cardhour_billing.drafting import invoice_of, save_draft
from cardhour_billing.issuing import InputsMoved, Issuable, issue
from cardhour_billing.ledger import Ledger
from cardhour_billing.models import Customer, Invoice
from cardhour_billing.money import card_hours
from cardhour_billing.month import BillingPeriod, local_day
from cardhour_billing.price import Prices
from cardhour_billing.rating import Rating, Unassigned, cuts_ms, rate
from cardhour_contract.clock import Clock

ATTEMPTS_MAX = 3
"""Ratings for one customer before giving up: usage of a closed month that still moves means ingest is catching up."""


class ClosedInvoice(Struct, frozen=True, kw_only=True):
    """One customer's invoice as it stands after the close. ``findings`` say why a draft cannot be issued."""

    customer: str
    document: InvoiceDocument
    findings: tuple[str, ...] = ()
    newly_issued: bool = False


class ZoneClose:
    """``period`` for the customers that live in its zone. ``list_currency`` values what nobody is bound to."""

    def __init__(
        self, period: BillingPeriod, customers: Sequence[Customer], list_currency: str, ledger: Ledger, clock: Clock
    ) -> None:
        self.period = period
        self.customers = customers
        self._list_currency = list_currency
        self._ledger = ledger
        self._clock = clock
        self._rate()

    @property
    def unassigned(self) -> tuple[Unassigned, ...]:
        return self._rating.unassigned

    def close(self, customer: Customer, *, issued_by: str = "") -> ClosedInvoice | None:
        """Draft the invoice, or issue it where ``issued_by`` names someone. ``None`` where nothing is billed."""
        known = invoice_of(customer, self.period)
        if known and known.state == Invoice.State.ISSUED:
            return _closed(known)
        findings = self._findings(customer)
        if not issued_by or findings or not self._rating.lines[customer.key]:
            draft = save_draft(customer, self.period, self._rating.lines[customer.key], findings, self._clock)
            return _closed(draft) if draft else None
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return _closed(self._issue(customer, issued_by), newly_issued=True)
            except InputsMoved:
                if attempt == ATTEMPTS_MAX:
                    raise
                self._rate()
                if self._findings(customer) or not self._rating.lines[customer.key]:
                    return self.close(customer)
        return None

    def _issue(self, customer: Customer, who: str) -> Invoice:
        used = self._rating.bindings[customer.key]
        rated = Issuable(
            terms=terms_of(customer),
            period=self.period,
            cuts_ms=self._cuts_ms,
            lines=self._rating.lines[customer.key],
            bindings=tuple(row for row in self._bindings.rows if row.id in used),
        )
        return issue(customer, rated, ledger=self._ledger, clock=self._clock, who=who)

    def _rate(self) -> None:
        self._bindings, prices = Bindings(current_bindings()), Prices(current_prices())
        self._cuts_ms = cuts_ms(self.period, self._bindings, prices)
        self._rating: Rating = rate(
            self._ledger.billable(self.period.start_ms, self.period.end_ms, self._cuts_ms),
            period=self.period,
            bindings=self._bindings,
            prices=prices,
            terms={customer.key: terms_of(customer) for customer in self.customers},
            list_currency=self._list_currency,
        )

    def _findings(self, customer: Customer) -> tuple[str, ...]:
        return tuple(
            f"{card_hours(each.quantity_us)} card-hours of {each.model} have no price in {each.currency} "
            f"(first on {local_day(each.first_at_ms, self.period.timezone)})"
            for each in self._rating.unpriced
            if each.customer == customer.key
        )


def _closed(invoice: Invoice, *, newly_issued: bool = False) -> ClosedInvoice:
    return ClosedInvoice(
        customer=invoice.customer.key,
        document=decode(bytes(invoice.frozen)),
        findings=tuple(invoice.findings),
        newly_issued=newly_issued,
    )
