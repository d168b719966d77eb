"""A document's charges as rows of FOCUS: what each column holds.

Owns the meaning of our figures in the words of FOCUS. Does not own which columns there are (``table``), the rules that
rows must keep (``conformance``), nor where shares of a line come from (``shares``). Costs are before tax; tax has rows
of its own, so that the billed costs of an invoice sum to its total. Quantities and costs are exact decimal texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import msgspec
from msgspec import Struct

from cardhour_billing.einvoice.reading import listed_price, priced
from cardhour_billing.exact import hour_shares, product
from cardhour_billing.focus.table import columns
from cardhour_billing.frozen.document import DocumentLine, InvoiceDocument
from cardhour_billing.money import parse_amount, total
from cardhour_billing.month import day_start_ms
from cardhour_contract.moment import format_rfc3339

Row = dict[str, str | None]
"""Column → value; ``None`` is null."""

HOURS = "Card-Hours"

OMITTED = {
    "BillingAccountType": "there is one type of billing account",
    "CommitmentDiscountCategory": "a commitment here is a minimum, and not a discount that usage draws on",
    "CommitmentDiscountId": "as above",
    "CommitmentDiscountName": "as above",
    "CommitmentDiscountQuantity": "as above",
    "CommitmentDiscountStatus": "as above",
    "CommitmentDiscountType": "as above",
    "CommitmentDiscountUnit": "as above",
    "PricingCurrency": "prices are in the billing currency",
    "PricingCurrencyContractedUnitPrice": "as above",
    "PricingCurrencyEffectiveCost": "as above",
    "PricingCurrencyListUnitPrice": "as above",
    "RegionId": "no region is recorded of a card",
    "RegionName": "as above",
    "SubAccountType": "there is one type of sub account, the project",
    "Tags": "a card has no tags",
}
"""Columns that are conditional on what we do not have, and why. Every other column is in every export."""


class Place(NamedTuple):
    """One card on one local day, for one project."""

    day: date
    cluster: str
    node: str
    card: str
    project: str


class Share(Struct, frozen=True, kw_only=True):
    """What a line was used at one place."""

    place: Place
    quantity_us: int


class CoveredShare(Struct, frozen=True, kw_only=True):
    """Usage at one place that costs nothing because a lease covers it."""

    lease: str
    model: str
    place: Place
    quantity_us: int


class Source(Struct, frozen=True, kw_only=True):
    """A document, and by line position its shares and the id of its price, both empty where they are not known."""

    document: InvoiceDocument
    shares: Mapping[int, Sequence[Share]]
    prices: Mapping[int, str]
    covered: Sequence[CoveredShare] = ()


def rows_of(source: Source) -> Iterator[Row]:
    """Every row of a document: usage by line, day and card; other lines whole; what leases cover; each tax."""
    for line in source.document.lines:
        shares = source.shares.get(line.position, ())
        yield from _usage(source, line, shares) if shares else _whole(source, line)
    for share in source.covered:
        yield _covered(source.document, share)
    yield from _taxes(source.document)


def _usage(source: Source, line: DocumentLine, shares: Sequence[Share]) -> Iterator[Row]:
    document = source.document
    quantities = [share.quantity_us for share in shares]
    net = parse_amount(line.net or line.amount, document.currency)
    price = priced(document, line).price  # without its tax, where one is in it
    listed = listed_price(document, line)
    if listed is None:  # the list has several prices for it, or none: then only its cost is known, or nothing
        whole = parse_amount(line.list_amount, document.currency) if line.list_amount else net
        list_costs: Sequence[str | None] = [str(each) for each in whole.allocate(quantities)]
    else:
        list_costs = [None] * len(shares)
    common = _charge(source, line) | {"ContractedUnitPrice": price, "ListUnitPrice": listed}
    parts = zip(shares, hour_shares(quantities), net.allocate(quantities), list_costs, strict=True)
    for share, quantity, billed, list_cost in parts:
        yield (
            common
            | _at(document, share.place, line.model)
            | {
                "BilledCost": str(billed),
                "EffectiveCost": str(billed),
                "ContractedCost": product(quantity, price),
                "ListCost": product(quantity, listed) if listed is not None else list_cost,
                "PricingQuantity": quantity,
                "ConsumedQuantity": quantity,
                "ConsumedUnit": HOURS,
            }
        )


def _covered(document: InvoiceDocument, share: CoveredShare) -> Row:
    """Usage of reserved capacity: the lease's own row has what it costs."""
    quantity, nothing = hour_shares([share.quantity_us])[0], str(total((), document.currency))
    return (
        _invoice(document)
        | _at(document, share.place, share.model)
        | dict.fromkeys(("BilledCost", "EffectiveCost", "ContractedCost", "ListCost"), nothing)
        | {
            "ChargeCategory": "Usage",
            "ChargeFrequency": "Usage-Based",
            "ChargeDescription": f"{share.model}, covered by lease {share.lease}",
            "CapacityReservationId": share.lease,
            "CapacityReservationStatus": "Used",
            "PricingCategory": "Committed",
            "PricingQuantity": quantity,
            "PricingUnit": HOURS,
            "ConsumedQuantity": quantity,
            "ConsumedUnit": HOURS,
            "ServiceCategory": "Compute",
            "ServiceSubcategory": "Other (Compute)",
            "ServiceName": "GPU compute",
            "SkuId": share.model,
            "SkuMeter": HOURS,
        }
    )


def _at(document: InvoiceDocument, place: Place, model: str) -> Row:
    return _days(document, place.day, place.day) | {
        "AvailabilityZone": place.cluster or None,
        "ResourceId": place.card,
        "ResourceName": f"{model} on {place.node}",
        "ResourceType": "GPU",
        "SubAccountId": place.project or None,
        "SubAccountName": place.project or None,
    }


class _Kind(NamedTuple):
    """What a kind of line is in FOCUS."""

    category: str
    frequency: str
    service: str
    priced: bool
    """Whether it has a unit price of its own, and a SKU."""


_KINDS = {
    "usage": _Kind("Usage", "Usage-Based", "GPU compute", True),
    "lease": _Kind("Purchase", "Recurring", "GPU lease", True),
    "add-on": _Kind("Purchase", "Recurring", "Add-on", True),
    "commitment": _Kind("Adjustment", "Recurring", "Commitment", False),
    "grant": _Kind("Credit", "One-Time", "Credit", False),
    "adjustment": _Kind("Usage", "Usage-Based", "GPU compute", False),
    "carried": _Kind("Adjustment", "One-Time", "Carried forward", False),
    "credit": _Kind("Usage", "Usage-Based", "GPU compute", False),
}
_GIVEN = _Kind("Credit", "One-Time", "Credit", False)
"""A credit note out of goodwill or for the service level: nothing was billed wrongly."""
_CORRECTIONS = ("adjustment", "credit")
"""Kinds that put right what an earlier period was billed."""


def _kind_of(document: InvoiceDocument, line: DocumentLine) -> _Kind:
    return _GIVEN if line.kind == "credit" and document.reason in ("goodwill", "sla") else _KINDS[line.kind]


def _whole(source: Source, line: DocumentLine) -> Iterator[Row]:
    """A line that is no card's on any day: one row over its days."""
    kind, net = _kind_of(source.document, line), line.net or line.amount
    row = _charge(source, line) | _days(
        source.document, date.fromisoformat(line.first_day), date.fromisoformat(line.last_day)
    )
    row |= {"BilledCost": net, "EffectiveCost": net, "ContractedCost": net, "ListCost": net}
    if kind.priced:
        figures = priced(source.document, line)
        cost = product(figures.quantity, figures.price)
        row |= {"PricingQuantity": figures.quantity, "ContractedUnitPrice": figures.price, "ContractedCost": cost}
        row |= {"ListUnitPrice": figures.price, "ListCost": cost}
    elif kind.category == "Usage":
        row["PricingQuantity"] = line.printed_quantity
    if kind.category == "Usage" and line.kind not in _CORRECTIONS:
        row |= {"ConsumedQuantity": line.printed_quantity, "ConsumedUnit": HOURS}
    if line.kind == "lease":
        row["CapacityReservationId"] = lease_of(line.source)
    yield row


def lease_of(source: str) -> str:
    """The lease that a charge is for, whose source is ``lease:KEY:…``."""
    return source.split(":")[1]


def _taxes(document: InvoiceDocument) -> Iterator[Row]:
    for tax in document.tax:
        yield _invoice(document) | _days(
            document, date.fromisoformat(document.period.first_day), date.fromisoformat(document.period.last_day)
        ) | {
            **dict.fromkeys(("BilledCost", "EffectiveCost", "ContractedCost", "ListCost"), tax.tax),
            "ChargeCategory": "Tax",
            "ChargeFrequency": "Recurring",
            "ChargeDescription": f"{tax.category} tax, {tax.rate_percent} % of {tax.net}",
            "ServiceCategory": "Other",
            "ServiceSubcategory": "Other (Other)",
            "ServiceName": "Tax",
        }  # fmt: skip


def _invoice(document: InvoiceDocument) -> Row:
    """What all rows of a document share; what only some have is null."""
    return {
        **dict.fromkeys(PROVIDED),
        "BillingAccountId": document.customer.id,
        "BillingAccountName": document.customer.name,
        "BillingCurrency": document.currency,
        "BillingPeriodStart": document.period.started_at,
        "BillingPeriodEnd": document.period.ended_at,
        "InvoiceId": document.number,
        "InvoiceIssuerName": document.issuer.legal_name,
        "ProviderName": document.issuer.name,
        "PublisherName": document.issuer.name,
    }


def _charge(source: Source, line: DocumentLine) -> Row:
    """What all rows of a line share."""
    kind, sku = _kind_of(source.document, line), line.model or line.source
    price = source.prices.get(line.position) or line.source
    details = {key: value for key, value in (("Band", line.band), ("Tier", line.tier)) if value}
    row = _invoice(source.document) | {
        "ChargeCategory": kind.category,
        "ChargeClass": "Correction" if line.kind in _CORRECTIONS and kind is not _GIVEN else None,
        "ChargeDescription": " · ".join(each for each in (line.model, line.description) if each),
        "ChargeFrequency": kind.frequency,
        "ServiceCategory": "Compute",
        "ServiceSubcategory": "Other (Compute)",
        "ServiceName": kind.service,
    }
    if kind.priced:
        row |= {
            "PricingCategory": "Committed" if line.kind == "lease" else "Standard",
            "PricingUnit": _UNITS[line.unit],
            "SkuId": sku,
            "SkuMeter": _UNITS[line.unit],
            "SkuPriceId": price,
            "SkuPriceDetails": msgspec.json.encode(details).decode() if details else None,
        }
    elif kind.category == "Usage":
        row["PricingUnit"] = _UNITS[line.unit]
    return row


_UNITS = {
    "card-hour": HOURS,
    "card-month": "Card-Months",
    "server-month": "Server-Months",
    "month": "Months",
    "item": "Items",
}


def _days(document: InvoiceDocument, first: date, last: date) -> Row:
    """A charge period: from the start of its first local day to that of the day after its last, which is exclusive."""
    timezone = document.period.timezone
    return {
        "ChargePeriodStart": format_rfc3339(day_start_ms(first, timezone)),
        "ChargePeriodEnd": format_rfc3339(day_start_ms(last + timedelta(days=1), timezone)),
    }


PROVIDED = tuple(column.id for column in columns("1.2") if column.id not in OMITTED)
"""The columns of an export, in the order of the specification's table."""
