"""The list of invoices: what the query string asks for, the rows, and the sums under them.

Owns filtering, paging and adding up a list. Does not own who may see an invoice (``access``). Sums are one for each
currency and state; currencies are never added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet, Sum
from django.urls import reverse

from cardhour_billing.figures import grouped
from cardhour_billing.models import Customer, Invoice
from cardhour_billing.money import Money
from cardhour_billing.receivables.standing import STATES, in_state, standing, with_standing

PAGE_ROWS = 50
"""Rows a page: what a person reads before searching instead."""
MONTHS_MAX = 120
"""Months offered to choose from: ten years."""
ORDER = ("-period", "customer__name", "-id")
"""Newest month first; in it by customer."""
CHUNK_ROWS = 1_000
NAMED_MAX = 500
"""Invoices that a search has found and that are named in the next question."""
CUSTOMERS_MAX = 100
"""Customers offered to choose from; beyond that the search field finds them."""
TEXT_CHARS_MAX = 100

SHOWN = ("number", "period", "kind", "state", "issue_date", "due_date", "currency", "total", "customer__name")
"""What a row shows, and what it says how an invoice stands: reading all of fifty takes longer than finding them."""

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFilter:
    """What a list is narrowed to; empty text narrows nothing. A word that is no month or state is as good as none.

    text: part of a number, of a customer's name or of its id.
    month: ``YYYY-MM``.
    state: one of ``standing.STATES``.
    customer: a customer's id.
    """

    text: str = ""
    month: str = ""
    state: str = ""
    customer: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> InvoiceFilter:
        month, state = query.get("month", ""), query.get("state", "")
        return cls(
            text=query.get("q", "").strip().replace("\x00", "")[:TEXT_CHARS_MAX],
            month=month if _MONTH.fullmatch(month) else "",
            state=state if state in STATES else "",
            customer=query.get("customer", "").replace("\x00", ""),
        )

    def __bool__(self) -> bool:
        return bool(self.text or self.month or self.state or self.customer)

    def apply(self, invoices: QuerySet[Invoice], day: date) -> QuerySet[Invoice]:
        """Those that are wanted, as they stand on ``day``; ``invoices`` has the annotations of ``with_standing``."""
        if self.text:
            invoices = invoices.filter(
                Q(number__icontains=self.text)
                | Q(customer__name__icontains=self.text)
                | Q(customer__key__icontains=self.text)
            )
        if self.month:
            invoices = invoices.filter(period=self.month)
        if self.state:
            invoices = in_state(invoices, self.state, day)
        if self.customer:
            invoices = invoices.filter(customer__key=self.customer)
        return invoices


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRow:
    """One invoice in a list. Amounts are grouped text, dates are ISO or empty; ``left`` is empty where all is paid."""

    url: str
    """Its page; its files lie under it."""
    number: str
    customer: str
    period: str
    kind: str
    state: str
    left: str
    issue_date: str
    due_date: str
    currency: str
    total: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencySum:
    """What the invoices of one currency come to. Grouped text; ``draft_total`` is empty where there is no draft."""

    currency: str
    issued_count: int
    issued_total: str
    draft_count: int
    draft_total: str


def page_of(invoices: QuerySet[Invoice], count: int, number: str | None) -> tuple[Page[int], list[Invoice]]:
    """A page of ``count`` invoices: newest month first; in it by customer.

    Of all of them only what they are ordered by is read; how one stands, and what is shown, only of this page. The
    frozen documents, which no list shows, are not read.
    """
    pages = Paginator(invoices.order_by(*ORDER).values_list("pk", flat=True), PAGE_ROWS)
    pages.count = count
    page = pages.get_page(number)
    shown = list(page.object_list)
    found = with_standing(Invoice.objects.select_related("customer").only(*SHOWN)).in_bulk(shown)
    return page, [found[each] for each in shown]


def row(invoice: Invoice, day: date) -> InvoiceRow:
    stands = standing(invoice, day)
    return InvoiceRow(
        url=reverse("invoice", args=[invoice.pk]),
        number=invoice.number or "",
        customer=invoice.customer.name,
        period=invoice.period,
        kind=invoice.kind,
        state=stands.state,
        left=grouped(str(stands.left)) if stands.left.amount and stands.settled.amount else "",
        issue_date=_iso(invoice.issue_date),
        due_date=_iso(invoice.due_date),
        currency=invoice.currency,
        total=grouped(str(Money(amount=invoice.total, currency=invoice.currency))),
    )


def at_hand(found: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """What was found by searching text, which no index helps: few are named, so that they are searched for once."""
    named = list(found.order_by().values_list("pk", flat=True)[: NAMED_MAX + 1])
    return found if len(named) > NAMED_MAX else with_standing(Invoice.objects.filter(pk__in=named))


FILE_COLUMNS = (
    "invoice", "kind", "customer", "name", "month", "state", "issue_date", "due_date", "currency", "net", "tax",
    "total", "open",
)  # fmt: skip


def file_rows(invoices: QuerySet[Invoice], day: date) -> Iterator[list[str]]:
    """Every invoice of the list as a file has it, in its order; ``invoices`` has the annotations of standings."""
    found = invoices.select_related("customer").defer("frozen", "inputs").order_by(*ORDER)
    for each in found.iterator(chunk_size=CHUNK_ROWS):
        stands = standing(each, day)
        amounts = (Money(amount=amount, currency=each.currency) for amount in (each.net, each.tax, each.total))
        yield [
            each.number or "", each.kind, each.customer.key, each.customer.name, each.period, stands.state,
            _iso(each.issue_date), _iso(each.due_date), each.currency, *map(str, amounts),
            str(stands.left) if each.number else "",
        ]  # fmt: skip


def sums(invoices: QuerySet[Invoice]) -> list[CurrencySum]:
    """One sum for each currency, by its code."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    # Grouped as the index is ordered, which adds up while it reads; a month has few such groups.
    parts = (
        invoices.order_by().values("period", "state", "held", "currency").annotate(count=Count("*"), sum=Sum("total"))
    )
    for each in parts:
        key = each["currency"], each["state"]
        count, amount = found.get(key, (0, 0))
        found[key] = count + each["count"], amount + each["sum"]
    return [_sum(currency, found) for currency in sorted({currency for currency, _ in found})]


def months(invoices: QuerySet[Invoice]) -> list[str]:
    """Months that have an invoice, newest first."""
    return list(invoices.order_by("-period").values_list("period", flat=True).distinct()[:MONTHS_MAX])


def customers(chosen: str) -> list[tuple[str, str]]:
    """Ids and names of customers to choose from, and always the one that is chosen."""
    names = Customer.objects.values_list("key", "name")
    offered = list(names.order_by("name")[:CUSTOMERS_MAX])
    if chosen and chosen not in dict(offered):
        offered += names.filter(key=chosen)
    return offered


def _sum(currency: str, found: Mapping[tuple[str, str], tuple[int, int]]) -> CurrencySum:
    issued_count, issued = found.get((currency, Invoice.State.ISSUED), (0, 0))
    draft_count, draft = found.get((currency, Invoice.State.DRAFT), (0, 0))
    return CurrencySum(
        currency=currency,
        issued_count=issued_count,
        issued_total=grouped(str(Money(amount=issued, currency=currency))),
        draft_count=draft_count,
        draft_total=grouped(str(Money(amount=draft, currency=currency))) if draft_count else "",
    )


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""
