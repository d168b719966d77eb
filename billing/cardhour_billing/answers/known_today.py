"""What an issued invoice would come to today: its period rated again from the ledger, catalog and terms as they are.

Owns pairing its lines with today's. Does not own billing the difference.
"""

from __future__ import annotations

from msgspec import Struct, structs

from cardhour_billing.catalog.current import terms_of
from cardhour_billing.frozen.document import decode
from cardhour_billing.frozen.inputs import read_inputs
from cardhour_billing.frozen.rerating import period_of
from cardhour_billing.models import Invoice
from cardhour_billing.money import Money
from cardhour_billing.usage.ledger import Ledger
from cardhour_billing.usage.zone_rating import rate_zone

Pair = tuple[str, str, str, str, str]
"""Model, unit price, band, tier, tax category: what a reader sees of a line key."""


class Difference(Struct, frozen=True, kw_only=True):
    """One line then and now. ``position`` is ``None`` for a line that the invoice does not have."""

    position: int | None
    model: str
    unit_price: str
    billed_us: int
    billed: Money
    now_us: int
    now: Money

    @property
    def difference(self) -> Money:
        return self.now - self.billed


def known_today(invoice: Invoice, ledger: Ledger) -> tuple[Difference, ...]:
    """Each usage line of an issued invoice beside what is known of it today; the ledger is brought up to date first."""
    document, inputs = decode(bytes(invoice.frozen)), read_inputs(bytes(invoice.inputs))
    ledger.settle()
    # The customer's currency may be another by now: what was billed can only be compared in its own.
    period = period_of(inputs)
    terms = structs.replace(terms_of([invoice.customer], period)[invoice.customer.key], currency=document.currency)
    rating = rate_zone(period, {terms.customer: terms}, document.currency, ledger).rating
    zero = Money(amount=0, currency=document.currency)
    today: dict[Pair, tuple[int, Money]] = {}
    for line in rating.lines[invoice.customer.key]:
        key = (line.key.model, str(line.unit_price), line.key.band, line.key.tier, line.key.tax_category)
        quantity_us, amount = today.get(key, (0, zero))
        today[key] = quantity_us + line.quantity_us, amount + line.amount
    pairs: list[Difference] = []
    figures = inputs.figures()
    for shown in document.lines:
        if shown.kind != "usage":
            continue
        key = (shown.model, shown.unit_price, shown.band, shown.tier, shown.tax_category)
        now_us, now = today.pop(key, (0, zero))
        pairs.append(_pair(shown.position, key, figures[shown.position], (now_us, now)))
    return (*pairs, *(_pair(None, key, (0, zero), now) for key, now in today.items()))


def _pair(position: int | None, key: Pair, billed: tuple[int, Money], now: tuple[int, Money]) -> Difference:
    return Difference(
        position=position,
        model=key[0],
        unit_price=key[1],
        billed_us=billed[0],
        billed=billed[1],
        now_us=now[0],
        now=now[1],
    )
