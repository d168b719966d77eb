"""What an issued document was computed from, frozen so that anyone can compute it again.

Owns the canonical JSON and its digest. The billed quarters themselves are in the warehouse (``billed_quarter``), named
here with their own digest; bindings, leases, prices, tax rules and charges stand here whole, as they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.money import Money
from cardhour_billing.month import BillingPeriod
from cardhour_billing.rating.binding import BindingRow
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.content import Content
from cardhour_billing.rating.price import PriceRow
from cardhour_billing.rating.rate import RATING_VERSION, Terms
from cardhour_billing.rating.rated import RatedLine
from cardhour_billing.rating.tax import TaxRule


class FrozenLine(Struct, frozen=True, kw_only=True):
    """What rating made of the inputs: the line key's price, exact quantity, amount in minor units. Usage only."""

    position: int
    price: int
    quantity_us: int
    amount: int
    list_amount: int | None = None
    contracted_amount: int = 0
    lead: int = 0
    """Position of the line whose quarters this one is a later slice of; 0 for a line with quarters of its own."""


class FrozenInputs(Struct, frozen=True, kw_only=True):
    """Everything that decides the figures of one document."""

    version: int = 1
    rating_version: int = RATING_VERSION
    terms: Terms
    month: str
    timezone: str
    start_ms: int
    end_ms: int
    cuts_ms: tuple[int, ...]
    """Where usage was cut: local midnights, and where bindings or prices change."""
    quarters: str
    """Name of the document's rows in ``billed_quarter``."""
    quarters_digest: str
    """SHA-256 of those rows."""
    bindings: tuple[BindingRow, ...]
    leases: tuple[LeaseRow, ...] = ()
    """Those of the customer that hold in the period: what they cover of the frozen quarters is billed on no line."""
    prices: tuple[PriceRow, ...]
    taxes: tuple[TaxRule, ...] = ()
    lines: tuple[FrozenLine, ...]
    charges: tuple[Charge, ...] = ()
    """The lines after those of usage, each with all that decides it."""

    def figures(self) -> dict[int, tuple[int, Money]]:
        """Exact quantity and amount of every line of the document, by position."""
        currency = self.terms.currency
        found = {line.position: (line.quantity_us, Money(amount=line.amount, currency=currency)) for line in self.lines}
        for at, charge in enumerate(self.charges, start=len(self.lines) + 1):
            found[at] = charge.quantity_us, charge.amount
        return found


def frozen_lines(lines: tuple[RatedLine, ...]) -> tuple[FrozenLine, ...]:
    """The figures of rated lines, in order of print."""
    positions = {line.key: at for at, line in enumerate(lines, start=1)}
    return tuple(
        FrozenLine(
            position=at,
            price=line.price.id,
            quantity_us=line.quantity_us,
            amount=line.amount.amount,
            list_amount=line.costs.listed.amount if line.costs.listed else None,
            contracted_amount=line.costs.contracted.amount,
            lead=positions[line.lead] if line.lead else 0,
        )
        for at, line in enumerate(lines, start=1)
    )


def claimed(lines: Iterable[FrozenLine]) -> dict[int, int]:
    """Card-microseconds by the position under which their quarters are frozen."""
    found: dict[int, int] = {}
    for line in lines:
        found[line.lead or line.position] = found.get(line.lead or line.position, 0) + line.quantity_us
    return found


def freeze_inputs(
    *,
    terms: Terms,
    period: BillingPeriod,
    cuts_ms: tuple[int, ...],
    quarters: tuple[str, str],
    bindings: tuple[BindingRow, ...],
    leases: tuple[LeaseRow, ...] = (),
    content: Content,
) -> tuple[bytes, str]:
    """Canonical JSON of the inputs, and its SHA-256. ``quarters`` is their name in the warehouse and their digest."""
    inputs = FrozenInputs(
        terms=terms,
        month=str(period.month),
        timezone=period.timezone,
        start_ms=period.start_ms,
        end_ms=period.end_ms,
        cuts_ms=cuts_ms,
        quarters=quarters[0],
        quarters_digest=quarters[1],
        bindings=tuple(sorted(bindings, key=lambda row: row.id)),
        leases=tuple(sorted(leases, key=lambda row: row.id)),
        prices=tuple(sorted(_prices(content), key=lambda row: row.id)),
        taxes=tuple(sorted(content.taxes, key=lambda row: row.id)),
        lines=frozen_lines(content.lines),
        charges=content.charges,
    )
    canonical = msgspec.json.encode(inputs, order="sorted")
    return canonical, hashlib.sha256(canonical).hexdigest()


def _prices(content: Content) -> set[PriceRow]:
    """The prices that decided: those of the lines, and those of the list that they are compared with."""
    return {row for line in content.lines for row in (line.price, *line.costs.list_rows)}


def read_inputs(canonical: bytes) -> FrozenInputs:
    """The reverse of ``freeze_inputs``."""
    return msgspec.json.decode(canonical, type=FrozenInputs)
