"""The month close as a table: every customer's invoice of one month beside the month before.

Owns which month is shown, the rows and their sums. Does not own closing (``cardhour_billing.close``); this page reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from django.db.models import Count

from cardhour_billing.figures import MINUS, grouped
from cardhour_billing.models import Invoice
from cardhour_billing.money import Money, round_half_away

NOTABLE_CHANGE = Fraction(1, 5)
"""A change of 20 % and more is marked: such a bill is asked about."""
BAR_CHANGE = Fraction(1, 4)
"""The change that fills half the bar; a larger one looks the same and has its figure beside it."""
BAR_WIDTH = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Net against the month before. Texts are signed; the bar's geometry is in units of its 62-wide view box."""

    amount: str
    percent: str
    notable: bool
    bar_x: str
    bar_width: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRow:
    """One customer's invoice. Amounts are grouped text; ``change`` is None where the month before had no invoice."""

    id: int
    customer: str
    number: str
    line_count: int
    state: str
    """``blocked`` (a draft with findings), ``ready`` (a draft without) or ``issued``."""
    findings: tuple[str, ...]
    currency: str
    net: str
    tax: str
    total: str
    change: Change | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSum:
    """The same of one currency, over ``count`` invoices."""

    currency: str
    count: int
    net: str
    tax: str
    total: str
    change: Change | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the month is: counts, and the widths that draw them in a bar 1000 wide."""

    issued: int
    ready: int
    blocked: int
    held_back: tuple[str, ...]
    """Totals that findings hold back, one for each currency, with its code."""

    @property
    def count(self) -> int:
        return self.issued + self.ready + self.blocked

    @property
    def issued_width(self) -> int:
        return 1000 * self.issued // self.count if self.count else 0

    @property
    def blocked_width(self) -> int:
        return 1000 * self.blocked // self.count if self.count else 0

    @property
    def blocked_x(self) -> int:
        return 1000 - self.blocked_width


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthClose:
    """What the page shows of ``month`` (``YYYY-MM``); ``newer`` and ``older`` are months with invoices, or empty."""

    month: str
    previous: str
    newer: str
    older: str
    rows: tuple[CloseRow, ...]
    sums: tuple[CloseSum, ...]
    progress: Progress


def latest_month() -> str:
    """The newest month that has an invoice; empty where none has."""
    return Invoice.objects.order_by("-period").values_list("period", flat=True).first() or ""


def month_close(month: str) -> MonthClose:
    """The close of ``month``, and what it is compared with."""
    previous = _previous(month)
    invoices = list(
        Invoice.objects.filter(period=month)
        .select_related("customer")
        .annotate(line_count=Count("lines"))
        .order_by("currency", "customer__name", "revision")
    )
    before = {
        (each.customer_id, each.currency): each.net for each in Invoice.objects.filter(period=previous, revision=0)
    }
    months = Invoice.objects.order_by("period").values_list("period", flat=True)
    return MonthClose(
        month=month,
        previous=previous,
        newer=months.filter(period__gt=month).first() or "",
        older=months.filter(period__lt=month).last() or "",
        rows=tuple(_row(each, before.get((each.customer_id, each.currency))) for each in invoices),
        sums=tuple(_sums(invoices, before)),
        progress=_progress(invoices),
    )


def change(now: int, before: int | None, currency: str) -> Change | None:
    """The change from ``before`` to ``now``, in minor units."""
    if before is None:
        return None
    difference = now - before
    share = Fraction(difference, abs(before)) if before else None
    half = Fraction(BAR_WIDTH, 2)
    length = half * min(abs(share) / BAR_CHANGE, Fraction(1)) if share is not None else Fraction(0)
    return Change(
        amount=_signed(str(Money(amount=difference, currency=currency))),
        percent=_percent(share) if share is not None else "",
        notable=share is not None and abs(share) >= NOTABLE_CHANGE,
        bar_x=f"{float(half if difference >= 0 else half - length):.2f}",
        bar_width=f"{float(length):.2f}",
    )


def state_of(invoice: Invoice) -> str:
    """``issued``, or whether a draft could be."""
    if invoice.state == Invoice.State.ISSUED:
        return "issued"
    return "blocked" if invoice.findings else "ready"


def _row(invoice: Invoice, before: int | None) -> CloseRow:
    text = _texts(invoice.currency, invoice.net, invoice.tax, invoice.total)
    return CloseRow(
        id=invoice.pk,
        customer=invoice.customer.name,
        number=invoice.number or "",
        line_count=getattr(invoice, "line_count", 0),
        state=state_of(invoice),
        findings=tuple(invoice.findings),
        currency=invoice.currency,
        net=text[0],
        tax=text[1] if invoice.tax else "",
        total=text[2],
        change=change(invoice.net, before, invoice.currency),
    )


def _sums(invoices: Sequence[Invoice], before: dict[tuple[int, str], int]) -> Iterable[CloseSum]:
    for currency in sorted({each.currency for each in invoices}):
        own = [each for each in invoices if each.currency == currency]
        net, tax, total = (sum(getattr(each, name) for each in own) for name in ("net", "tax", "total"))
        earlier = [amount for (_, code), amount in before.items() if code == currency]
        texts = _texts(currency, net, tax, total)
        yield CloseSum(
            currency=currency,
            count=len(own),
            net=texts[0],
            tax=texts[1] if tax else "",
            total=texts[2],
            change=change(net, sum(earlier) if earlier else None, currency),
        )


def _progress(invoices: Sequence[Invoice]) -> Progress:
    states = [state_of(each) for each in invoices]
    held: dict[str, int] = {}
    for each, state in zip(invoices, states, strict=True):
        if state == "blocked":
            held[each.currency] = held.get(each.currency, 0) + each.total
    return Progress(
        issued=states.count("issued"),
        ready=states.count("ready"),
        blocked=states.count("blocked"),
        held_back=tuple(f"{_texts(code, amount)[0]} {code}" for code, amount in sorted(held.items())),
    )


def _texts(currency: str, *amounts: int) -> list[str]:
    return [grouped(str(Money(amount=amount, currency=currency))) for amount in amounts]


def _signed(amount: str) -> str:
    return grouped(amount) if amount.startswith("-") else f"+{grouped(amount)}"


def _percent(share: Fraction) -> str:
    tenths = round_half_away(abs(share) * 1000)
    return f"{MINUS if share < 0 else '+'}{tenths // 10:,}.{tenths % 10}%"


def _previous(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1}-12" if number == 1 else f"{year:04d}-{number - 1:02d}"
