"""Short texts that several lists share: days, instants, money, what a row's state is. Owns no figures."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from cardhour_billing.figures import grouped
from cardhour_billing.models.bitemporal import Bitemporal
from cardhour_billing.money import Money, UnitPrice
from cardhour_billing.month import clock_time
from cardhour_billing.portal.records.noun import Look
from cardhour_contract.moment import format_rfc3339

STATES = ("in-force", "future", "ended", "superseded")


def instant(at_ms: int | None, look: Look) -> str:
    """Day and wall clock; the day alone where it begins then."""
    if at_ms is None:
        return ""
    text = clock_time(at_ms, look.timezone, "%Y-%m-%d %H:%M")
    return text.removesuffix(" 00:00")


def rfc3339(at_ms: int | None) -> str:
    return format_rfc3339(at_ms) if at_ms is not None else ""


def amount(minor: int, currency: str) -> str:
    return grouped(str(Money(amount=minor, currency=currency)))


def price(nano: int, currency: str) -> str:
    return grouped(str(UnitPrice(nano=nano, currency=currency)))


UNITS = {
    "card-hour": _("card-hour"),
    "card-month": _("card-month"),
    "server-month": _("server-month"),
    "month": _("month"),
    "once": _("once"),
}


def unit_words(unit: str) -> str:
    """What a price is for, in the language of the page."""
    return str(UNITS.get(unit, unit))


def state(row: Bitemporal, look: Look) -> str:
    """One of ``STATES``."""
    if successor(row) is not None:
        return "superseded"
    if row.valid_from_ms > look.now_ms:
        return "future"
    return "ended" if row.valid_to_ms is not None and row.valid_to_ms <= look.now_ms else "in-force"


def successor(row: Any) -> Any:
    """The row that supersedes it, or None. The list's rows have it already."""
    return getattr(row, "superseded_by", None)
