"""Issuing: a draft becomes a document that can never change.

Owns the order in which that happens. Does not own the figures (``rating``), the document (``drafting``) or when it may
happen (``close``).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from msgspec import Struct, structs

from cardhour_billing.audit.log import audit
from cardhour_billing.charges.grants import draw, moved
from cardhour_billing.frozen.cover import claims, frozen_quantities
from cardhour_billing.frozen.document import InvoiceDocument
from cardhour_billing.frozen.inputs import freeze_inputs
from cardhour_billing.invoices.drafting import (
    Credited,
    IssueFacts,
    compose,
    invoice_of,
    kind_of,
    new_document,
    write,
    write_lines,
)
from cardhour_billing.invoices.numbering import take_number
from cardhour_billing.invoices.rated_on import Mark, changed_since, same_columns
from cardhour_billing.leases.cover import Covered
from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.models import Customer, Invoice, Issuer
from cardhour_billing.month import BillingPeriod, local_day
from cardhour_billing.rating.binding import BindingRow
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.content import Content
from cardhour_billing.rating.rate import Terms
from cardhour_billing.rating.rated import RatedLine
from cardhour_billing.receivables.allocating import pay_from_prepaid
from cardhour_billing.usage.ledger import Frozen, Ledger
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Retry


class InputsMoved(Retry):
    """Usage or the catalog changed between rating and issuing. Rate again."""


class Issuable(Struct, frozen=True, kw_only=True):
    """A rated month of one customer. ``bindings`` assigned its usage, ``leases`` hold in it."""

    mark: Mark
    terms: Terms
    period: BillingPeriod
    cuts_ms: tuple[int, ...]
    lines: tuple[RatedLine, ...]
    charges: tuple[Charge, ...] = ()
    bindings: tuple[BindingRow, ...]
    leases: tuple[LeaseRow, ...] = ()
    covered: tuple[Covered, ...] = ()
    """Usage that the leases took, so that no line bills it."""

    @property
    def content(self) -> Content:
        return Content(lines=self.lines, charges=self.charges)


class FrozenQuarters(Struct, frozen=True, kw_only=True):
    """What the warehouse keeps of one attempt to issue a document, and the name it is kept under."""

    name: str
    kept: Frozen


def freeze(rated: Sequence[Issuable], ledger: Ledger) -> dict[str, FrozenQuarters]:
    """Freeze the quarters of documents of one zone and month, by customer, in one pass over the ledger."""
    if not rated:
        return {}
    # 1. Under a name nobody else has: a crash from here on leaves rows that nothing refers to. Once for all documents,
    # so that the cost does not grow with their number.
    attempt, period = secrets.token_hex(8), rated[0].period
    names = {each.terms.customer: f"{each.terms.customer}/{period.month}/{attempt}" for each in rated}
    billed = (
        (usage, names[each.terms.customer], at) for each in rated for usage, at in claims(each.lines, each.covered)
    )
    kept = ledger.freeze(period.start_ms, period.end_ms, rated[0].cuts_ms, billed)
    return {
        # A document of charges alone has no quarters, and says so with the digest of none.
        customer: FrozenQuarters(name=name, kept=kept[name] if name in kept else ledger.frozen(name))
        for customer, name in names.items()
    }


def lock(customers: Sequence[Customer]) -> None:
    """Lock what issuing to these customers locks, all of it at once and in the order in which everybody does.

    Whoever issues several documents in one transaction begins so: from the first on it holds the audit log, which
    others want while they hold a customer.
    """
    issuers = Issuer.objects.filter(pk__in={each.issuer_id for each in customers})
    list(issuers.select_for_update().order_by("pk").values_list("pk"))
    found = Customer.objects.filter(pk__in=[each.pk for each in customers])
    list(found.select_for_update().order_by("key").values_list("pk"))


def issue(customer: Customer, rated: Issuable, frozen: FrozenQuarters, *, clock: Clock, who: str) -> Invoice:
    """Issue the invoice of ``rated``; one that is issued already is returned as it is.

    Raises InputsMoved where usage, the catalog or what is billed changed after it was rated.
    """
    # 2. Compare with what was rated: what is frozen is exactly what is billed.
    if dict(frozen.kept.quantity_us) != frozen_quantities(rated.lines, rated.covered):
        raise InputsMoved(f"usage of {customer.key} changed while {rated.period.month} was being issued; try again")
    inputs, digest = freeze_inputs(
        terms=rated.terms,
        period=rated.period,
        cuts_ms=rated.cuts_ms,
        quarters=(frozen.name, frozen.kept.digest),
        bindings=rated.bindings,
        leases=rated.leases,
        content=rated.content,
    )
    # 3. One transaction takes the number and writes the document: both stand, or neither does, so numbers have no gap.
    with transaction.atomic():
        return _write(customer, rated, inputs, digest, clock, who)


def _write(customer: Customer, rated: Issuable, inputs: bytes, digest: str, clock: Clock, who: str) -> Invoice:
    # Locks the issuer, as a catalog does, then the customer, as drafting does: whoever comes second sees what the
    # first has committed. Always in this order, so that no two wait for each other.
    issuer = Issuer.objects.select_for_update().get(pk=customer.issuer.pk)
    now = Customer.objects.select_for_update().get(pk=customer.pk)
    known = invoice_of(customer, rated.period)
    if known and known.state == Invoice.State.ISSUED:
        return known
    if not (same_columns(now, customer) and same_columns(issuer, customer.issuer)):
        raise InputsMoved(f"{customer.key} or its issuer was changed meanwhile; try again")
    _check_current(customer, rated)
    invoice = known or new_document(customer, rated.period)
    at_ms = rated.mark.at_ms
    frozen = inputs, digest
    document = finish(invoice, rated.period, rated.content, frozen, clock=clock, who=who, computed_at_ms=at_ms)
    # What the document says was taken of grants and of money paid ahead is taken, with its number or not at all.
    draw(customer, rated.charges, str(invoice.number), clock=clock, who=who)
    if document.due != document.total:
        pay_from_prepaid(invoice, clock=clock, who=who)
    return invoice


def finish(
    invoice: Invoice,
    period: BillingPeriod,
    content: Content,
    inputs: tuple[bytes, str],
    *,
    clock: Clock,
    who: str,
    credits: Credited | None = None,
    computed_at_ms: int | None = None,
) -> InvoiceDocument:
    """Number ``invoice`` and write all of it; its document. In a transaction that holds its issuer and customer.

    computed_at_ms: when what it rests on was read; now, where that is not said.
    """
    now_ms, customer, (frozen, digest) = clock.now_ms(), invoice.customer, inputs
    kind = kind_of(content.assess(customer.currency).total)
    today = local_day(now_ms, customer.issuer.timezone)
    series, sequence, number, issue_date = take_number(customer.issuer, kind, today)
    due_date = issue_date + timedelta(days=customer.terms_days)
    facts = IssueFacts(number=number, issue_date=issue_date, due_date=due_date, digest=digest)
    computed_ms = now_ms if computed_at_ms is None else computed_at_ms
    document = compose(customer, period, content, facts, credits)
    write(invoice, period, content, document, computed_ms)
    invoice.hold(())
    # Still a draft: the triggers let nobody add a line to an issued one.
    fresh = invoice.pk is None
    if fresh:
        invoice.save()
    write_lines(invoice, content, in_place_of_others=not fresh)
    invoice.state = Invoice.State.ISSUED
    invoice.series, invoice.sequence, invoice.number = series, sequence, number
    invoice.issue_date, invoice.due_date, invoice.issued_at_ms = issue_date, due_date, now_ms
    invoice.inputs, invoice.digest = frozen, digest
    invoice.save()
    detail = {"customer": customer.key, "period": invoice.period, "digest": digest}
    audit(clock, who, f"{kind}.issue", number, detail | (structs.asdict(credits) if credits else {}))
    return document


def _check_current(customer: Customer, rated: Issuable) -> None:
    changed = changed_since(rated.mark, customer)
    if changed:
        raise InputsMoved(f"{changed}; try again")
    if moved(rated.charges):
        raise InputsMoved(f"a grant of {customer.key} was drawn on meanwhile; try again")
