"""What has been billed of past months so far, by line key: the original, every adjustment since, and credit notes that
correct.

Owns reading that back from issued documents. A voided document contributes nothing, nor does what corrected it;
``goodwill`` and ``sla`` credits are gifts, and leave what was billed as it was. Does not own what it is held against
(``adjustments``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from cardhour_billing.frozen.credit_line import parse_credit
from cardhour_billing.frozen.document import decode
from cardhour_billing.frozen.inputs import FrozenInputs, read_inputs
from cardhour_billing.models import Customer, Invoice, InvoiceLine, Price
from cardhour_billing.rating.adjustment import Key, Side, parse_source
from cardhour_billing.receivables.standing import in_force

AGAIN = ("usage", "commitment")
"""Kinds of line that a month is computed to again. Leases and add-ons settle their own past; what a grant allowed was
spent where it was spent."""


class Place(NamedTuple):
    """One line key of one customer's month."""

    customer: int
    month: str
    digest: str


class Billed:
    """What issued documents billed to ``customers`` from ``first_month`` on."""

    def __init__(self, customers: Collection[Customer], first_month: str) -> None:
        self._roots = price_roots()
        self._inputs: dict[int, FrozenInputs] = {}
        documents = _documents(customers, first_month)
        self.sides: dict[Place, Side] = {}
        lines = list(InvoiceLine.objects.filter(invoice__in=documents).order_by("invoice_id", "position"))
        places: dict[tuple[str, int], Place] = {}
        for line in lines:
            document = documents[line.invoice_id]
            place = self._place(document, line)
            if place:
                places[str(document.number), line.position] = place
                self._add(place, self._side(document, line))
        for line_of, amount in _corrections(customers).items():
            corrected = places.get(line_of)
            if corrected:
                self._add(corrected, Side(amount=amount))

    def of(self, customer: Customer, month: str) -> dict[str, Side]:
        """What is billed of one month, by digest of its key."""
        return {at.digest: side for at, side in self.sides.items() if at.customer == customer.pk and at.month == month}

    def _add(self, place: Place, side: Side) -> None:
        known = self.sides.get(place)
        self.sides[place] = known.plus(side) if known else side

    def _place(self, document: Invoice, line: InvoiceLine) -> Place | None:
        if line.kind in AGAIN:
            return Place(document.customer_id, document.period, key_of_row(line, self._roots).digest)
        past = parse_source(line.source)
        return Place(document.customer_id, *past) if past else None

    def _side(self, document: Invoice, line: InvoiceLine) -> Side:
        return Side(
            amount=line.amount, quantity_us=line.quantity_us, name=line.model or line.source,
            numbers=(str(document.number),),
        )  # fmt: skip

    def terms_of(self, customer: Customer, month: str, digest: str) -> Side:
        """The words and tax of a key that today has none, from the document that billed it first."""
        for document in _documents([customer], month).values():
            shown = {line.position: line for line in decode(bytes(document.frozen)).lines}
            for line in document.lines.all():
                if self._place(document, line) == (customer.pk, month, digest):
                    return _terms(shown[line.position].includes_tax, line, read_inputs(bytes(document.inputs)))
        return Side()


def price_roots() -> dict[int, int]:
    """Each price row with the one that its corrections began with."""
    before = dict(Price.objects.values_list("pk", "supersedes"))
    roots: dict[int, int] = {}
    for pk in sorted(before):  # a row is newer than the one it supersedes
        earlier = before[pk]
        roots[pk] = roots[earlier] if earlier is not None else pk
    return roots


def key_of_row(line: InvoiceLine, roots: dict[int, int]) -> Key:
    """The key of a line of a document."""
    subject = str(roots[line.price_id]) if line.price_id is not None else line.source
    return Key(line.kind, subject, line.model, line.band, line.tier, line.tax_category)


def _documents(customers: Iterable[Customer], first_month: str) -> dict[int, Invoice]:
    """What bills months, oldest first."""
    found = Invoice.objects.filter(customer__in=list(customers), period__gte=first_month)
    return {each.pk: each for each in in_force(found).order_by("pk")}


def _corrections(customers: Iterable[Customer]) -> dict[tuple[str, int], int]:
    """What credit notes with reason ``correction`` gave back, by number and position of the line; below zero."""
    lines = InvoiceLine.objects.filter(
        invoice__customer__in=list(customers),
        invoice__state=Invoice.State.ISSUED,
        invoice__reason=Invoice.Reason.CORRECTION,
        kind="credit",
    )
    found: dict[tuple[str, int], int] = {}
    for source, amount in lines.values_list("source", "amount"):
        at = parse_credit(source)
        found[at] = found.get(at, 0) + amount
    return found


def _terms(includes_tax: bool, line: InvoiceLine, inputs: FrozenInputs) -> Side:
    taxes = tuple(rule for rule in inputs.taxes if rule.key == line.tax_category)
    return Side(name=line.model or line.source, taxes=taxes, includes_tax=includes_tax)
