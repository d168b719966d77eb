"""A month's invoices from a usage CSV and a catalog, computed a second time with the standard library alone.

Imports nothing of ours and shares no idea with it: shares of a card as fractions, the whole month in one sum, money in
fractions of a cent until the one rounding of a line. It knows what the catalog of the test uses: bindings by owner,
prices per unit, graduated and volume, one contract a customer, and one exclusive rate of tax.
"""

from __future__ import annotations

import csv
import gzip
import tomllib
from collections import defaultdict
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

Use = tuple[str, str]
"""Owner, model."""


def usage(path: Path, since: datetime, until: datetime) -> dict[Use, Fraction]:
    """Card-hours by owner and model: each workload its share of the card, for as long as it ran."""
    found: defaultdict[Use, Fraction] = defaultdict(Fraction)
    on_card: defaultdict[str, list[tuple[datetime, datetime, Fraction, Use]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            started = max(datetime.fromisoformat(row["started_at"]), since)
            ended = min(datetime.fromisoformat(row["ended_at"]), until)
            if started < ended:
                on_card[row["card"]].append((started, ended, Fraction(row["share"]), (row["owner"], row["model"])))
    for uses in on_card.values():
        _share(uses, found)
    return dict(found)


def _share(uses: list[tuple[datetime, datetime, Fraction, Use]], found: defaultdict[Use, Fraction]) -> None:
    """One card, from one change to the next: who is on it, each by its share, all together at most one card."""
    cuts = sorted({at for started, ended, *_ in uses for at in (started, ended)})
    for start, end in pairwise(cuts):
        there = [(share, use) for started, ended, share, use in uses if started <= start and end <= ended]
        whole = max(Fraction(1), sum((share for share, _ in there), Fraction()))
        span = end - start
        hours = Fraction((span.days * 86_400 + span.seconds) * 10**6 + span.microseconds, 3_600 * 10**6)
        for share, use in there:
            found[use] += hours * share / whole


def invoices(catalog: Path, trace: Path, month: tuple[int, int]) -> dict[str, tuple[list[tuple[str, int]], int, int]]:
    """By customer: its lines as (model, cents) in order of print, the tax, the total. All in cents."""
    said = tomllib.loads(catalog.read_text(encoding="utf-8"))
    zone = ZoneInfo(said["issuer"]["timezone"])
    since = datetime(*month, 1, tzinfo=zone)
    until = datetime(month[0], month[1] + 1, 1, tzinfo=zone)
    hours: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
    customer_of = {binding["owner"]: binding["customer"] for binding in said["binding"]}
    for (owner, model), used in usage(trace, since, until).items():
        if owner in customer_of:
            hours[customer_of[owner], model] += used
    rate = Fraction(said["tax"][0]["rate"]) / 100
    bills: dict[str, tuple[list[tuple[str, int]], int, int]] = {}
    for customer in sorted({customer for customer, _ in hours}):
        lines = [
            (model, cents)
            for (whose, model), used in sorted(hours.items())
            if whose == customer
            for cents in _lines(said, customer, model, used)
        ]
        net = sum(cents for _, cents in lines)
        tax = half_away(net * rate)
        bills[customer] = lines, tax, net + tax
    return bills


def _lines(said: dict[str, Any], customer: str, model: str, hours: Fraction) -> list[int]:
    contract = next((each for each in said.get("contract", []) if each["customer"] == customer), None)
    price, negotiated = _price(said, contract, model)
    off = Fraction(0) if negotiated or contract is None else Fraction(contract.get("discount", "0")) / 100
    cents = []
    for part, amount in _steps(price, hours):
        less = Fraction(half_away(Fraction(amount) * (1 - off) * 10**9), 10**9)
        cents.append(half_away(part * less * 100))
    return cents


def _price(said: dict[str, Any], contract: dict[str, Any] | None, model: str) -> tuple[dict[str, Any], bool]:
    mine = [each for each in said["price"] if each["model"] == model]
    if contract is not None:
        for each in mine:
            if each.get("contract") == contract["id"]:
                return each, True
        for each in mine:
            if each.get("book") == contract.get("book"):
                return each, False
    return next(each for each in mine if "book" not in each and "contract" not in each), False


def _steps(price: dict[str, Any], hours: Fraction) -> list[tuple[Fraction, str]]:
    """Parts of the hours with the price of each."""
    if "tiers" not in price:
        return [(hours, price["amount"])]
    start, parts = Fraction(0), []
    for tier in price["tiers"]:
        end = Fraction(tier["to"]) if "to" in tier else None
        reached = end is None or hours <= end
        if price["scheme"] == "volume":
            if reached:
                return [(hours, tier["amount"])]
        else:
            parts.append(((hours if reached or end is None else end) - start, tier["amount"]))
            if reached:
                return parts
        start = end or start
    return parts


def half_away(exact: Fraction) -> int:
    """The nearest whole number; a half goes away from zero."""
    whole, rest = divmod(abs(exact), 1)
    nearest = int(whole) + (1 if rest >= Fraction(1, 2) else 0)
    return nearest if exact >= 0 else -nearest
