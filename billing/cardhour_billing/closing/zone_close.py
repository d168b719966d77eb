"""One month in one time zone: read, rated and frozen once, then closed customer by customer.

Owns rating against the store's current rows, and trying again where usage moved in between. Does not own which months
may be closed (``close``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.db import transaction
from msgspec import Struct

from cardhour_billing.catalog.current import terms_of
from cardhour_billing.charges.finding import Finding, hours_said, noted, read_kept
from cardhour_billing.charges.provider import Asked, Charges, ZoneMonth
from cardhour_billing.charges.providers import charges_of
from cardhour_billing.closing.month_end import close_without, closed_without
from cardhour_billing.config import BillingSettings
from cardhour_billing.frozen.document import InvoiceDocument, decode
from cardhour_billing.invoices.drafting import invoices_of, save_draft
from cardhour_billing.invoices.issuing import FrozenQuarters, InputsMoved, Issuable, freeze, issue, lock
from cardhour_billing.invoices.rated_on import Mark, closed_of, newest_of_catalog
from cardhour_billing.leases.cover import Covered, bindings_of
from cardhour_billing.models import Customer, Invoice, MonthEntry
from cardhour_billing.money import Money, exponent
from cardhour_billing.month import BillingPeriod, local_day
from cardhour_billing.rating.content import Content
from cardhour_billing.rating.rate import Rating, Unassigned
from cardhour_billing.rating.tax import REVERSE_CHARGE
from cardhour_billing.usage.ledger import Ledger
from cardhour_billing.usage.zone_rating import rate_zone
from cardhour_contract.clock import Clock

AT_ONCE = 100
"""What a crash may cost, and how long others wait for a customer: a second or so."""

ISSUED_AT_ONCE = 10
"""Documents issued in one transaction, which waits for the disk; others wait for issuer and audit log so long."""

ATTEMPTS_MAX = 3
"""Ratings of a zone before giving up: usage of a closed month that still moves means ingest is catching up."""


class ClosedInvoice(Struct, frozen=True, kw_only=True):
    """One customer's invoice as it stands after the close. ``findings`` say why a draft cannot be issued."""

    customer: str
    document: InvoiceDocument
    findings: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    """What a clerk should know, and may issue anyway."""
    newly_issued: bool = False


class ZoneClose:
    """``period`` for the customers that live in its zone. ``list_currency`` values what nobody is bound to."""

    def __init__(
        self,
        period: BillingPeriod,
        customers: Sequence[Customer],
        list_currency: str,
        ledger: Ledger,
        clock: Clock,
        settings: BillingSettings,
        spent: Mapping[int, int] | None = None,
        confirmed: Mapping[str, int] | None = None,
    ) -> None:
        self.period = period
        self.customers = customers
        self._list_currency = list_currency
        self._ledger = ledger
        self._clock = clock
        self._settings = settings
        self._spent = spent or {}
        self._confirmed = confirmed
        self.carried: dict[str, Money] = {}
        """Totals below the smallest invoice, by customer."""
        self._rate()

    @property
    def unassigned(self) -> tuple[Unassigned, ...]:
        return self._rating.unassigned

    def close(self, *, issued_by: str = "") -> Iterator[tuple[Customer, ClosedInvoice | None]]:
        """Each customer with its draft, or its invoice where ``issued_by`` names someone; ``None`` for nothing to bill.

        Where totals were confirmed, what comes to another total stays a draft: nobody has seen it.
        Drafts come first. What can be issued is frozen in one pass, then issued one by one; what moved meanwhile is
        rated and frozen again. Raises InputsMoved, after the others are issued, where it moves on and on.
        """
        waiting: list[Customer] = []
        for customer, found in self._all_at_once(issued_by):
            if found is None:
                waiting.append(customer)
            else:
                yield customer, found[0]
        for attempt in range(1, ATTEMPTS_MAX + 1):
            moved: dict[str, InputsMoved] = {}
            frozen = freeze([self._issuable(customer) for customer in waiting], self._ledger)
            for at in range(0, len(waiting), ISSUED_AT_ONCE):
                yield from self._issued(waiting[at : at + ISSUED_AT_ONCE], frozen, issued_by, moved)
            if moved and attempt == ATTEMPTS_MAX:
                raise next(iter(moved.values()))
            if not moved:
                return
            self._rate()
            again = [customer for customer in waiting if customer.key in moved]
            waiting = [customer for customer in again if self._can_issue(customer)]
            for customer in again:
                if customer not in waiting:
                    yield customer, self._draft(customer)

    def _issued(
        self,
        customers: Sequence[Customer],
        frozen: Mapping[str, FrozenQuarters],
        issued_by: str,
        moved: dict[str, InputsMoved],
    ) -> list[tuple[Customer, ClosedInvoice]]:
        """The invoices of ``customers``, in one transaction; why those in ``moved`` could not be issued."""
        made = []
        with transaction.atomic():
            lock(customers)
            for each in customers:
                try:
                    invoice = issue(each, self._issuable(each), frozen[each.key], clock=self._clock, who=issued_by)
                except InputsMoved as error:
                    moved[each.key] = error
                else:
                    warnings = self._charges[each.key].warnings
                    made.append((each, _closed(invoice, newly_issued=True, warnings=warnings)))
        return made

    def _all_at_once(self, issued_by: str) -> Iterator[tuple[Customer, tuple[ClosedInvoice | None] | None]]:
        """``_at_once`` for each customer, so many in one transaction, for a commit waits for the disk."""
        for at in range(0, len(self.customers), AT_ONCE):
            customers = self.customers[at : at + AT_ONCE]
            with transaction.atomic():
                documents, entries = invoices_of(customers, self.period), closed_without(customers, self.period)
                made = [
                    (each, self._at_once(each, documents.get(each.pk), entries.get(each.pk), issued_by))
                    for each in customers
                ]
            yield from made

    def _at_once(
        self, customer: Customer, known: Invoice | None, entry: MonthEntry | None, issued_by: str
    ) -> tuple[ClosedInvoice | None] | None:
        """What closes a month without taking a number, if only nothing; ``None`` where it is to be issued."""
        if known and known.state == Invoice.State.ISSUED:
            return (_closed(known),)
        if entry is None and issued_by and self._ends_without(customer):
            entry = close_without(customer, self.period, self._total(customer), self._rated_at_ms, issued_by)
        if entry is not None:
            if entry.kind == MonthEntry.Kind.CARRIED:
                self.carried[customer.key] = Money(amount=entry.total, currency=entry.currency)
            return (None,)
        return None if issued_by and self._can_issue(customer) else (self._draft(customer),)

    def _ends_without(self, customer: Customer) -> bool:
        """Whether the month ends without a document: nothing to bill, or too little."""
        if self._findings(customer) or self._moved(customer):
            return False
        return not self.content(customer) or self._too_little(customer)

    def _too_little(self, customer: Customer) -> bool:
        return bool(self.content(customer)) and 0 <= self._total(customer).amount < self._smallest(customer).amount

    def _smallest(self, customer: Customer) -> Money:
        """The smallest invoice of a customer: its own, or everybody's."""
        own = customer.minimum_invoice
        amount = self._settings.minimum_invoice * 10 ** exponent(customer.currency) if own is None else own
        return Money(amount=amount, currency=customer.currency)

    def _total(self, customer: Customer) -> Money:
        return self.content(customer).assess(customer.currency).total

    def _can_issue(self, customer: Customer) -> bool:
        return bool(self.content(customer)) and not self._findings(customer) and not self._moved(customer)

    def _moved(self, customer: Customer) -> bool:
        """Whether the customer's total is not the one that was confirmed. Nothing to bill needs no confirmation."""
        if self._confirmed is None:
            return False
        return self._total(customer).amount != self._confirmed.get(customer.key, 0)

    def _draft(self, customer: Customer) -> ClosedInvoice | None:
        draft = save_draft(customer, self.period, self.content(customer), self._findings(customer), self._clock)
        return _closed(draft, warnings=self._warnings(customer)) if draft else None

    def _warnings(self, customer: Customer) -> tuple[Finding, ...]:
        small = noted("too_little", amount=f"{self._smallest(customer)} {customer.currency}")
        told = ((small, self._too_little(customer)), (noted("moved"), self._moved(customer)))
        return (*self._charges[customer.key].warnings, *(each for each, holds in told if holds))

    def content(self, customer: Customer) -> Content:
        """Everything that the month bills a customer."""
        return Content(lines=self._rating.lines[customer.key], charges=self._charges[customer.key].charges)

    def _issuable(self, customer: Customer) -> Issuable:
        covered = self._covered(customer)
        used = self._rating.bindings[customer.key] | bindings_of(covered, self._rated.bindings)
        return Issuable(
            mark=Mark(at_ms=self._rated_at_ms, catalog=self._newest, closed=self._closed[customer.pk]),
            terms=self._terms[customer.key],
            period=self.period,
            cuts_ms=self._rated.cuts_ms,
            lines=self._rating.lines[customer.key],
            charges=self._charges[customer.key].charges,
            bindings=tuple(row for row in self._rated.bindings.rows if row.id in used),
            leases=self._rated.leases.of(customer.key, self.period.start_ms, self.period.end_ms),
            covered=covered,
        )

    def _rate(self) -> None:
        # First of all: what comes in while the rest is read is newer than these.
        self._rated_at_ms, self._newest = self._clock.now_ms(), newest_of_catalog()
        self._closed = closed_of(self.customers)
        self._terms = terms_of(self.customers, self.period)
        self._rated = rate_zone(self.period, self._terms, self._list_currency, self._ledger)
        self._covered_of = self._rated.cover.by_customer()
        zone = ZoneMonth(
            period=self.period,
            customers=self.customers,
            taxes=self._rated.taxes,
            ledger=self._ledger,
            clock=self._clock,
            settings=self._settings,
            spent=self._spent,
        )
        answer = charges_of(zone)
        self._charges: dict[str, Charges] = {
            each.key: answer(Asked(customer=each, terms=self._terms[each.key], lines=self._rating.lines[each.key]))
            for each in self.customers
        }

    def _covered(self, customer: Customer) -> tuple[Covered, ...]:
        return self._covered_of.get(customer.key, ())

    @property
    def _rating(self) -> Rating:
        return self._rated.rating

    def _findings(self, customer: Customer) -> tuple[Finding, ...]:
        own = (*self._unpriced(customer), *self._untaxed(customer), *self._intrusions(customer))
        return (*own, *self._charges[customer.key].findings)

    def _intrusions(self, customer: Customer) -> Iterator[Finding]:
        for each in self._rated.cover.intrusions:
            if customer.key in (each.customer, each.lease.customer):
                day = local_day(each.first_at_ms, self.period.timezone)
                yield noted(
                    "lease_conflict", owner=each.owner, customer=each.customer, hours=hours_said(each.quantity_us),
                    card=each.card, node=each.node, lease=each.lease.key, lessee=each.lease.customer, day=day,
                )  # fmt: skip

    def _untaxed(self, customer: Customer) -> Iterator[Finding]:
        for each in self._rating.untaxed:
            if each.customer == customer.key:
                day = local_day(each.first_at_ms, self.period.timezone)
                yield noted("no_tax_from", model=each.model, day=day)
        reversed_charge = any(rule.category == REVERSE_CHARGE for rule in self.content(customer).taxes)
        if reversed_charge:
            for party, tax_id in (("customer", customer.tax_id), ("issuer", customer.issuer.tax_id)):
                if not tax_id:
                    yield noted(f"no_tax_id_{party}")

    def _unpriced(self, customer: Customer) -> Iterator[Finding]:
        for each in self._rating.unpriced:
            if each.customer == customer.key:
                day = local_day(each.first_at_ms, self.period.timezone)
                hours = hours_said(each.quantity_us)
                yield noted("no_price_from", hours=hours, model=each.model, currency=each.currency, day=day)


def _closed(invoice: Invoice, *, newly_issued: bool = False, warnings: tuple[Finding, ...] = ()) -> ClosedInvoice:
    return ClosedInvoice(
        customer=invoice.customer.key,
        document=decode(bytes(invoice.frozen)),
        findings=read_kept(invoice.findings),
        newly_issued=newly_issued,
        warnings=warnings,
    )
