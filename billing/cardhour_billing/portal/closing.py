"""The month close as a table: every customer's invoice of one month beside the month before, and beside its last draft.

Owns which month is shown, the rows and their sums. Does not own closing (``cardhour_billing.closing.close``), the
checklist (``close_findings``) or issuing (``close_issue``). Sums are added up by the database: a month may have
thousands of rows, of which one page is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, Exists, IntegerField, Max, OuterRef, QuerySet, Sum, Value, When
from django.urls import reverse
from django.utils.translation import ngettext

from cardhour_billing.charges.finding import Finding, read_kept
from cardhour_billing.models import Invoice, InvoiceLine, Issuer
from cardhour_billing.month import local_day, month_of, parse_month
from cardhour_billing.portal.change import Change, change, signed, texts
from cardhour_contract.clock import Clock

PAGE_ROWS = 50
"""Rows a page: what is issued together by hand. All of a month is issued in one go, however many there are."""
STATES = ("blocked", "ready", "issued")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRow:
    """One customer's invoice. Amounts are grouped text; ``change`` is None where the month before had no invoice."""

    url: str
    key: str
    """The customer's id."""
    customer: str
    number: str
    lines: str
    """How many lines it has."""
    state: str
    """``blocked`` (a draft with findings), ``ready`` (a draft without) or ``issued``."""
    findings: tuple[Finding, ...]
    currency: str
    parts: tuple[str, ...]
    """Of the net: usage, leases and add-ons, all else. Empty text for none."""
    net: str
    tax: str
    total: str
    change: Change | None
    since_draft: str
    """What the draft's net has changed by, the last time it did; signed, or empty."""
    draft_day: str
    """When it had come to the other figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSum:
    """The same of one currency, over ``count`` invoices."""

    currency: str
    count: int
    parts: tuple[str, ...]
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
    """What the page shows of ``month`` (``YYYY-MM``); ``newer`` and ``older`` are months beside it, or empty."""

    month: str
    previous: str
    newer: str
    older: str
    computed_at_ms: int
    """When its newest draft was computed; 0 where it has none."""
    page: Page[int]
    rows: tuple[CloseRow, ...]
    sums: tuple[CloseSum, ...]
    progress: Progress


def invoices_of(month: str) -> QuerySet[Invoice]:
    """What bills ``month``, drafts too. What was voided bills nothing."""
    void = Invoice.objects.filter(original=OuterRef("pk"), reason=Invoice.Reason.VOID, state=Invoice.State.ISSUED)
    return Invoice.objects.filter(~Exists(void), period=month, original__isnull=True)


def ready_of(month: str) -> QuerySet[Invoice]:
    """Drafts that nothing holds back."""
    return invoices_of(month).filter(state=Invoice.State.DRAFT, held=0).select_related("customer")


def blocked_of(month: str) -> QuerySet[Invoice]:
    """Drafts that a finding holds back."""
    return invoices_of(month).filter(state=Invoice.State.DRAFT, held__gt=0).select_related("customer")


def shown_month(clock: Clock) -> str:
    """The newest month that has an invoice; where none has, the last that ended for the issuer. Empty without one."""
    newest = Invoice.objects.order_by("-period").values_list("period", flat=True).first()
    if newest:
        return newest
    issuer = Issuer.objects.first()
    return str(month_of(local_day(clock.now_ms(), issuer.timezone)).minus(1)) if issuer else ""


def month_close(month: str, number: str, clock: Clock) -> MonthClose:
    """The close of ``month``, page ``number`` of its invoices, and what it is compared with."""
    previous = str(parse_month(month).minus(1))
    invoices = invoices_of(month)
    counted = list(
        # Grouped as the index is ordered, which adds up while it reads.
        invoices.order_by()
        .values("period", "state", "held", "currency")
        .annotate(count=Count("*"), at_ms=Max("computed_at_ms"), **_SUMS)
    )
    # Only what it is ordered by is read of all rows; what is shown, of a page of them.
    ordered = invoices.order_by("currency", _RANK, "customer__name", "pk").values_list("pk", flat=True)
    pages = Paginator(ordered, PAGE_ROWS)
    pages.count = sum(each["count"] for each in counted)
    page = pages.get_page(number)
    months = Invoice.objects.order_by("period").values_list("period", flat=True)
    drafts = [each["at_ms"] for each in counted if each["state"] == Invoice.State.DRAFT]
    return MonthClose(
        month=month,
        previous=previous,
        newer=months.filter(period__gt=month).first() or _next(month, clock),
        older=months.filter(period__lt=month).last() or "",
        computed_at_ms=max(drafts, default=0),
        page=page,
        rows=tuple(rows_of(_in_order(page.object_list), previous)),
        sums=tuple(_sums(counted, previous)),
        progress=_progress(counted),
    )


def _in_order(ids: Iterable[int]) -> list[Invoice]:
    """These invoices, with what a row shows."""
    shown = list(ids)
    found = Invoice.objects.select_related("customer").only(*_SHOWN).in_bulk(shown)
    return [found[each] for each in shown]


def rows_of(invoices: Iterable[Invoice], previous: str) -> Iterable[CloseRow]:
    """Rows of annotated ``invoices``, beside the month ``previous``."""
    shown = list(invoices)
    lines = dict(InvoiceLine.objects.filter(invoice__in=shown).order_by().values_list("invoice").annotate(Count("pk")))
    before: dict[tuple[int, str], int] = {}
    earlier = invoices_of(previous).filter(customer__in={each.customer_id for each in shown})
    for customer, currency, net in earlier.order_by().values_list("customer", "currency", "net"):
        before[customer, currency] = before.get((customer, currency), 0) + net
    return (_row(each, lines.get(each.pk, 0), before.get((each.customer_id, each.currency))) for each in shown)


def sums_of(invoices: QuerySet[Invoice], previous: str) -> tuple[CloseSum, ...]:
    """What ``invoices`` come to, one sum for each currency."""
    counted = list(invoices.order_by().values("currency").annotate(count=Count("pk"), **_SUMS))
    return tuple(_sums(counted, previous))


_SHOWN = (
    "number", "state", "findings", "currency", "net", "tax", "total", "usage_net", "recurring_net", "net_before",
    "before_at_ms", "customer__key", "customer__name", "customer__timezone",
)  # fmt: skip
_RANK = Case(
    When(state=Invoice.State.ISSUED, then=Value(2)),
    When(held=0, then=Value(1)),
    default=Value(0),
    output_field=IntegerField(),
)
"""Index of an invoice's state in ``STATES``."""
_SUMS = {f"sum_{name}": Sum(name) for name in ("net", "tax", "total", "usage_net", "recurring_net")}


def state_of(invoice: Invoice) -> str:
    """``issued``, or whether a draft could be."""
    if invoice.state == Invoice.State.ISSUED:
        return "issued"
    return "blocked" if invoice.findings else "ready"


def _row(invoice: Invoice, line_count: int, before: int | None) -> CloseRow:
    text = texts(invoice.currency, invoice.net, invoice.tax, invoice.total)
    draft, known = invoice.state == Invoice.State.DRAFT, invoice.net_before
    return CloseRow(
        url=reverse("invoice", args=[invoice.pk]),
        key=invoice.customer.key,
        customer=invoice.customer.name,
        number=invoice.number or "",
        lines=ngettext("%(count)s line", "%(count)s lines", line_count) % {"count": line_count},
        state=state_of(invoice),
        findings=read_kept(invoice.findings),
        currency=invoice.currency,
        parts=_parts(invoice.currency, invoice.net, invoice.usage_net or 0, invoice.recurring_net or 0),
        net=text[0],
        tax=text[1] if invoice.tax else "",
        total=text[2],
        change=change(invoice.net, before, invoice.currency),
        since_draft=signed(invoice.net - known, invoice.currency) if draft and known is not None else "",
        draft_day=local_day(invoice.before_at_ms or 0, invoice.customer.timezone).isoformat(),
    )


def _sums(counted: Iterable[Mapping[str, Any]], previous: str) -> Iterable[CloseSum]:
    earlier: dict[str, int] = {}
    parts = invoices_of(previous).order_by().values_list("period", "state", "held", "currency").annotate(net=Sum("net"))
    for *_, currency, net in parts:
        earlier[currency] = earlier.get(currency, 0) + net
    by_currency: dict[str, list[Mapping[str, Any]]] = {}
    for each in counted:
        by_currency.setdefault(str(each["currency"]), []).append(each)
    for currency, own in sorted(by_currency.items()):
        net, tax, total, usage, recurring = (sum(each[name] or 0 for each in own) for name in _SUMS)
        text = texts(currency, net, tax, total)
        yield CloseSum(
            currency=currency,
            count=sum(each["count"] for each in own),
            parts=_parts(currency, net, usage, recurring),
            net=text[0],
            tax=text[1] if tax else "",
            total=text[2],
            change=change(net, earlier.get(currency), currency),
        )


def _progress(counted: Iterable[Mapping[str, Any]]) -> Progress:
    counts, held = dict.fromkeys(STATES, 0), dict[str, int]()
    for each in counted:
        state = "issued" if each["state"] == Invoice.State.ISSUED else "blocked" if each["held"] else "ready"
        counts[state] += each["count"]
        if state == "blocked":
            code = str(each["currency"])
            held[code] = held.get(code, 0) + each["sum_total"]
    return Progress(
        **counts,
        held_back=tuple(f"{texts(code, amount)[0]} {code}" for code, amount in sorted(held.items())),
    )


def _parts(currency: str, net: int, usage: int, recurring: int) -> tuple[str, ...]:
    """What a net is made of; together they are the net."""
    amounts = (usage, recurring, net - usage - recurring)
    return tuple(each if amount else "" for amount, each in zip(amounts, texts(currency, *amounts), strict=True))


def _next(month: str, clock: Clock) -> str:
    """The month after, where it has begun for the issuer."""
    issuer = Issuer.objects.first()
    if issuer is None:
        return ""
    following = parse_month(month).next
    return str(following) if following <= month_of(local_day(clock.now_ms(), issuer.timezone)) else ""
