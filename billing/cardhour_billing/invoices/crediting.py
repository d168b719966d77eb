"""Credit notes: what is given back of an issued invoice, and why; and voiding, which gives back all of it.

Owns how much may be credited, the tax of it, and applying the note to what it credits. A credit note is a document of
its own series: drafted, numbered in the transaction that issues it, and never changed. Never more is credited than was
invoiced, line by line and in tax. Does not own payments (``payments``) nor what a correction does to later months
(``charges.adjustments``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy

from django.db import transaction
from msgspec import Struct

from cardhour_billing.audit.log import audit
from cardhour_billing.frozen.credit_line import CreditLine, credit_charge, parse_credit, within
from cardhour_billing.frozen.document import DocumentLine, InvoiceDocument, decode
from cardhour_billing.frozen.inputs import FrozenInputs, freeze_inputs, read_inputs
from cardhour_billing.frozen.rerating import period_of
from cardhour_billing.invoices.drafting import Credited, compose, new_document, write, write_lines
from cardhour_billing.invoices.issuing import finish
from cardhour_billing.models import Invoice, InvoiceLine, Issuer, Payment
from cardhour_billing.money import Money, parse_amount, total
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.content import Content
from cardhour_billing.rating.tax import TaxRule
from cardhour_billing.receivables.allocating import Part, allocate, left_of, locked, open_of, payers_of, return_prepaid
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse

REASONS = (Invoice.Reason.CORRECTION, Invoice.Reason.GOODWILL, Invoice.Reason.SLA)
"""What a person may give. A whole invoice is voided."""


class Creditable(Struct, frozen=True, kw_only=True):
    """An issued invoice, and what is left of it to credit."""

    invoice: Invoice
    document: InvoiceDocument
    inputs: FrozenInputs
    earlier: dict[int, Money]
    """Credited so far, by position."""

    def left(self, line: DocumentLine) -> Money:
        """What is left of a line, of its sign."""
        return parse_amount(line.amount, self.document.currency) - self.earlier[line.position]

    @property
    def rest(self) -> tuple[CreditLine, ...]:
        """All that is left."""
        lines = (CreditLine(position=line.position, amount=self.left(line)) for line in self.document.lines)
        return tuple(line for line in lines if line.amount.amount)


def creditable(invoice: Invoice) -> Creditable:
    """What is left to credit of ``invoice``. Refuses what cannot be credited."""
    if invoice.kind != Invoice.Kind.INVOICE or invoice.state != Invoice.State.ISSUED:
        raise Refuse(f"{invoice.number or 'a draft'} is no issued invoice: only invoices are credited")
    if invoice.credit_notes.filter(reason=Invoice.Reason.VOID, state=Invoice.State.ISSUED).exists():
        raise Refuse(f"{invoice.number} is void: nothing is left of it")
    document = decode(bytes(invoice.frozen))
    zero = Money(amount=0, currency=document.currency)
    earlier = {line.position: zero for line in document.lines}
    for row in InvoiceLine.objects.filter(invoice__original=invoice, invoice__state=Invoice.State.ISSUED):
        at = parse_credit(row.source)[1]
        earlier[at] = earlier[at] - Money(amount=row.amount, currency=document.currency)
    return Creditable(invoice=invoice, document=document, inputs=read_inputs(bytes(invoice.inputs)), earlier=earlier)


def draft_credit(invoice: Invoice, lines: Sequence[CreditLine], reason: str, *, clock: Clock, who: str) -> Invoice:
    """Draft a credit note, in place of an earlier draft for the same invoice."""
    with transaction.atomic():
        locked(invoice.customer)
        whole = creditable(invoice)
        content = _content(whole, lines)
        note = invoice.credit_notes.filter(state=Invoice.State.DRAFT).first() or _new(whole)
        note.reason = reason
        credits = Credited(number=str(invoice.number), reason=reason)
        period = period_of(whole.inputs)
        write(note, period, content, compose(note.customer, period, content, credits=credits), clock.now_ms())
        note.save()
        write_lines(note, content)
        return note


def issue_credit(note: Invoice, *, clock: Clock, who: str) -> Invoice:
    """Issue a drafted credit note, and use it for what is open of its invoice."""
    with transaction.atomic():
        # As every issuing does: first the issuer, then the customer.
        Issuer.objects.select_for_update().get(pk=note.issuer_id)
        locked(note.customer)
        note = Invoice.objects.select_related("customer__issuer", "original").get(pk=note.pk)
        if note.state != Invoice.State.DRAFT or note.original is None:
            raise Refuse("this credit note is issued already, or is none")
        original = Invoice.objects.select_related("customer__issuer", "issuer").get(pk=note.original.pk)
        whole = creditable(original)
        lines = [
            CreditLine(position=parse_credit(row.source)[1], amount=Money(amount=-row.amount, currency=note.currency))
            for row in note.lines.all()
        ]
        _finish(note, whole, _content(whole, lines), clock, who)
        if note.reason == Invoice.Reason.VOID:
            _settle_void(original, clock, who)
        else:
            use = min(left_of(note).amount, open_of(original).amount)
            if use > 0:
                part = Part(invoice=original, amount=Money(amount=use, currency=note.currency))
                allocate(note, [part], clock=clock, who=who)
        return note


def void(invoice: Invoice, *, because: str = "", clock: Clock, who: str) -> Invoice:
    """Give back all that is left of an invoice, as if it had never been. What paid it is free again."""
    with transaction.atomic():
        Issuer.objects.select_for_update().get(pk=invoice.issuer_id)
        locked(invoice.customer)
        rest = creditable(invoice).rest
        if not rest:
            raise Refuse(f"all of {invoice.number} has been credited already")
        note = draft_credit(invoice, rest, Invoice.Reason.VOID, clock=clock, who=who)
        issued = issue_credit(note, clock=clock, who=who)
        audit(clock, who, "invoice.void", str(invoice.number), {"because": because, "credit_note": issued.number})
        return issued


def find_draft(invoice: Invoice) -> Invoice:
    """The drafted credit note of an invoice."""
    note = invoice.credit_notes.filter(state=Invoice.State.DRAFT).select_related("customer", "original").first()
    if note is None:
        raise Refuse(f"there is no draft of a credit note for {invoice.number}: cardhour credit-note draft makes one")
    return note


def _new(whole: Creditable) -> Invoice:
    """A note with the customer as it is today, but in the currency of what it credits."""
    customer = copy(whole.invoice.customer)
    customer.currency = whole.document.currency
    note = new_document(customer, period_of(whole.inputs))
    note.original = whole.invoice
    note.kind = Invoice.Kind.CREDIT_NOTE
    return note


def _finish(note: Invoice, whole: Creditable, content: Content, clock: Clock, who: str) -> None:
    period = period_of(whole.inputs)
    inputs = freeze_inputs(
        terms=whole.inputs.terms, period=period, cuts_ms=(), quarters=("", ""), bindings=(), content=content
    )
    note.customer.currency = whole.document.currency
    credits = Credited(number=str(whole.invoice.number), reason=note.reason)
    finish(note, period, content, inputs, clock=clock, who=who, credits=credits)


def _content(whole: Creditable, lines: Iterable[CreditLine]) -> Content:
    """The lines of a note, checked against what is left."""
    shown = {line.position: line for line in whole.document.lines}
    wanted: dict[int, CreditLine] = {}
    for each in lines:
        if each.position not in shown or each.position in wanted:
            raise Refuse(f"line {each.position} of {whole.document.number} does not exist, or is named twice")
        left = whole.left(shown[each.position])
        if not within(each.amount.amount, left.amount):
            raise Refuse(
                f"{left} {left.currency} is left of line {each.position} of {whole.document.number}: "
                f"{each.amount} cannot be credited"
            )
        wanted[each.position] = each
    if not wanted:
        raise Refuse("a credit note needs a line")
    content = Content(charges=_charges(whole, wanted, {}))
    exact = _exact_taxes(whole, wanted, content)
    content = Content(charges=_charges(whole, wanted, exact)) if exact else content
    if content.assess(whole.document.currency).total.amount >= 0:
        raise Refuse("these lines together give nothing back")
    return content


def _charges(whole: Creditable, wanted: dict[int, CreditLine], exact: dict[str, Money]) -> tuple[Charge, ...]:
    shown = {line.position: line for line in whole.document.lines}
    return tuple(
        credit_charge(
            whole.document,
            shown[at],
            period_of(whole.inputs),
            wanted[at],
            earlier=whole.earlier[at],
            taxes=_rules(whole, shown[at]),
            exact_tax=exact.get(shown[at].tax_category),
        )
        for at in sorted(wanted)
    )


def _rules(whole: Creditable, line: DocumentLine) -> tuple[TaxRule, ...]:
    """The tax rules of a line, as they were."""
    if line.kind != "usage":
        return next((charge.taxes for charge in whole.inputs.charges if charge.source == line.source), ())
    return tuple(rule for rule in whole.inputs.taxes if line.tax_category and rule.key == line.tax_category)


def _exact_taxes(whole: Creditable, wanted: dict[int, CreditLine], content: Content) -> dict[str, Money]:
    """Tax by category where rounding would leave a cent of it, or give back one too many: what is left of it then."""
    currency = whole.document.currency
    rounded = {row.rule.key: row.tax for row in content.assess(currency).rows}
    exact: dict[str, Money] = {}
    for row in whole.document.tax:
        category = f"{row.category} {row.rate_percent}"
        if category not in rounded:
            continue
        left = parse_amount(row.tax, currency) + _given_back(whole, category)
        lines = [line for line in whole.document.lines if line.tax_category == category]
        complete = all(
            whole.left(line).amount == (wanted[line.position].amount.amount if line.position in wanted else 0)
            for line in lines
        )
        if (complete or abs(rounded[category].amount) > abs(left.amount)) and rounded[category] != -left:
            exact[category] = -left
    return exact


def _given_back(whole: Creditable, category: str) -> Money:
    """Tax of earlier notes, which is negative."""
    currency = whole.document.currency
    notes = whole.invoice.credit_notes.filter(state=Invoice.State.ISSUED)
    rows = (row for note in notes for row in decode(bytes(note.frozen)).tax)
    return total(
        (parse_amount(row.tax, currency) for row in rows if f"{row.category} {row.rate_percent}" == category), currency
    )


def _settle_void(invoice: Invoice, clock: Clock, who: str) -> None:
    """Let the notes of a void invoice take the place of whatever paid it: that money is free again."""
    return_prepaid(invoice, f"{invoice.number} is void", clock=clock, who=who)
    notes = list(invoice.credit_notes.filter(state=Invoice.State.ISSUED).select_related("customer").order_by("pk"))
    free = total((left_of(note) for note in notes), invoice.currency)
    needed = free - open_of(invoice)
    own = {note.pk for note in notes}
    for source, amount in reversed(payers_of(invoice)):
        back = min(amount.amount, needed.amount)
        if back > 0 and (isinstance(source, Payment) or source.pk not in own):
            taken = Money(amount=back, currency=invoice.currency)
            allocate(source, [Part(invoice=invoice, amount=-taken)], clock=clock, who=who)
            needed = needed - taken
    for note in notes:
        use = Money(amount=min(left_of(note).amount, open_of(invoice).amount), currency=invoice.currency)
        if use.amount > 0:
            allocate(note, [Part(invoice=invoice, amount=use)], clock=clock, who=who)
