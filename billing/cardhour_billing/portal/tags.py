"""Template filters: figures, days and months in the language of the page. Owns no formats (``figures`` does)."""

from __future__ import annotations

from fractions import Fraction

from django import template

from cardhour_billing import figures
from cardhour_billing.month import clock_time
from cardhour_billing.portal import drawing
from cardhour_billing.portal.audit_words import in_zone
from cardhour_billing.portal.fleet.tables import percent_text
from cardhour_billing.portal.line_names import in_one_language
from cardhour_billing.portal.phrases import KINDS, change_in_words, in_words
from cardhour_billing.portal.records.states import in_state_words
from cardhour_billing.portal.sentences import in_chinese, title_of, told
from cardhour_contract.moment import parse_rfc3339

register = template.Library()


register.simple_tag(drawing.linked_chart)
register.filter("rects", drawing.rects)
register.filter("drawn_change", drawing.drawn_change)
register.filter("in_state_words", in_state_words)
register.filter("told", told)
register.filter("in_words", in_words)
register.filter("change_in_words", change_in_words)
register.filter("in_zone", in_zone)
register.filter("in_short", title_of)
register.filter("in_one_language", in_one_language)


@register.filter
def kind_in_words(kind: str) -> str:
    """What a table of the catalog is called: ``binding`` or ``绑定``."""
    return str(KINDS.get(kind, kind))


@register.filter
def money(amount: str) -> str:
    """``-75092.72`` as ``−75,092.72``."""
    return figures.grouped(amount)


@register.filter
def of_currency(name: str, currency: str) -> str:
    """A column's name with its currency: ``Price, CNY`` or ``单价，CNY``."""
    return f"{name}，{currency}" if in_chinese() else f"{name}, {currency}"


@register.filter
def month(text: str) -> str:
    """``2026-10`` as ``October 2026`` or ``2026 年 10 月``."""
    return figures.month_zh(text) if in_chinese() else figures.month_en(text)


@register.filter
def month_name(text: str) -> str:
    """``2026-10`` as ``October`` or ``10 月``, where the year is plain."""
    return f"{int(text[5:7])} 月" if in_chinese() else figures.MONTHS[int(text[5:7]) - 1]


@register.filter
def day(text: str) -> str:
    """``2026-12-03`` as ``3 December 2026`` or ``2026 年 12 月 3 日``."""
    return figures.day_zh(text) if in_chinese() else figures.day_en(text)


@register.filter
def day_number(text: str) -> int:
    """``2026-12-03`` as ``3``."""
    return int(text[8:10])


@register.filter
def until(first_day: str, last_day: str) -> str:
    """Two days as ``1–31 October`` or ``10 月 1–31 日``."""
    return figures.days_zh(first_day, last_day) if in_chinese() else figures.days_en(first_day, last_day)


@register.filter
def clock(at: str, timezone: str) -> str:
    """An RFC 3339 instant as the wall clock of ``timezone``: ``14:15``."""
    return clock_time(parse_rfc3339(at), timezone)


@register.filter
def moment(at_ms: int, timezone: str) -> str:
    """UTC milliseconds as day and wall clock of ``timezone``: ``2026-11-03 14:15``."""
    return clock_time(at_ms, timezone, "%Y-%m-%d %H:%M")


@register.filter
def percent(part: Fraction | None) -> str:
    """A part of one: ``43.5%``."""
    return percent_text(part)


@register.filter
def short_model(name: str) -> str:
    """A model without its maker, where room is short: ``A100-SXM4-80GB``."""
    return name.removeprefix("NVIDIA ").removeprefix("GeForce ")
