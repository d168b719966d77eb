"""``[[commitment]]`` of a catalog: what a contract's customer has promised to use. Owns what makes two of them one."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct

from cardhour_billing.catalog.change import Change, RowPlan, validity_text
from cardhour_billing.catalog.checks import an_id, an_owner, check, times, validity
from cardhour_billing.catalog.contract import ContractTable, billed
from cardhour_billing.catalog.current import current_commitments, current_contracts
from cardhour_billing.catalog.noun import Noun, Planning
from cardhour_billing.catalog.recurring import currency_of
from cardhour_billing.catalog.scheme import parse_hours
from cardhour_billing.models import Commitment
from cardhour_billing.money import Money, UnitPrice, exponent, parse_price, read_amount
from cardhour_billing.rating.commitment import CommitmentRow, Term
from cardhour_billing.rating.rate_scheme import hours_text
from cardhour_contract.errors import Refuse


class CommitmentTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[commitment]]``: card-hours of models, or money, in each term of a contract."""

    id: str
    contract: str
    term: Term
    from_: datetime = msgspec.field(name="from")
    to: datetime | None = None
    card_hours: str = ""
    amount: str = ""
    models: list[str] = []
    currency: str = ""
    true_up: str = ""
    overage: str = ""
    includes_tax: bool = False
    less_faults: bool = False


def _problems(table: CommitmentTable) -> list[str]:
    found = check((an_id, table.id), (an_id, table.contract), *((an_owner, each) for each in table.models))
    found += check((exponent, table.currency)) if table.currency else []
    if bool(table.card_hours) == bool(table.amount):
        found.append("card_hours: commit either card_hours or an amount of money")
    elif table.amount and (table.true_up or table.overage):
        found.append("true_up: money that was not used is charged as it is; only card_hours have true_up and overage")
    elif table.card_hours and not table.true_up:
        found.append("true_up: give the price of a card-hour that was committed and not used")
    else:
        found += check((lambda each: _row(each, "", 0, each.currency or "USD", 0, None), table))
    return found + times(table.from_, table.to)


def _row(
    table: CommitmentTable, contract: str, id: int, currency: str, from_ms: int, to_ms: int | None
) -> CommitmentRow:
    return CommitmentRow(
        id=id,
        key=table.id,
        contract=contract,
        term=table.term,
        covers=tuple(sorted(table.models)),
        quantity_us=parse_hours(table.card_hours) if table.card_hours else None,
        amount=read_amount(table.amount, currency).amount if table.amount else None,
        currency=currency,
        true_up_nano=parse_price(table.true_up, currency).nano if table.true_up else None,
        overage_nano=parse_price(table.overage, currency).nano if table.overage else None,
        includes_tax=table.includes_tax,
        less_faults=table.less_faults,
        from_ms=from_ms,
        to_ms=to_ms,
    )


def _changes(planning: Planning) -> list[Change]:
    rows = RowPlan("commitment", current_commitments(), key=lambda row: (row.contract, row.key), text=_text)
    contracts = {row.key: (row.customer, row.to_ms is not None) for row in current_contracts()}
    contracts |= {
        each.table.id: (each.table.customer, each.table.to is not None) for each in planning.file.of(ContractTable)
    }
    for located in planning.file.of(CommitmentTable):
        table = located.table
        if table.contract not in contracts:
            if table.contract not in planning.file.unreadable:
                planning.problems.append(f"{located.where}: contract '{table.contract}' is not in this file nor known")
            continue
        customer, ends = contracts[table.contract]
        if table.term == "contract" and not ends and table.to is None:
            planning.problems.append(f"{located.where}: to: a term that is the whole contract needs an end")
        try:
            from_ms, to_ms = validity(table)
            currency = table.currency or currency_of(planning, customer)
            row = _row(table, table.contract, rows.new_id(), currency, from_ms, to_ms)
        except Refuse:
            continue  # reported with the table
        if known := rows.add(located.where, row):
            planning.rests_on(located, billed(f"commitment '{known.key}'", customer, known, row))
    return rows.changes


def _text(row: CommitmentRow) -> tuple[str, str]:
    of = f" of {', '.join(row.covers)}" if row.covers else ""
    if row.quantity_us is not None:
        what = f"{hours_text(row.quantity_us)} card-hours{of}"
        prices = [("true-up", row.true_up_nano), ("overage", row.overage_nano)]
        at = [f"{name} {UnitPrice(nano=nano, currency=row.currency)}" for name, nano in prices if nano is not None]
        what += f", {', '.join(at)} {row.currency}"
    else:
        what = f"{Money(amount=row.amount or 0, currency=row.currency)} {row.currency}{of}"
    faults = ", less faults" if row.less_faults else ""
    return f"{row.key} under contract {row.contract}", f"{what} a {row.term}{faults}, {validity_text(row)}"


def _write(change: Change, recorded_at_ms: int) -> None:
    row: CommitmentRow = change.row
    Commitment.objects.create(
        contract=row.contract,
        key=row.key,
        term=row.term,
        covers=list(row.covers),
        quantity_us=row.quantity_us,
        amount=row.amount,
        currency=row.currency,
        true_up_nano=row.true_up_nano,
        overage_nano=row.overage_nano,
        includes_tax=row.includes_tax,
        less_faults=row.less_faults,
        valid_from_ms=row.from_ms,
        valid_to_ms=row.to_ms,
        recorded_at_ms=recorded_at_ms,
        supersedes_id=change.supersedes,
    )


COMMITMENT = Noun(
    name="commitment", table=CommitmentTable, problems=_problems, changes=_changes, write=_write, text=_text
)
