"""Today: what staff look at first. Cards come at once, the month's money in a part of its own: it takes longer."""

from __future__ import annotations

from functools import partial

from django.core.cache import cache
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe
from structlog import get_logger

from cardhour_billing.config import load_config
from cardhour_billing.figures import grouped
from cardhour_billing.models import Invoice, Issuer
from cardhour_billing.money import Money
from cardhour_billing.month import clock_time
from cardhour_billing.portal.access import staff_only
from cardhour_billing.portal.change import change
from cardhour_billing.portal.closing import blocked_of, shown_month
from cardhour_billing.portal.today.fleet import KEPT_S, STATES, Fleet, Hour, fleet_now
from cardhour_billing.portal.today.money import Earned, MonthMoney, kept_money, month_money
from cardhour_billing.portal.today.pictures import card_bar, money_chart, week_chart
from cardhour_billing.receivables.standing import in_state, today, with_standing
from cardhour_billing.usage.store import opened_ledger
from cardhour_contract.clock import Clock, SystemClock
from cardhour_contract.errors import Retry
from cardhour_contract.moment import CARD_HOUR_US, DAY_MS, HOUR_MS, MINUTE_MS

SHOWN_MAX = 5
"""Silent nodes named one by one; the others are counted."""


@require_safe
@staff_only
def today_page(request: HttpRequest) -> HttpResponse:
    """Cards now, the week's hours, the month's money where it is reckoned, what needs a person.

    ``?all=1`` reckons the money where it is not, for who has no script that asks for it."""
    clock = SystemClock()
    now_ms, issuer = clock.now_ms(), Issuer.objects.first()
    zone = issuer.timezone if issuer else "UTC"
    fleet, away = None, False
    try:
        fleet = fleet_now(load_config(), now_ms)
    except Retry as error:
        get_logger().warning("usage_store_away", page="today", error=str(error))
        away = True
    facts = {
        "section": "today",
        "issuer": issuer,
        "zone": zone,
        "now_ms": now_ms,
        "away": away,
        "fleet": fleet,
        "wants": [*_of_fleet(fleet, now_ms, zone), *_of_books(clock)],
        **(_drawn(fleet, zone) if fleet else {}),
    }
    money = kept_money(issuer, clock) if issuer else None
    if money:
        facts |= _of_money(money)
    elif request.GET.get("all") and issuer:
        facts |= _money(issuer, clock)
    return render(request, "today.html", facts)


@require_safe
@staff_only
def money_part(request: HttpRequest) -> HttpResponse:
    """The month's money, for htmx."""
    issuer = Issuer.objects.first()
    if issuer is None:
        return HttpResponse("")
    return render(request, "parts/today_money.html", {"zone": issuer.timezone, **_money(issuer, SystemClock())})


def _drawn(fleet: Fleet, zone: str) -> dict[str, object]:
    """``_fleet``, drawn once for everyone who looks at what was read once."""
    key = f"today:drawn:{zone}:{fleet.read_at_ms}"
    known: dict[str, object] | None = cache.get(key)
    if known is None:
        known = _fleet(fleet, zone)
        cache.set(key, known, KEPT_S)
    return known


def _fleet(fleet: Fleet, zone: str) -> dict[str, object]:
    """Counts with their shares, the picture of the week, and its table by day."""
    cards = fleet.cards or 1
    sums = [sum(each.terms_us[at] for each in fleet.hours) for at in range(len(STATES))]
    days: dict[str, list[Hour]] = {}
    for each in fleet.hours:
        days.setdefault(clock_time(each.start_ms, zone, "%Y-%m-%d"), []).append(each)
    return {
        "states": [
            {"state": state, "count": count, "share": f"{_tenths(count, cards)}%"}
            for state, count in zip(STATES, fleet.counts, strict=True)
        ],
        "bar": card_bar(fleet.counts),
        "week": week_chart(fleet.hours, zone, width=860, height=230, label_every=1),
        "week_phone": week_chart(fleet.hours, zone, width=330, height=190, label_every=2),
        "week_sums": [{"state": state, "hours": _hours(us)} for state, us in zip(STATES, sums, strict=True)],
        "week_whole": _hours(sum(_whole(us) * CARD_HOUR_US for us in sums)),
        "week_days": _by_day(days),
    }


def _by_day(days: dict[str, list[Hour]]) -> list[dict[str, object]]:
    """Card-hours by day and state, whole, rounded so that each column adds up to its sum."""
    ends = [0] * len(STATES)
    rows: list[dict[str, object]] = []
    for day, hours in days.items():
        before = list(ends)
        ends = [end + sum(each.terms_us[at] for each in hours) for at, end in enumerate(ends)]
        terms = [f"{_whole(end) - _whole(start):,}" for start, end in zip(before, ends, strict=True)]
        rows.append({"day": day, "terms": terms})
    return rows


def _money(issuer: Issuer, clock: Clock) -> dict[str, object]:
    """What the month came to so far, or that nobody can say now."""
    try:
        return _of_money(month_money(issuer, partial(opened_ledger, load_config()), clock))
    except Retry as error:
        get_logger().warning("usage_store_away", page="today", error=str(error))
        return {"money_away": True}


def _of_money(money: MonthMoney) -> dict[str, object]:
    """Figures of the month, and their picture."""
    chief = next((each for each in money.earned if each.currency == money.currency), None)
    return {
        "money": money,
        "rows": [_row(each) for each in money.earned],
        "unassigned": _unassigned(money),
        "since": f"{money.month}-01",
        "chief": _row(chief) if chief else None,
        "lines": money_chart(chief, width=1000, height=230) if chief else None,
        "lines_phone": money_chart(chief, width=330, height=190) if chief else None,
    }


def _row(each: Earned) -> dict[str, object]:
    return {
        "currency": each.currency,
        "now": _text(each.now, each.currency),
        "before": _text(each.before, each.currency),
        "before_whole": _text(each.before_whole, each.currency),
        "change": change(each.now, each.before, each.currency) if each.before else None,
    }


def _unassigned(money: MonthMoney) -> dict[str, str | int]:
    value = money.unassigned
    return {
        "worth": grouped(str(value)) if value is not None else "",
        "currency": value.currency if value is not None else "",
        "hours": grouped(f"{money.unassigned_us // (CARD_HOUR_US // 100) / 100:.2f}"),
        "owners": money.unassigned_owners,
    }


def _of_fleet(fleet: Fleet | None, now_ms: int, zone: str) -> list[dict[str, str]]:
    """What the fleet wants of a person."""
    if fleet is None:
        return []
    wants = [
        {
            "title": _("Node silent"),
            "what": _("%(node)s, last report %(at)s")
            % {"node": each.node, "at": clock_time(each.since_ms, zone, "%Y-%m-%d %H:%M")},
            "worth": _spell(now_ms - each.since_ms),
            "link": reverse("record", args=["nodes", each.node]),
            "verb": _("See the node"),
        }
        for each in fleet.silent[:SHOWN_MAX]
    ]
    rest = len(fleet.silent) - SHOWN_MAX
    if rest > 0:
        wants.append(
            {
                "title": _("Node silent"),
                "what": ngettext("%(count)s more node", "%(count)s more nodes", rest) % {"count": rest},
            }
        )
    if fleet.letters:
        rows = ngettext("%(count)s message of the last week", "%(count)s messages of the last week", fleet.letters)
        link = f"{reverse('records', args=['dead-letters'])}?state=waiting"
        what = rows % {"count": f"{fleet.letters:,}"}
        wants.append({"title": _("Dead letters"), "what": what, "link": link, "verb": _("Review")})
    return wants


def _spell(spell_ms: int) -> str:
    """How long, in the largest unit of which there are two."""
    days, hours = spell_ms // DAY_MS, spell_ms // HOUR_MS
    if days >= 2:
        return ngettext("%(count)s day", "%(count)s days", days) % {"count": days}
    if hours >= 2:
        return _("%(hours)s h") % {"hours": hours}
    return _("%(minutes)s min") % {"minutes": spell_ms // MINUTE_MS}


def _of_books(clock: Clock) -> list[dict[str, str]]:
    """What the books want of a person."""
    wants, month = [], shown_month(clock)
    for each in _sums(blocked_of(month)) if month else ():
        count = int(each["count"])
        held = ngettext("%(count)s draft is held back", "%(count)s drafts are held back", count) % {"count": count}
        wants.append(
            {
                "bad": "1",
                "title": _("Month close"),
                "what": f"{month}: {held}",
                "worth": str(each["worth"]),
                "link": reverse("close-month", args=[month]),
                "verb": _("Open month close"),
            }
        )
    overdue = in_state(with_standing(Invoice.objects.filter(kind=Invoice.Kind.INVOICE)), "overdue", today(clock))
    for each in _sums(overdue):
        count = int(each["count"])
        wants.append(
            {
                "title": _("Overdue"),
                "what": ngettext("%(count)s invoice", "%(count)s invoices", count) % {"count": count},
                "worth": str(each["worth"]),
                "link": f"{reverse('invoices')}?state=overdue",
                "verb": _("Show them"),
            }
        )
    return wants


def _sums(invoices: QuerySet[Invoice]) -> list[dict[str, str | int]]:
    """Counts and totals of invoices, one for each currency."""
    found = invoices.order_by("currency").values("currency").annotate(count=Count("pk"), whole=Sum("total"))
    return [
        {"count": each["count"], "worth": f"{_text(each['whole'], each['currency'])} {each['currency']}"}
        for each in found
    ]


def _text(amount: int, currency: str) -> str:
    return grouped(str(Money(amount=amount, currency=currency)))


def _tenths(part: int, whole: int) -> str:
    tenths = (2000 * part + whole) // (2 * whole)
    return f"{tenths // 10}.{tenths % 10}"


def _whole(us: int) -> int:
    return (2 * us + CARD_HOUR_US) // (2 * CARD_HOUR_US)


def _hours(us: int) -> str:
    return f"{_whole(us):,}"
