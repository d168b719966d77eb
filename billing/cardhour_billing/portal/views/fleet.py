"""Fleet and margin, for staff: a month by model, a price cut's effect, and some cards hour by hour. It reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from structlog import get_logger

from cardhour_billing.config import load_config
from cardhour_billing.figures import grouped
from cardhour_billing.models import Issuer
from cardhour_billing.money import PPM, parse_percent
from cardhour_billing.month import Month, billing_period, local_day, month_of, parse_month
from cardhour_billing.portal.access import staff_only
from cardhour_billing.portal.cards import scaled
from cardhour_billing.portal.fleet import csv_files
from cardhour_billing.portal.fleet.heat import DAYS, STATES, Heat, HeatCard, heat
from cardhour_billing.portal.fleet.kept import Kept, kept_margin, kept_tables
from cardhour_billing.portal.fleet.pictures import PAINTS, heat_chart, share_chart
from cardhour_billing.portal.fleet.tables import HOUR_DECIMALS, Tables, hundredths, month_us
from cardhour_billing.usage.ledger import WarehouseLedger
from cardhour_billing.usage.store import kept_warehouse
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse, Retry

USUAL_CUT = "10"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the address asks for. ``cut_problem`` says why the cut asked for is none."""

    month: Month
    today: date
    cut: Fraction
    cut_text: str
    cut_problem: str
    model: str
    day: date
    page: int


@require_safe
@staff_only
def fleet_page(request: HttpRequest, month: str = "") -> HttpResponse:
    """The fleet in ``month``, or in the last one that has ended; ``csv=margin`` (or another) answers with its CSV."""
    issuer = Issuer.objects.first()
    if issuer is None:
        return render(request, "fleet.html", {"section": "fleet", "empty": True})
    clock = SystemClock()
    now_ms = clock.now_ms()
    try:
        asked = _asked(request.GET, month, local_day(now_ms, issuer.timezone))
    except Refuse as error:
        raise Http404(str(error)) from error
    facts = {"section": "fleet", "asked": asked, "issuer": issuer, **_neighbours(asked)}
    try:
        with kept_warehouse(load_config()) as warehouse:
            kept = kept_margin(asked.month, issuer.timezone, WarehouseLedger(warehouse), clock)
            shown = _tables(kept, issuer, asked) if kept.margin.margins else None
            model = _model(shown, asked.model)
            seen = heat(warehouse, model, asked.day, issuer.timezone, asked.page, now_ms) if model else None
    except Refuse as error:
        raise Http404(str(error)) from error
    except Retry as error:
        get_logger().warning("usage_store_away", page="fleet", error=str(error))
        return render(request, "fleet.html", {**facts, "away": True}, status=503)
    if shown is None:
        return render(request, "fleet.html", {**facts, "nothing": True})
    if file := _csv(request.GET.get("csv", ""), asked, shown, seen):
        return file
    return render(request, "fleet.html", {**facts, **_shown(kept, shown, seen, asked)})


def _asked(query: QueryDict, month: str, today: date) -> Asked:
    wanted = parse_month(month) if month else month_of(today).minus(1)
    if wanted > month_of(today):
        raise Refuse(f"{wanted} has not begun")
    cut, text, problem = _cut(query.get("cut", ""))
    last = min(wanted.next.first_day - timedelta(days=1), today)
    try:
        day = date.fromisoformat(query.get("day", ""))
    except ValueError:
        day = last
    page = query.get("page", "")
    return Asked(
        month=wanted,
        today=today,
        cut=cut,
        cut_text=text,
        cut_problem=problem,
        model=query.get("model", ""),
        day=day if wanted.first_day <= day <= last else last,
        page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
    )


def _cut(text: str) -> tuple[Fraction, str, str]:
    """The cut that is asked for, or the usual one with what is wrong."""
    usual = Fraction(int(USUAL_CUT), 100)
    if not text:
        return usual, USUAL_CUT, ""
    try:
        cut = Fraction(parse_percent(text.strip().rstrip("%"), below=100), PPM)
    except Refuse:
        return usual, text[:20], _("A price cut is a number of percent from 0 to below 100, such as 12.5.")
    return (cut, text.strip().rstrip("%"), "") if cut else (usual, USUAL_CUT, "")


def _neighbours(asked: Asked) -> dict[str, str]:
    newer = asked.month.next
    return {
        "older": str(asked.month.minus(1)),
        "newer": str(newer) if newer <= month_of(asked.today) else "",
    }


def _tables(kept: Kept, issuer: Issuer, asked: Asked) -> Tables:
    period = billing_period(asked.month, issuer.timezone)
    return kept_tables(kept, month_us(period.start_ms, period.end_ms), asked.cut)


def _model(shown: Tables | None, wanted: str) -> str:
    """The model whose cards are drawn: the one asked for, or the one with most cards."""
    if shown is None:
        return ""
    models = {each.name: each.hours.capacity_us for each in shown.margins if each.hours.capacity_us}
    return wanted if wanted in models else max(models, key=lambda name: models[name], default="")


def _csv(which: str, asked: Asked, shown: Tables, seen: Heat | None) -> HttpResponse | None:
    if which == "margin":
        return csv_files.margin_csv(str(asked.month), shown, asked.cut)
    if which == "ledger":
        return csv_files.ledger_csv(str(asked.month), shown)
    if which in ("cards", "hours") and seen:
        return csv_files.cards_csv(seen) if which == "cards" else csv_files.hours_csv(seen)
    return None


def _shown(kept: Kept, shown: Tables, seen: Heat | None, asked: Asked) -> dict[str, object]:
    below = _("below break-even")
    heat_rows, heat_sum = _heat_rows(seen) if seen else ([], {})
    return {
        "kept": kept,
        "tables": shown,
        "heat": seen,
        "heat_rows": heat_rows,
        "heat_sum": heat_sum,
        "models": [each.name for each in shown.margins if each.hours.capacity_us],
        "paints": PAINTS,
        "others": [f"{grouped(str(money))} {code}" for code, money in sorted(kept.margin.other_currencies.items())],
        "pictures": {
            "heat": heat_chart(seen, width=680, left=86) if seen else None,
            "heat_phone": heat_chart(seen, width=326, left=76, right=44, last_hours=24) if seen else None,
            "share": share_chart(shown.margins, width=480, left=112, below_word=below),
            "share_phone": share_chart(shown.margins, width=326, left=108, below_word=below),
        },
        **_other_days(asked),
    }


def _other_days(asked: Asked) -> dict[str, str]:
    """The days that the picture moves on to, inside the month; empty where there are none."""
    last = min(asked.month.next.first_day - timedelta(days=1), asked.today)
    earlier, later = asked.day - timedelta(days=DAYS), min(asked.day + timedelta(days=DAYS), last)
    return {
        "earlier_day": earlier.isoformat() if earlier >= asked.month.first_day else "",
        "later_day": later.isoformat() if later > asked.day else "",
    }


def _heat_rows(seen: Heat) -> tuple[list[dict[str, object]], dict[str, object]]:
    """The cards of the picture as a table, and their sums."""
    units = [_units(each) for each in seen.cards]
    rows: list[dict[str, object]] = [
        {
            "card": card.card,
            "node": card.node,
            "terms": [scaled(each, HOUR_DECIMALS) for each in row],
            "sum": scaled(sum(row), HOUR_DECIMALS),
        }
        for card, row in zip(seen.cards, units, strict=True)
    ]
    sums = [sum(column) for column in zip(*units, strict=True)]
    return rows, {"terms": [scaled(each, HOUR_DECIMALS) for each in sums], "sum": scaled(sum(sums), HOUR_DECIMALS)}


def _units(card: HeatCard) -> list[int]:
    """Its states in hundredths of a card-hour; rounding, a matter of microseconds, is counted with ``idle``."""
    terms_us = [getattr(card.time, f"{state}_us") for state in STATES]
    terms_us[STATES.index("idle")] += card.time.rounding_us
    return hundredths(terms_us)
