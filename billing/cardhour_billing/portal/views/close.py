"""The month close, for staff: a month's drafts and issued invoices beside the month before. It reads only."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from cardhour_billing.month import parse_month
from cardhour_billing.portal import closing
from cardhour_billing.portal.access import staff_only
from cardhour_contract.errors import Refuse


@require_safe
@staff_only
def close_page(request: HttpRequest, month: str = "") -> HttpResponse:
    """The close of ``month``, or of the newest month that has an invoice."""
    try:
        shown = str(parse_month(month)) if month else closing.latest_month()
    except Refuse as error:
        raise Http404(str(error)) from error
    close = closing.month_close(shown) if shown else None
    return render(request, "close.html", {"section": "close", "close": close})
