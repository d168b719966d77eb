"""Whether rows keep the rules of FOCUS: each column's own, from the pinned table, and those between columns.

Owns the checks. They run on every row that is exported, so that what is wrong is never written. Does not own what a
column holds (``rows``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from cardhour_billing.focus.rows import Row
from cardhour_billing.focus.table import Column
from cardhour_billing.money import exponent
from cardhour_contract.errors import Refuse

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_DECIMAL = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_UNIT = re.compile(r"[A-Z][A-Za-z]*(-[A-Z][A-Za-z]*)?")
_PAIRS = (
    ("PricingQuantity", "PricingUnit"),
    ("ConsumedQuantity", "ConsumedUnit"),
)
_PRICED = (("ContractedUnitPrice", "ContractedCost"), ("ListUnitPrice", "ListCost"))


def breaches(row: Row, columns: Sequence[Column]) -> list[str]:
    """Every rule that a row breaks, in words."""
    found = [f"{column.id} {problem}" for column in columns if (problem := _problem(row, column))]
    return found or list(_between(row))


def _problem(row: Row, column: Column) -> str:
    if column.id not in row:
        return "is mandatory and not in the data" if column.level == "Mandatory" else ""
    value = row[column.id]
    if value is None:
        return "" if column.nullable else "must not be null"
    if not value:
        return "must be null rather than empty"
    if column.allowed and value not in column.allowed:
        return f"'{value}' is not an allowed value"
    if not _of_type(value, column):
        return f"'{value}' is no {column.value_format or column.data_type}"
    return "must not be negative" if column.non_negative and value.startswith("-") else ""


def _of_type(value: str, column: Column) -> bool:
    match column.data_type:
        case "Decimal":
            return bool(_DECIMAL.fullmatch(value))
        case "Date/Time":
            return bool(_TIME.fullmatch(value))
        case "JSON":
            return isinstance(_json(value), dict)
    if column.value_format == "currency format":
        return _is_currency(value)
    return bool(_UNIT.fullmatch(value)) if column.value_format.startswith("unit format") else True


def _is_currency(value: str) -> bool:
    try:
        exponent(value)
    except Refuse:
        return False
    return True


def _json(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return None


def _between(row: Row) -> Iterator[str]:
    for start, end in (("ChargePeriodStart", "ChargePeriodEnd"), ("BillingPeriodStart", "BillingPeriodEnd")):
        if str(row[start]) >= str(row[end]):
            yield f"{end} is not after {start}, and it is exclusive"
    for quantity, unit in _PAIRS:
        if (row.get(quantity) is None) != (row.get(unit) is None):
            yield f"{quantity} and {unit} are both there or both null"
    if row.get("SkuPriceId") is None and row.get("SkuPriceDetails") is not None:
        yield "SkuPriceDetails must be null without a SkuPriceId"
    if row.get("ResourceId") is None and (row.get("ResourceName") or row.get("ResourceType")):
        yield "ResourceName and ResourceType must be null without a ResourceId"
    yield from _by_category(row, str(row["ChargeCategory"]), correction=row["ChargeClass"] == "Correction")


def _by_category(row: Row, category: str, *, correction: bool) -> Iterator[str]:
    if category == "Tax" and row["PricingQuantity"] is not None:
        yield "PricingQuantity must be null for a tax"
    if category in ("Usage", "Purchase") and not correction and row["PricingQuantity"] is None:
        yield f"PricingQuantity must not be null for a {category}"
    if category != "Usage" and row.get("ConsumedQuantity") is not None:
        yield f"ConsumedQuantity must be null for a {category}"
    for price, cost in _PRICED:
        if (given := row.get(price)) is not None and not correction:
            if Fraction(given) * Fraction(row["PricingQuantity"] or "0") != Fraction(row[cost] or "0"):
                yield f"{cost} is not {price} × PricingQuantity"
        elif category == "Credit" and row[cost] != row["BilledCost"]:
            yield f"{cost} of a credit is its BilledCost"
