"""What a draft bills beside the month before, by model and by charge: what a person looks at before issuing."""

from __future__ import annotations

from msgspec import Struct

from cardhour_billing.figures import grouped
from cardhour_billing.frozen.document import InvoiceDocument, decode
from cardhour_billing.models import Invoice
from cardhour_billing.money import Money, parse_amount
from cardhour_billing.month import parse_month
from cardhour_billing.portal.change import Change, change, signed
from cardhour_billing.portal.closing import invoices_of

USAGE = "usage"


class ChangeRow(Struct, frozen=True, kw_only=True):
    """Net amounts, grouped; empty where a month has none of it."""

    what: str
    before: str
    now: str
    change: Change | None


class Changes(Struct, frozen=True, kw_only=True):
    """Rows that add up to the sums, and what the draft came to before it last changed."""

    month: str
    rows: tuple[ChangeRow, ...]
    before: str
    now: str
    change: Change | None
    since_draft: str
    draft_net: str


def changes_of(invoice: Invoice) -> Changes:
    """A draft beside the month before."""
    month = str(parse_month(invoice.period).minus(1))
    found = invoices_of(month).filter(customer=invoice.customer, currency=invoice.currency).order_by("revision")
    earlier = [decode(bytes(each.frozen)) for each in found]
    then, now = _by_what(earlier, invoice.currency), _by_what([decode(bytes(invoice.frozen))], invoice.currency)

    def text(amount: int | None) -> str:
        return "" if amount is None else grouped(str(Money(amount=amount, currency=invoice.currency)))

    names = sorted({*then, *now}, key=lambda name: -abs(now.get(name, 0) - then.get(name, 0)))
    before, known = sum(then.values()), invoice.net_before
    return Changes(
        month=month,
        rows=tuple(
            ChangeRow(
                what=name,
                before=text(then.get(name)),
                now=text(now.get(name)),
                change=change(now.get(name, 0), then.get(name, 0), invoice.currency),
            )
            for name in names
        ),
        before=text(before) if earlier else "",
        now=text(invoice.net),
        change=change(invoice.net, before, invoice.currency) if earlier else None,
        since_draft=signed(invoice.net - known, invoice.currency) if known is not None else "",
        draft_net=text(known),
    )


def _by_what(documents: list[InvoiceDocument], currency: str) -> dict[str, int]:
    """Net in minor units by model of usage, or by what a charge says."""
    sums: dict[str, int] = {}
    for document in documents:
        for line in document.lines:
            name = line.model if line.kind == USAGE else line.description
            sums[name] = sums.get(name, 0) + parse_amount(line.net or line.amount, currency).amount
    return sums
