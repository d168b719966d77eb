"""``/reports/usage``: the portal's usage reports as a stream: any range and grouping, in each of its formats."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import StreamingHttpResponse
from ninja import Query, Router

from cardhour_billing.api.caller import ApiRequest, Key
from cardhour_billing.api.problem import Problem
from cardhour_billing.api.words import CustomerKey, answers
from cardhour_billing.config import load_config
from cardhour_billing.usage.store import opened_warehouse
from cardhour_billing.usage_report.formats import TYPES
from cardhour_billing.usage_report.order import DAYS_MAX, order_of
from cardhour_billing.usage_report.running import Running
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse

router = Router(tags=["usage"])

DAY = r"^20\d{2}-\d{2}-\d{2}$"
Grouping = Literal[
    "day-project-model", "month-project-model", "day-model", "project-owner-model", "day-workload", "day-card",
    "hour-card", "quarter-workload",
]  # fmt: skip
"""``usage_report.order.GROUPINGS``; a test holds the two together."""

STREAM: dict[str, Any] = {
    "responses": {
        200: {
            "description": "The report, made while it is sent. One that breaks off is not whole.",
            "content": {
                kind.split(";")[0]: {"schema": {"type": "string", "format": "binary"}}
                for kind in dict.fromkeys(TYPES.values())
            },
        }
    }
}


@router.get(
    "/reports/usage",
    auth=Key("usage:read"),
    response=answers(None, also=(409,)),
    operation_id="get_usage_report",
    summary="A usage report",
    openapi_extra=STREAM,
)
def get_report(
    request: ApiRequest,
    from_: Annotated[str, Query(alias="from", pattern=DAY, description="First day, in the customer's zone.")],
    to: Annotated[str, Query(pattern=DAY, description=f"Last day, inclusive; at most {DAYS_MAX} days in all.")],
    by: Annotated[Grouping, Query(description="What there is one row for each of.")] = "day-project-model",
    format: Literal["csv", "xlsx", "json", "focus"] = "csv",
    customer: CustomerKey = "",
) -> StreamingHttpResponse:
    """Down to day, project, holder and model with amounts; finer rows have card-hours alone. 409 where two run."""
    whose = request.auth.customer(customer)
    order = order_of(whose, {"from": from_, "to": to, "by": by, "format": format})
    try:
        running = Running(order, lambda: opened_warehouse(load_config()), SystemClock(), request.auth.who)
    except Refuse as error:
        raise Problem("in_conflict", " ".join(error.problems)) from error
    return StreamingHttpResponse(
        running,
        content_type=TYPES[order.form],
        headers={"Content-Disposition": f'attachment; filename="{order.file_name}"'},
    )
