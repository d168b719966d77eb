"""``/usage``: what was used between two times, by any grouping."""

from __future__ import annotations

from typing import Annotated, Any

from ninja import Field, Query, Router, Schema

from cardhour_billing.api.caller import ApiRequest, Key
from cardhour_billing.api.paging import LIMIT, Cursor, Limit, Paged, page_of_sorted
from cardhour_billing.api.words import CustomerKey, answers
from cardhour_billing.config import load_config
from cardhour_billing.money import card_hours
from cardhour_billing.usage.customer_usage import GROUPS, UsedBy, customer_usage
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.moment import parse_rfc3339

router = Router(tags=["usage"])

TIME = r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?([Zz]|[+-]\d{2}:\d{2})$"


class UsageRow(Schema):
    """Usage of one group."""

    group: dict[str, str]
    """The value of each thing that was grouped by; empty where it has none, such as usage of no project."""
    held_us: int = Field(description="Time on cards, in card-microseconds.")
    billable_us: int = Field(description="That time after sharing: what is billed.")
    active_us: int | None = Field(description="Time in which the cards computed; null where it was not measured.")
    card_hours: str = Field(description="`billable_us` as card-hours, with nine decimals.")


class UsagePage(Paged):
    """Usage, sorted by its groups."""

    items: list[UsageRow]
    timezone: str = Field(description="Where days begin.")


@router.get(
    "/usage", auth=Key("usage:read"), response=answers(UsagePage), operation_id="list_usage", summary="Usage by group"
)
def list_usage(
    request: ApiRequest,
    from_: Annotated[str, Query(alias="from", pattern=TIME, description="Start, RFC 3339, on a quarter hour.")],
    to: Annotated[str, Query(pattern=TIME, description="End, exclusive, likewise.")],
    by: Annotated[
        str, Query(pattern=r"^[a-z]+(,[a-z]+)*$", description=f"What to group by, with commas: {', '.join(GROUPS)}.")
    ] = "day,model",
    customer: CustomerKey = "",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> dict[str, Any]:
    """Usage between two times as the ledger has it now: for what was billed of it, see the invoices."""
    whose = request.auth.customer(customer)
    groups = tuple(dict.fromkeys(by.split(",")))
    with opened_warehouse(load_config()) as warehouse:
        rows = customer_usage(warehouse, whose, parse_rfc3339(from_), parse_rfc3339(to), groups)
    name = f"usage {from_} {to} {','.join(groups)}"
    page = page_of_sorted(name, rows, lambda row: list(row.group.values()), limit=limit, cursor=cursor)
    return {**page, "items": [_shown(row) for row in page["items"]], "timezone": whose.timezone}


def _shown(row: UsedBy) -> UsageRow:
    return UsageRow(
        group=row.group,
        held_us=row.held_us,
        billable_us=row.billable_us,
        active_us=row.active_us,
        card_hours=card_hours(row.billable_us),
    )
