"""``/leases``, ``/add-ons``, ``/commitments``: what a customer has agreed to pay whether it uses it or not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ninja import Field, Router, Schema

from cardhour_billing.api.caller import ApiRequest, Key
from cardhour_billing.api.paging import LIMIT, Cursor, Limit, Paged, page_of
from cardhour_billing.api.words import CustomerKey, answers
from cardhour_billing.catalog.current import commitment_row
from cardhour_billing.catalog.current_terms import add_on_row, lease_row
from cardhour_billing.config import load_config
from cardhour_billing.leases.addon import AddOnRow
from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.models import AddOn, Commitment, Contract, Customer, Lease
from cardhour_billing.models.bitemporal import NOT_SUPERSEDED
from cardhour_billing.money import Money, card_hours
from cardhour_billing.month import Month
from cardhour_billing.month_usage.commitments import CommitmentStanding, standing_of_commitments
from cardhour_billing.month_usage.content import MonthUsage
from cardhour_billing.month_usage.keeping import month_usage
from cardhour_billing.printed import nano_text
from cardhour_billing.usage.store import opened_ledger
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import format_rfc3339

router = Router(tags=["leases"])
SCOPE = Key("leases:read")


class Term(Schema):
    """From when to when, and whether that is now."""

    state: str = Field(description="`to-come`, `in-force` or `ended`.")
    starts_at: str
    ends_at: str | None = Field(description="Exclusive; null until further notice.")


class LeaseItem(Term):
    """Cards that are paid for by time."""

    lease: str
    model: str
    kind: str = Field(description="`cards`, `nodes` or `pool`.")
    count: int
    cards: list[str]
    nodes: list[str]
    per: str
    price: str = Field(description="Of one card or server for one `per`.")
    currency: str
    billed: str = Field(description="`advance` or `arrears`.")


class Leases(Paged):
    items: list[LeaseItem]


class AddOnItem(Term):
    """Storage, network, software."""

    add_on: str
    name: str
    per: str
    quantity: str
    unit: str
    price: str
    currency: str


class AddOns(Paged):
    items: list[AddOnItem]


class PresentTerm(Schema):
    """How a commitment stands in the term that it is now. `used` + `left` = `committed`, until more is used."""

    first_day: str
    last_day: str
    committed: str
    used: str
    left: str
    unit: str = Field(description="`card-hour`, or the currency.")


class CommitmentItem(Term):
    """What was promised to be used in each term."""

    commitment: str
    contract: str
    term: str
    models: list[str] = Field(description="What counts; empty for everything.")
    quantity_us: int | None = Field(description="Card-microseconds a term; null where money is committed.")
    card_hours: str | None
    amount: str | None = Field(description="Money a term; null where card-hours are committed.")
    currency: str
    present_term: PresentTerm | None = Field(description="Null where it is in none today.")


class Commitments(Paged):
    items: list[CommitmentItem]


@router.get("/leases", auth=SCOPE, response=answers(Leases), operation_id="list_leases", summary="Leases")
def list_leases(
    request: ApiRequest, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """Current leases, those that ended too."""
    rows = Lease.objects.filter(NOT_SUPERSEDED, customer=request.auth.customer(customer)).select_related("customer")
    return page_of("leases", rows, lambda row: _lease(lease_row(row)), limit=limit, cursor=cursor)


@router.get("/add-ons", auth=SCOPE, response=answers(AddOns), operation_id="list_add_ons", summary="Add-ons")
def list_add_ons(
    request: ApiRequest, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """Current add-ons, those that ended too."""
    rows = AddOn.objects.filter(NOT_SUPERSEDED, customer=request.auth.customer(customer)).select_related("customer")
    return page_of("add-ons", rows, lambda row: _add_on(add_on_row(row)), limit=limit, cursor=cursor)


@router.get(
    "/commitments", auth=SCOPE, response=answers(Commitments), operation_id="list_commitments", summary="Commitments"
)
def list_commitments(
    request: ApiRequest, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """What each contract commits to, those that ended too."""
    whose, clock = request.auth.customer(customer), SystemClock()
    open_ledger = partial(opened_ledger, load_config())

    def usage_of(month: Month) -> MonthUsage:
        return month_usage(whose, month, open_ledger, clock)

    standings = standing_of_commitments(whose, usage_of, clock)
    terms = {(each.row.contract, each.row.key): _present(each) for each in standings}
    return page_of(
        "commitments",
        _commitments(whose),
        lambda row: _commitment(row, terms),
        limit=limit,
        cursor=cursor,
    )


def _commitments(customer: Customer) -> Any:
    contracts = Contract.objects.filter(NOT_SUPERSEDED, customer=customer)
    return Commitment.objects.filter(NOT_SUPERSEDED, contract__in=contracts.values("key"))


def _lease(row: LeaseRow) -> LeaseItem:
    return LeaseItem(
        **_term(row.from_ms, row.to_ms), lease=row.key, model=row.model, count=row.count, cards=list(row.cards),
        nodes=list(row.nodes), kind="cards" if row.cards else "nodes" if row.nodes else "pool", per=row.per,
        price=str(row.unit_price), currency=row.currency, billed=row.billing,
    )  # fmt: skip


def _add_on(row: AddOnRow) -> AddOnItem:
    return AddOnItem(
        **_term(row.from_ms, row.to_ms), add_on=row.key, name=row.name, per=row.per, unit=row.unit,
        quantity=nano_text(row.quantity_nano), price=str(row.unit_price), currency=row.currency,
    )  # fmt: skip


def _present(found: CommitmentStanding) -> PresentTerm:
    in_hours, currency = found.row.quantity_us is not None, found.row.currency

    def text(value: int) -> str:
        return card_hours(value) if in_hours else str(Money(amount=value, currency=currency))

    return PresentTerm(
        first_day=found.term.first.isoformat(), last_day=found.term.last.isoformat(), committed=text(found.whole),
        used=text(found.used), left=text(found.left), unit="card-hour" if in_hours else currency,
    )  # fmt: skip


def _commitment(found: Commitment, terms: Mapping[tuple[str, str], PresentTerm]) -> CommitmentItem:
    row = commitment_row(found)
    return CommitmentItem(
        **_term(row.from_ms, row.to_ms), commitment=row.key, contract=row.contract, term=row.term,
        models=list(row.covers), quantity_us=row.quantity_us,
        card_hours=None if row.quantity_us is None else card_hours(row.quantity_us),
        amount=None if row.amount is None else str(Money(amount=row.amount, currency=row.currency)),
        currency=row.currency, present_term=terms.get((row.contract, row.key)),
    )  # fmt: skip


def _term(from_ms: int, to_ms: int | None) -> dict[str, Any]:
    now_ms = SystemClock().now_ms()
    ended = to_ms is not None and now_ms >= to_ms
    return {
        "state": "ended" if ended else "to-come" if now_ms < from_ms else "in-force",
        "starts_at": format_rfc3339(from_ms),
        "ends_at": None if to_ms is None else format_rfc3339(to_ms),
    }
