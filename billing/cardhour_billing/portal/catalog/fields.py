"""What a form of the catalog asks for: its fields, and how times and money of a record stand in them.

Owns the shapes. Does not own any form (``forms``, ``terms``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from cardhour_billing.catalog.text import instant
from cardhour_billing.models.bitemporal import Bitemporal
from cardhour_billing.money import Money
from cardhour_billing.month import zone
from cardhour_billing.portal.records.noun import Words
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input. ``kind``: ``text``, ``lines`` (one a line), ``moment`` (a day, or day and time), ``flag``, ``number``,
    ``choice`` of ``choices``, or ``customer``."""

    key: str
    label: Words
    kind: str = "text"
    help: Words = ""
    choices: tuple[str, ...] = ()
    required: bool = False
    fixed: bool = False
    """Names the record: of one that is changed it cannot be edited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The form of one kind of record.

    divided: whether a change may begin on a later day than the record did: the old one is then ended on that day.
    """

    name: str
    slug: str
    fields: tuple[Field, ...]
    values: Callable[[Any, str], dict[str, str]]
    """What a record has, as the form shows it; times on the wall clock of a zone."""
    divided: bool = False


FROM_HELP = _("A day such as 2026-10-01, or a day and time such as 2026-10-01 08:00.")
TO = Field(key="to", label=_("Valid to"), kind="moment", help=_("Exclusive; empty: until further notice."))
FROM = Field(key="from", label=_("Valid from"), kind="moment", required=True, help=FROM_HELP)
VALID = (Field(key="from", label=_("Valid from"), kind="moment", required=True, fixed=True, help=FROM_HELP), TO)


def shown_time(at_ms: int | None, timezone: str) -> str:
    """A time as the form takes it: the day, and the clock where it is not its beginning."""
    return str(instant(at_ms, timezone))[:16].replace("T", " ").removesuffix(" 00:00") if at_ms is not None else ""


def times(row: Bitemporal, timezone: str) -> dict[str, str]:
    return {"from": shown_time(row.valid_from_ms, timezone), "to": shown_time(row.valid_to_ms, timezone)}


def minor(amount: int, currency: str) -> str:
    return str(Money(amount=amount, currency=currency))


def moment_ms(text: str, label: str, timezone: str) -> int:
    """A day, or a day and time, on the wall clock of ``timezone``. Raises Refuse for what is neither."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refuse(f"{label}: '{text}' " + str(_("is not a day such as 2026-10-01, nor a day and time"))) from None
    return to_ms(at if at.tzinfo else at.replace(tzinfo=zone(timezone)))
