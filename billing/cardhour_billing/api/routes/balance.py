"""``/balance``: what a customer has paid ahead or was granted, and every entry that made it so."""

from __future__ import annotations

from typing import Any

from ninja import Field, Router, Schema

from cardhour_billing.api.caller import ApiRequest, Key
from cardhour_billing.api.paging import LIMIT, Cursor, Limit, Paged, page_of_sorted
from cardhour_billing.api.words import CustomerKey, answers
from cardhour_billing.models import CreditGrant
from cardhour_billing.receivables.credit_view import Holding, bookings, holdings, unbilled_of
from cardhour_contract.moment import format_rfc3339

router = Router(tags=["balance"])


class Account(Schema):
    """What there is in one currency: prepaid money, or what is left of one grant."""

    kind: str = Field(description="`prepaid` or `grant`.")
    grant: int | None = Field(description="Which grant; null for prepaid money.")
    reason: str = Field(description="Why it was granted.")
    pays_for: str = Field(description="What the grant pays: `everything`, `usage`, `lease`, `add-on` or `commitment`.")
    valid_from: str | None
    expires_at: str | None
    currency: str
    balance: str
    unbilled: str | None = Field(description="What was used and is not billed yet, when it was looked at last.")
    available: str | None = Field(description="Prepaid money less what is unbilled.")


class Balance(Schema):
    """Everything a customer has."""

    accounts: list[Account]


class Entry(Schema):
    """One movement of an account."""

    id: str
    at: str
    kind: str = Field(description="Such as `top-up`, `apply` (it paid an invoice) or `expire`.")
    grant: int | None
    currency: str
    amount: str = Field(description="Negative where it was taken.")
    balance: str = Field(description="Of the account, after it.")
    reference: str


class Entries(Paged):
    """Movements, oldest first."""

    items: list[Entry]


@router.get(
    "/balance", auth=Key("balance:read"), response=answers(Balance), operation_id="get_balance", summary="Balance"
)
def get_balance(request: ApiRequest, customer: CustomerKey = "") -> Balance:
    """Prepaid money first, then grants in the order in which they are spent."""
    return Balance(accounts=[_account(each) for each in holdings([request.auth.customer(customer)])])


@router.get(
    "/balance/entries",
    auth=Key("balance:read"),
    response=answers(Entries),
    operation_id="list_balance_entries",
    summary="Entries of the balance",
)
def list_entries(
    request: ApiRequest, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """Every movement of prepaid money and of grants."""
    entries = [
        Entry(
            id=f"{each.entry.pk:019d}-{at:04d}",
            at=format_rfc3339(each.entry.at_ms),
            kind=each.entry.kind,
            grant=each.account.grant_id,
            currency=each.amount.currency,
            amount=str(each.amount),
            balance=str(each.balance),
            reference=each.entry.reference,
        )
        for at, each in enumerate(bookings(request.auth.customer(customer)))
    ]
    return page_of_sorted("balance entries", entries, lambda entry: [entry.id], limit=limit, cursor=cursor)


def _account(holding: Holding) -> Account:
    grant = holding.grant
    if grant is None:
        unbilled = unbilled_of(holding)
        return Account(
            kind="prepaid", grant=None, reason="", pays_for="everything", valid_from=None, expires_at=None,
            currency=holding.balance.currency, balance=str(holding.balance), unbilled=str(unbilled),
            available=str(holding.balance - unbilled),
        )  # fmt: skip
    return Account(
        kind="grant", grant=grant.pk, reason=grant.reason, pays_for=_pays_for(grant),
        valid_from=format_rfc3339(grant.valid_from_ms),
        expires_at=None if grant.expires_at_ms is None else format_rfc3339(grant.expires_at_ms),
        currency=holding.balance.currency, balance=str(holding.balance), unbilled=None, available=None,
    )  # fmt: skip


def _pays_for(grant: CreditGrant) -> str:
    return f"{grant.category} of {grant.model}" if grant.model else str(grant.category)
