"""Verifying an issued invoice: everything it rests on is what it was, and still comes to the same minor unit.

Owns the checks and the words for what is found. Does not own rating (``rerating``) or what is known today
(``known_today``). Reads only; changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from cardhour_billing.catalog.current import binding_row, contract_row, price_row, tax_rule
from cardhour_billing.catalog.current_terms import lease_row
from cardhour_billing.documents.renderers import RENDERERS
from cardhour_billing.frozen.charge_kinds import recompute
from cardhour_billing.frozen.cover import frozen_usage
from cardhour_billing.frozen.document import InvoiceDocument, decode
from cardhour_billing.frozen.inputs import FrozenInputs, frozen_lines, read_inputs
from cardhour_billing.frozen.rerating import rerate, sums_of
from cardhour_billing.models import AuditLog, Binding, Contract, Invoice, Lease, Price, RenderedDocument, TaxRule
from cardhour_billing.money import Money, card_hours, parse_amount, total
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.content import Content
from cardhour_billing.rating.rate import RATING_VERSION
from cardhour_billing.rating.rated import UsageSum
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.errors import InvariantBroken, Refuse

K = TypeVar("K")

FINDINGS_MAX = 20
"""Differences named for each check: whoever changed a thousand quarters is found by the first few."""


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was compared. ``findings`` is empty where it agrees."""

    what: str
    findings: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        return not self.findings


def verify(invoice: Invoice, ledger: Ledger) -> tuple[Check, ...]:
    """Every check of an issued invoice, in the order in which one rests on the other."""
    try:
        document, inputs = decode(bytes(invoice.frozen)), read_inputs(bytes(invoice.inputs))
    except (InvariantBroken, msgspec.DecodeError) as error:
        return (Check(what="the frozen data can be read", findings=(str(error),)),)
    usage = frozen_usage(inputs, ledger)
    rated = [row for _, row in usage.billed]
    checks = (
        ("frozen inputs have their digest", _digest(invoice, document)),
        ("frozen bindings, leases, prices, contracts and tax rules are those that were recorded", _rows(inputs)),
        ("frozen quarters have their digest", _quarters(inputs, ledger)),
        ("frozen quarters are those that the document shows", _shares(inputs, document, usage.billed)),
        (
            "rated again, the frozen inputs give the same amounts",
            _amounts(inputs, document, rated),
        ),
        ("the document says what was rated", _document(invoice, document, inputs)),
        ("the files are those that were issued", _files(invoice)),
    )
    return tuple(Check(what=what, findings=_few(found)) for what, found in checks)


def _few(found: Iterable[str]) -> tuple[str, ...]:
    every = tuple(found)
    rest = len(every) - FINDINGS_MAX
    return (*every[:FINDINGS_MAX], f"and {rest} more") if rest > 0 else every


def _digest(invoice: Invoice, document: InvoiceDocument) -> Iterator[str]:
    found = hashlib.sha256(bytes(invoice.inputs)).hexdigest()
    logged = AuditLog.objects.filter(action=f"{invoice.kind}.issue", subject=invoice.number).first()
    for where, kept in (
        ("the invoice's row", invoice.digest),
        ("the document", document.digest),
        ("the audit log", logged.detail.get("digest") if logged else None),
    ):
        if kept != found:
            yield f"{where} has the digest {str(kept)[:12]}…, the frozen inputs have {found[:12]}…"


def _rows(inputs: FrozenInputs) -> Iterator[str]:
    """Copies of rows against the rows, which are insert-only."""
    prices = {row.pk: price_row(row) for row in Price.objects.filter(pk__in=[row.id for row in inputs.prices])}
    bindings = {row.pk: binding_row(row) for row in Binding.objects.filter(pk__in=[row.id for row in inputs.bindings])}
    yield from _unlike("price", inputs.prices, prices)
    taxes = {row.pk: tax_rule(row) for row in TaxRule.objects.filter(pk__in=[row.id for row in inputs.taxes])}
    leases = {row.pk: lease_row(row) for row in Lease.objects.filter(pk__in=[row.id for row in inputs.leases])}
    yield from _unlike("binding", inputs.bindings, bindings)
    yield from _unlike("lease", inputs.leases, leases)
    yield from _unlike("tax rule", inputs.taxes, taxes)
    keys = [row.id for row in inputs.terms.contracts]
    contracts = {row.pk: contract_row(row) for row in Contract.objects.filter(pk__in=keys)}
    yield from _unlike("contract", inputs.terms.contracts, contracts)


def _unlike(kind: str, copies: Sequence[Struct], rows: dict[int, Any]) -> Iterator[str]:
    for copy in copies:
        key = getattr(copy, "id", 0)
        if key not in rows:
            yield f"{kind} {key} was never recorded"
            continue
        for field in msgspec.structs.fields(copy):
            kept, recorded = getattr(copy, field.name), getattr(rows[key], field.name)
            if kept != recorded:
                yield f"{kind} {key}: {field.name} is frozen as {kept}, and was recorded as {recorded}"


def _quarters(inputs: FrozenInputs, ledger: Ledger) -> Iterator[str]:
    if not inputs.quarters:
        return  # a credit note has none
    found = ledger.frozen(inputs.quarters).digest
    if found != inputs.quarters_digest:
        yield f"they have {found[:12] or 'nothing'}…, and had {inputs.quarters_digest[:12]}… when they were billed"


def _shares(inputs: FrozenInputs, document: InvoiceDocument, usage: Iterable[tuple[int, UsageSum]]) -> Iterator[str]:
    """The quarters summed by day and by card, against the document: names where a changed quarter lies."""
    days, cards, astray = sums_of(inputs, usage)
    yield from astray
    # Lines of a graduated price share the quarters that stand under the first of them.
    lead = {line.position: line.lead or line.position for line in inputs.lines}
    shown_days = _sums(
        ((lead[line.position], day.day), day.quantity_us) for line in document.lines for day in line.days
    )
    found_days = {(line, day.isoformat()): us for (line, day), us in days.items()}
    for line, day in sorted(shown_days.keys() | found_days.keys()):
        yield from _hours(f"line {line}, {day}", found_days.get((line, day), 0), shown_days.get((line, day), 0))
    listed = {lead[line.position] for line in document.lines if line.cards}
    shown = _sums(
        ((lead[line.position], each.card, each.node), each.quantity_us)
        for line in document.lines
        for each in line.cards
    )
    found = {key: us for key, us in cards.items() if key[0] in listed}
    for key in sorted(shown.keys() | found.keys()):
        place = f"line {key[0]}, card {key[1]} on {key[2]}"
        yield from _hours(place, found.get(key, 0), shown.get(key, 0))


def _sums(parts: Iterable[tuple[K, int]]) -> dict[K, int]:
    found: dict[K, int] = {}
    for key, us in parts:
        found[key] = found.get(key, 0) + us
    return found


def _hours(place: str, found_us: int, shown_us: int) -> Iterator[str]:
    if found_us != shown_us:
        yield f"{place}: {card_hours(found_us)} card-hours are frozen, and {card_hours(shown_us)} were billed"


def _amounts(inputs: FrozenInputs, document: InvoiceDocument, usage: Iterable[UsageSum]) -> Iterator[str]:
    if inputs.rating_version != RATING_VERSION:
        yield f"they were rated under version {inputs.rating_version} of the rules, and this is {RATING_VERSION}"
        return
    rating = rerate(inputs, usage)
    lines = rating.lines[inputs.terms.customer]
    found = {line.position: line for line in frozen_lines(lines)}
    billed = {line.position: line for line in inputs.lines}
    for position in sorted(found.keys() | billed.keys()):
        now, then = found.get(position), billed.get(position)
        if now != then:
            yield f"line {position}: {_figures(now)} when rated again, {_figures(then)} when billed"
    for at, charge in enumerate(inputs.charges, start=len(inputs.lines) + 1):
        yield from (f"line {at}, {charge.source}: {found}" for found in _charge(charge))
    tax = Content(lines=lines, charges=inputs.charges).assess(document.currency)
    for name, again in (("net", tax.net), ("tax", tax.tax), ("total", tax.total)):
        said = _tax_of(document) if name == "tax" else parse_amount(getattr(document, name), document.currency)
        if again != said:
            yield f"{name}: {again} when rated again, {said} in the document"
    for unpriced in rating.unpriced:
        yield f"{card_hours(unpriced.quantity_us)} card-hours of {unpriced.model} have no frozen price"
    for unassigned in rating.unassigned:
        yield f"{card_hours(unassigned.quantity_us)} card-hours of {unassigned.owner} have no frozen binding"


def _charge(charge: Charge) -> Iterator[str]:
    """A charge's amount against what its frozen inputs come to."""
    try:
        again = recompute(charge)
    except (InvariantBroken, Refuse, LookupError, TypeError, ValueError, ArithmeticError) as error:
        yield f"its frozen inputs cannot be computed again: {error}"
        return
    if again != charge.amount:
        yield f"{again} when computed again, {charge.amount} when billed"


def _figures(line: Any) -> str:
    return f"{card_hours(line.quantity_us)} card-hours for {line.amount} minor units" if line else "no line"


def _tax_of(document: InvoiceDocument) -> Money:
    return total((parse_amount(row.tax, document.currency) for row in document.tax), document.currency)


def _document(invoice: Invoice, document: InvoiceDocument, inputs: FrozenInputs) -> Iterator[str]:
    rated = {at: (quantity_us, amount.amount) for at, (quantity_us, amount) in inputs.figures().items()}
    shown = {
        line.position: (line.quantity_us, parse_amount(line.amount, document.currency).amount)
        for line in document.lines
    }
    stored = {line.position: (line.quantity_us, line.amount) for line in invoice.lines.all()}
    for position in sorted(rated.keys() | shown.keys() | stored.keys()):
        if not rated.get(position) == shown.get(position) == stored.get(position):
            yield f"line {position} is not the same in the frozen inputs, the document and the invoice's lines"
    for name, kept in (("net", invoice.net), ("tax", invoice.tax), ("total", invoice.total)):
        said = _tax_of(document) if name == "tax" else parse_amount(getattr(document, name), document.currency)
        if said.amount != kept:
            yield f"{name} is {said.amount} minor units in the document, and {kept} in the invoice's row"
    sources = [(line.kind, line.source) for line in document.lines if line.kind != "usage"]
    if sources != [(charge.kind, charge.source) for charge in inputs.charges]:
        yield "the charges of the document are not those of the frozen inputs"
    if invoice.number != document.number:
        yield f"the document has number {document.number}, the invoice {invoice.number}"


def _files(invoice: Invoice) -> Iterator[str]:
    logged: dict[str, str] = {}
    for entry in AuditLog.objects.filter(action="invoice.render", subject=invoice.number):
        logged |= entry.detail
    kept = {row.format: row for row in RenderedDocument.objects.filter(invoice=invoice)}
    for form in RENDERERS:
        if form not in kept:
            yield f"the {form} was never made: the next close makes it"
            continue
        found = hashlib.sha256(bytes(kept[form].content)).hexdigest()
        for where, hashed in (("its row", kept[form].sha256), ("the audit log", logged.get(form))):
            if hashed != found:
                yield f"the {form} has SHA-256 {found[:12]}…, and {where} says {str(hashed)[:12]}…"
