"""What a fapiao can say of a document's lines: net, tax and gross of each, and of a part of it.

Owns sharing the tax of a rate, which is rounded once on the sum, to its lines, and cutting a line in parts that sum to
it. Does not own requests (``fapiao``). Plain Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from msgspec import Struct

from cardhour_billing.exact import share_out
from cardhour_billing.frozen.document import DocumentLine, InvoiceDocument
from cardhour_billing.money import Money, parse_amount, round_half_away, total


class Amounts(Struct, frozen=True, kw_only=True):
    """Net, tax and gross in minor units."""

    net: int = 0
    tax: int = 0

    @property
    def gross(self) -> int:
        return self.net + self.tax

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(net=self.net + other.net, tax=self.tax + other.tax)

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(net=self.net - other.net, tax=self.tax - other.tax)


class LineAmounts(Struct, frozen=True, kw_only=True):
    """A line under its rate."""

    line: DocumentLine
    rate_percent: str
    whole: Amounts


def of_lines(document: InvoiceDocument) -> Mapping[int, LineAmounts]:
    """Each taxed line by position; the taxes of a rate sum to its row. Lines under no rule are left out."""
    found: dict[int, LineAmounts] = {}
    for row in document.tax:
        lines = [each for each in document.lines if each.tax_category == f"{row.category} {row.rate_percent}"]
        nets = {line.position: _money(line.net or line.amount, document) for line in lines}
        taxes = {line.position: _money(line.amount, document) - nets[line.position] for line in lines}
        on_top = [line.position for line in lines if not line.includes_tax]
        within = total((taxes[line.position] for line in lines if line.includes_tax), document.currency)
        rest = _money(row.tax, document) - within
        rate = Fraction(row.rate_percent) / 100
        shares = share_out(rest.amount, [nets[at].amount * rate for at in on_top])
        taxes |= {at: Money(amount=tax, currency=document.currency) for at, tax in zip(on_top, shares, strict=True)}
        for line in lines:
            whole = Amounts(net=nets[line.position].amount, tax=taxes[line.position].amount)
            found[line.position] = LineAmounts(line=line, rate_percent=row.rate_percent, whole=whole)
    return found


def part(whole: Amounts, taken: Amounts, gross: int) -> Amounts:
    """``gross`` of a line of which ``taken`` is gone: its net is the line's in proportion, and parts sum to the line.

    What is left is taken as it is when ``gross`` is all of it.
    """
    if not whole.gross:
        return Amounts()
    so_far = round_half_away(Fraction(whole.net * (taken.gross + gross), whole.gross))
    net = so_far - taken.net
    return Amounts(net=net, tax=gross - net)


def _money(text: str, document: InvoiceDocument) -> Money:
    return parse_amount(text, document.currency)
