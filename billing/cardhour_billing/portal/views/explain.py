"""A line of an issued invoice, explained down to its raw records.

For staff: the records of a card that was shared name its other holders.
"""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from structlog import get_logger

from cardhour_billing.answers.explanation import Explainer
from cardhour_billing.config import load_config
from cardhour_billing.frozen.document import DocumentLine, decode
from cardhour_billing.frozen.inputs import read_inputs
from cardhour_billing.models import Invoice
from cardhour_billing.month import clock_time
from cardhour_billing.portal.access import staff_only, visible_invoices
from cardhour_billing.portal.cards import scaled
from cardhour_billing.portal.explain_chart import day_chart, quarter_chart
from cardhour_billing.portal.explain_csv import LEVELS, level_csv
from cardhour_billing.portal.explaining import Chosen, LineExplained, exact_product, explain_line
from cardhour_billing.usage.frozen_kept import FrozenKeptLedger
from cardhour_billing.usage.store import kept_warehouse
from cardhour_contract.errors import Refuse, Retry
from cardhour_contract.moment import MS_US, QUARTER_MS, parse_rfc3339


@require_safe
@staff_only
def line_page(request: HttpRequest, invoice_id: int, position: int) -> HttpResponse:
    """Days, cards, quarter hours and records under one line; ``level=cards`` (or another) answers with its CSV."""
    invoice = get_object_or_404(visible_invoices(request.user), pk=invoice_id, state=Invoice.State.ISSUED)
    document = decode(bytes(invoice.frozen))
    line = next((each for each in document.lines if each.position == position and each.kind == "usage"), None)
    if line is None:
        raise Http404(f"{invoice.number} has no line {position} of usage")
    facts = {
        "section": "invoices",
        "invoice": invoice,
        "document": document,
        "line": line,
        "inputs": read_inputs(bytes(invoice.inputs)),
        "product": exact_product(line.printed_quantity, line.unit_price),
    }
    try:
        explained = _explained(invoice, line, Chosen.from_query(request.GET.dict()), document.period.timezone)
    except Refuse as error:
        raise Http404(str(error)) from error
    except Retry as error:
        get_logger().warning("usage_store_away", page="explain", invoice=invoice.number, error=str(error))
        return render(request, "explain.html", {**facts, "away": True}, status=503)
    level = request.GET.get("level", "")
    if level in LEVELS:
        name = f"{invoice.number}-line-{position}-{level}.csv"
        return HttpResponse(
            level_csv(explained, level),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
    first_day, last_day = document.period.first_day, document.period.last_day
    pictures = {
        "days": day_chart(explained.days, first_day, last_day, width=720),
        "days_phone": day_chart(explained.days, first_day, last_day, width=330, label_every=5),
        "quarters": quarter_chart(explained.time, explained.quarters.rows, width=1000),
        "quarters_phone": quarter_chart(explained.time, explained.quarters.rows, width=330, hours_between=6),
    }
    shown = {"explained": explained, "pictures": pictures, **_records(explained, document.period.timezone)}
    return render(request, "explain.html", {**facts, **shown})


def _explained(invoice: Invoice, line: DocumentLine, chosen: Chosen, timezone: str) -> LineExplained:
    with kept_warehouse(load_config()) as warehouse:
        ledger = FrozenKeptLedger(warehouse)
        return explain_line(Explainer(invoice, line.position, ledger), ledger, chosen, timezone)


def _records(explained: LineExplained, timezone: str) -> dict[str, object]:
    """The records of the chosen quarter hour, in the customer's wall clock, and the hour's own ends."""
    start_ms = parse_rfc3339(str(explained.quarters.chosen.name["quarter"]))
    rows = [
        {
            **row.name,
            "start": _to_ms(row.name["started_at"], timezone),
            "end": _to_ms(row.name["ended_at"], timezone),
            "seconds": scaled(row.quantity_us // MS_US, 3),
            "counts": row.quantity_us,
            "amount": row.amount,
        }
        for row in explained.records.rows
    ]
    return {
        "records": rows,
        "records_seconds": scaled(explained.records.quantity_us // MS_US, 3),
        "chosen_from": clock_time(start_ms, timezone),
        "chosen_to": clock_time(start_ms + QUARTER_MS, timezone),
    }


def _to_ms(at: str, timezone: str) -> str:
    at_ms = parse_rfc3339(at)
    return f"{clock_time(at_ms, timezone, '%H:%M:%S')}.{at_ms % 1000:03d}"
