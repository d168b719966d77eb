"""The charges of commitments whose term ends with a month: a provider of ``charges``.

Owns counting what was used in the term: this month's lines as they are rated now, and earlier months' as they were
issued. Does not own the arithmetic (``commitment``). Usage counts under the commitment's contract; for money, so do
leases. A late adjustment counts in the term that its days are in.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from cardhour_billing.catalog.current import current_commitments
from cardhour_billing.charges.finding import Finding, noted
from cardhour_billing.charges.provider import Answer, Asked, Charges, ZoneMonth
from cardhour_billing.frozen.document import decode
from cardhour_billing.models import Customer, Invoice
from cardhour_billing.money import UnitPrice, card_hours, parse_amount, printed_quantity
from cardhour_billing.month import BillingPeriod, day_start_ms, month_of
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.commitment import CommitmentRow, Outcome, TermDays, Used, inputs_of, outcome, term_ending
from cardhour_billing.rating.content import Content
from cardhour_billing.rating.price import ContractRow
from cardhour_billing.rating.rated import RatedLine
from cardhour_billing.rating.tax import TaxRule
from cardhour_billing.receivables.standing import in_force


def commitments(zone: ZoneMonth) -> Answer:
    """The charges of one customer whose terms end in ``zone.period``."""
    by_contract: dict[str, list[CommitmentRow]] = {}
    for row in current_commitments():
        by_contract.setdefault(row.contract, []).append(row)

    def answer(asked: Asked) -> Charges:
        charges: list[Charge] = []
        findings: list[Finding] = []
        for contract in asked.terms.contracts:
            for row in by_contract.get(contract.key, ()):
                from_ms = max(row.from_ms, contract.from_ms)
                ends = [each for each in (row.to_ms, contract.to_ms) if each is not None]
                term = term_ending(row.term, from_ms, min(ends, default=None), zone.period)
                if term is None:
                    continue
                if row.currency != asked.customer.currency:
                    billed = asked.customer.currency
                    findings.append(noted("currency_commitment", key=row.key, currency=row.currency, billed=billed))
                    continue
                charge = _charge(zone, asked, contract, row, term)
                if charge.amount.amount:
                    charges.append(charge)
                    if not charge.taxes and (zone.taxes.rows or row.includes_tax):
                        findings.append(noted("no_tax_commitment", commitment=row.key))
        return Charges(charges=tuple(charges), findings=tuple(findings))

    return answer


def _charge(zone: ZoneMonth, asked: Asked, contract: ContractRow, row: CommitmentRow, term: TermDays) -> Charge:
    faulted_us, watched_us = _faults(zone, row, term) if row.less_faults else (0, 0)
    used = [*_earlier(asked.customer, contract, row, term, zone.period), _now(asked, contract, row, zone.period)]
    inputs = inputs_of(row, term, used, faulted_us=faulted_us, watched_us=watched_us)
    found = outcome(inputs)
    quantity, price = _printed(row, found)
    model = row.covers[0] if len(row.covers) == 1 and not row.covers[0].endswith("*") else ""
    return Charge(
        kind="commitment",
        source=f"commitment:{contract.key}:{row.key}:{term.last}",
        model=model,
        description=_description(row, found),
        first_day=term.first,
        last_day=term.last,
        quantity_us=0,
        printed_quantity=quantity,
        unit="card-hour" if price else "item",
        unit_price=str(price or found.amount),
        amount=found.amount,
        taxes=_taxes(zone, asked.customer, model, term.last),
        includes_tax=row.includes_tax,
        inputs=inputs,
    )


def _taxes(zone: ZoneMonth, customer: Customer, model: str, day: date) -> tuple[TaxRule, ...]:
    """The rule on the last day of the term."""
    at_ms = zone.period.day_starts_ms[(day - zone.period.month.first_day).days]
    rule = zone.taxes.find(customer.key, model, at_ms)
    return (rule,) if rule else ()


def _printed(row: CommitmentRow, found: Outcome) -> tuple[str, UnitPrice | None]:
    """Printed quantity and price: of missing card-hours; anything else is one item at its amount."""
    if found.difference_us > 0 and row.true_up_nano is not None:
        price = UnitPrice(nano=row.true_up_nano, currency=row.currency)
        return printed_quantity(found.difference_us, price), price
    return "1", None


def _description(row: CommitmentRow, found: Outcome) -> str:
    if found.difference_us < 0 and row.overage_nano is not None:
        price = UnitPrice(nano=row.overage_nano, currency=row.currency)
        hours = card_hours(-found.difference_us, 4)
        return f"Use beyond commitment {row.key}: {hours} h at {price} 超出承诺用量"
    return f"Commitment {row.key}, shortfall 承诺用量补差"


def _now(asked: Asked, contract: ContractRow, row: CommitmentRow, period: BillingPeriod) -> Used:
    """This month's lines under the contract; for money also its leases."""
    content = Content(lines=asked.lines, charges=asked.charges)
    quantity_us = amount = 0
    for line, net in zip(content.all, content.assess(row.currency).nets, strict=True):
        if isinstance(line, RatedLine):
            if line.key.contract == contract.key and row.counts(line.key.model):
                quantity_us += line.quantity_us
                amount += (line.amount if row.quantity_us is not None else net).amount
        elif line.kind == "lease" and row.quantity_us is None and row.counts(line.model):
            amount += net.amount
    return Used(month=str(period.month), quantity_us=quantity_us, amount=amount)


def _earlier(
    customer: Customer, contract: ContractRow, row: CommitmentRow, term: TermDays, period: BillingPeriod
) -> Iterator[Used]:
    """What documents of the term's earlier months, and adjustments of those months in any since, billed of it."""
    first = str(month_of(term.first))
    if first == str(period.month):
        return
    others = Invoice.objects.filter(customer=customer, period__gte=first).exclude(period=str(period.month))
    for invoice in in_force(others).order_by("period", "pk"):
        document = decode(bytes(invoice.frozen))
        quantity_us = amount = 0
        for line in document.lines:
            counts = row.counts(line.model) and term.first.isoformat() <= line.first_day <= term.last.isoformat()
            # What was adjusted of this month itself is in its lines, which are rated anew.
            counts = counts and line.first_day < period.month.first_day.isoformat()
            usage = line.kind == "adjustment" or (line.kind == "usage" and line.contract == contract.key)
            if counts and usage:
                quantity_us += line.quantity_us
            if counts and (usage or (line.kind == "lease" and row.quantity_us is None)):
                text = line.amount if row.quantity_us is not None else line.net or line.amount
                amount += parse_amount(text, document.currency).amount
        if quantity_us or amount or invoice.period < str(period.month):
            yield Used(month=invoice.period, quantity_us=quantity_us, amount=amount)


def _faults(zone: ZoneMonth, row: CommitmentRow, term: TermDays) -> tuple[int, int]:
    """Faulted and all card-microseconds of the models that count, over the term."""
    from_ms = day_start_ms(term.first, zone.period.timezone)
    to_ms = day_start_ms(term.last + timedelta(days=1), zone.period.timezone)
    times = [each for each in zone.ledger.card_times(from_ms, to_ms, to_ms) if row.counts(each.model)]
    return sum(each.faulted_us for each in times), sum(each.span_us for each in times)
