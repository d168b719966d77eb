"""What report is asked for: whose, which days, one row for each of what, in which format.

Owns what can be asked and what is refused of it. Does not own the rows (``rows``) nor their form (``formats``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Literal, get_args

from msgspec import Struct

from cardhour_billing.models import Customer
from cardhour_billing.month import Month, day_start_ms, month_of
from cardhour_contract.errors import Refuse

Format = Literal["csv", "xlsx", "json", "focus"]
FORMATS: tuple[Format, ...] = get_args(Format)

DAYS_MAX = 400
"""A year and a bit: more than anyone reconciles at once, and a bound on how long a report holds a worker."""

FIRST_YEAR, LAST_YEAR = 2000, 2099
"""Beyond, the arithmetic of time zones has no answers, and nobody has usage."""

PRICED = ("month", "day", "project", "owner", "model")
"""What amounts are shared out to. Below it a report has card-hours alone: a quarter of an hour has no own price."""

GROUPINGS: dict[str, tuple[str, ...]] = {
    "day-project-model": ("day", "project", "model"),
    "month-project-model": ("month", "project", "model"),
    "day-model": ("day", "model"),
    "project-owner-model": ("project", "owner", "model"),
    "day-workload": ("day", "project", "owner", "workload", "model"),
    "day-card": ("day", "project", "node", "card", "model"),
    "hour-card": ("hour", "project", "node", "card", "model"),
    "quarter-workload": ("quarter", "project", "owner", "workload", "node", "card", "model"),
}
"""The groupings that the page offers, by the word in its address."""


class Order(Struct, frozen=True, kw_only=True):
    """One report."""

    customer: Customer
    first: date
    last: date
    """Local days, both inclusive."""
    grouping: str
    form: Format

    @property
    def by(self) -> tuple[str, ...]:
        """The columns that there is one row for each of."""
        return GROUPINGS[self.grouping]

    @property
    def priced(self) -> bool:
        """Whether its rows have amounts."""
        return set(self.by) <= set(PRICED)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def months(self) -> list[Month]:
        """Every month that it has a day of."""
        months = [month_of(self.first)]
        while months[-1] < month_of(self.last):
            months.append(months[-1].next)
        return months

    @property
    def file_name(self) -> str:
        """Such as ``usage-qinghe-2026-10-01-2026-10-31-day-project-model.csv``."""
        ending = "csv" if self.form == "focus" else self.form
        word = "focus" if self.form == "focus" else self.grouping
        return f"usage-{self.customer.key}-{self.first}-{self.last}-{word}.{ending}"

    def spans_ms(self) -> Iterator[tuple[int, int]]:
        """The local days as UTC instants, one after the other; the whole range at once where no row is of a time."""
        zone = self.customer.timezone
        if not {"day", "hour", "quarter"} & set(self.by):
            yield day_start_ms(self.first, zone), day_start_ms(self.last + timedelta(days=1), zone)
            return
        for at in range(self.days):
            day = self.first + timedelta(days=at)
            yield day_start_ms(day, zone), day_start_ms(day + timedelta(days=1), zone)


def order_of(customer: Customer, query: Mapping[str, str]) -> Order:
    """The order in an address. Raises Refuse with what is wrong."""
    first, last = _day("from", query.get("from", "")), _day("to", query.get("to", ""))
    if last < first:
        raise Refuse(f"a report from {first} to {last} has no day in it")
    if (last - first).days >= DAYS_MAX:
        raise Refuse(f"a report covers at most {DAYS_MAX} days, and {first} to {last} is longer")
    grouping, form = query.get("by", "day-project-model"), query.get("format", "csv")
    if grouping not in GROUPINGS:
        raise Refuse(f"'{grouping}' is no grouping: use one of {', '.join(GROUPINGS)}")
    known = next((each for each in FORMATS if each == form), None)
    if known is None:
        raise Refuse(f"'{form}' is no format: use one of {', '.join(FORMATS)}")
    return Order(customer=customer, first=first, last=last, grouping=grouping, form=known)


def _day(name: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Refuse(f"{name}: '{text}' is not a day such as 2026-10-01") from error
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Refuse(f"{name}: {text} is not in the years from {FIRST_YEAR} to {LAST_YEAR}")
    return day
