"""Which open invoices a line of a bank statement pays: suggestions, with how sure they are and why.

Owns the rules. Plain Python: knows no store. Does not own applying a suggestion (``bank``). An invoice number in the
reference says most; then the payer's name, then the amount. Sure is only a named invoice that is paid to the cent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal

from msgspec import Struct

from cardhour_billing.money import Money, total

Confidence = Literal["certain", "likely", "possible", "none"]
CONFIDENCES: tuple[Confidence, ...] = ("certain", "likely", "possible", "none")


class OpenInvoice(Struct, frozen=True, kw_only=True):
    """An invoice that is not paid."""

    number: str
    customer: str
    open: Money
    due: date


class Payers(Struct, frozen=True, kw_only=True):
    """Names by which customers pay: their own, those of earlier payments. Folded by ``folded``."""

    customers: Mapping[str, frozenset[str]]
    """Customers by name: more than one where two share it."""
    ahead: frozenset[str] = frozenset()
    """Customers who are billed ahead: what pays no invoice tops them up."""


class Suggestion(Struct, frozen=True, kw_only=True):
    """What a line may be. ``parts`` are invoice numbers and amounts; the rest stays with the customer."""

    confidence: Confidence
    why: str
    customer: str = ""
    parts: tuple[tuple[str, Money], ...] = ()
    top_up: bool = False


def folded(name: str) -> str:
    """A name without what banks change of it: width, case, spaces, punctuation."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())


def suggest(amount: Money, payer: str, reference: str, invoices: Sequence[OpenInvoice], payers: Payers) -> Suggestion:
    """What a line with money in most probably pays."""
    there = [each for each in invoices if each.open.currency == amount.currency]
    named = [each for each in there if _names(reference, each.number)]
    known = payers.customers.get(folded(payer), frozenset()) if payer else frozenset[str]()
    if named:
        return _by_number(amount, named, known)
    if len(known) == 1:
        (customer,) = known
        own = [each for each in there if each.customer == customer]
        return _by_name(amount, customer, own, customer in payers.ahead)
    same = [each for each in there if each.open == amount]
    if len(same) == 1:
        one = same[0]
        why = "the only open invoice of this amount; neither its number nor its customer is named"
        return Suggestion(confidence="possible", why=why, customer=one.customer, parts=((one.number, amount),))
    return Suggestion(confidence="none", why="no invoice number, no known payer, no invoice of this amount alone")


def spread(amount: Money, invoices: Sequence[OpenInvoice]) -> tuple[tuple[str, Money], ...]:
    """``amount`` over invoices, what is due first first."""
    parts: list[tuple[str, Money]] = []
    left = amount.amount
    for each in sorted(invoices, key=lambda one: (one.due, one.number)):
        part = min(left, each.open.amount)
        if part > 0:
            parts.append((each.number, Money(amount=part, currency=amount.currency)))
            left -= part
    return tuple(parts)


def _by_number(amount: Money, named: Sequence[OpenInvoice], known: frozenset[str]) -> Suggestion:
    customers = sorted({each.customer for each in named})
    numbers = ", ".join(each.number for each in named)
    if len(customers) > 1:
        return Suggestion(confidence="none", why=f"names invoices of several customers: {numbers}")
    customer, open_ = customers[0], total((each.open for each in named), amount.currency)
    parts = spread(amount, named)
    if known and customer not in known:
        why = f"names {numbers} of {customer}, and another customer pays by this name"
        return Suggestion(confidence="possible", why=why, customer=customer, parts=parts)
    if open_ == amount:
        return Suggestion(confidence="certain", why=f"names {numbers}, to the cent", customer=customer, parts=parts)
    short = amount.amount < open_.amount
    difference = Money(amount=abs(open_.amount - amount.amount), currency=amount.currency)
    why = f"names {numbers}; {difference} {'short' if short else 'more'}"
    return Suggestion(confidence="likely", why=why, customer=customer, parts=parts)


def _by_name(amount: Money, customer: str, own: Sequence[OpenInvoice], ahead: bool) -> Suggestion:
    same = [each for each in own if each.open == amount]
    if len(same) == 1:
        why = f"the payer is {customer}, and one invoice has this amount"
        return Suggestion(confidence="likely", why=why, customer=customer, parts=((same[0].number, amount),))
    open_ = total((each.open for each in own), amount.currency)
    if own and open_ == amount:
        why = f"the payer is {customer}, and all that is open has this sum"
        return Suggestion(confidence="likely", why=why, customer=customer, parts=spread(amount, own))
    if not own and ahead:
        return Suggestion(
            confidence="likely", why=f"{customer} pays ahead, and owes nothing", customer=customer, top_up=True
        )
    why = f"the payer is {customer}; oldest first"
    return Suggestion(confidence="possible", why=why, customer=customer, parts=spread(amount, own))


def _names(reference: str, number: str) -> bool:
    """Whether a reference names an invoice, however it writes the number: ``ec 2026/0001`` is EC-2026-0001."""
    parts = [re.escape(part) for part in re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", number).casefold())]
    pattern = r"(?<![^\W_])" + r"[\W_]*".join(parts) + r"(?!\d)"
    return re.search(pattern, unicodedata.normalize("NFKC", reference).casefold()) is not None
