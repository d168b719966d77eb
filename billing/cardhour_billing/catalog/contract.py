"""``[[contract]]`` of a catalog: what one customer pays by. Owns that a customer has one contract at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec
from msgspec import Struct, structs

from cardhour_billing.catalog.change import Change, RowPlan, validity_text
from cardhour_billing.catalog.checks import an_id, check, times, validity
from cardhour_billing.catalog.current import current_contracts
from cardhour_billing.catalog.noun import Noun, Planning
from cardhour_billing.models import Contract, Customer, Invoice, PriceBook
from cardhour_billing.money import parse_rate
from cardhour_billing.rating.commitment import CommitmentRow
from cardhour_billing.rating.price import LIST_BOOK, ContractRow, contract_overlaps
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import format_rfc3339


class ContractTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[contract]]``: a customer pays by a book, less a discount; new terms are a new contract."""

    id: str
    customer: str
    from_: datetime = msgspec.field(name="from")
    to: datetime | None = None
    book: str = LIST_BOOK
    discount: str = "0"


def _problems(table: ContractTable) -> list[str]:
    return check((an_id, table.id), (an_id, table.book), (parse_rate, table.discount)) + times(table.from_, table.to)


def _changes(planning: Planning) -> list[Change]:
    rows = RowPlan("contract", current_contracts(), key=lambda row: (row.key,), text=_text)
    for located in planning.file.of(ContractTable):
        table = located.table
        planning.known_customer(located, table.customer)
        try:
            from_ms, to_ms = validity(table)
            row = ContractRow(
                id=rows.new_id(), key=table.id, customer=table.customer, book=table.book,
                discount_ppm=parse_rate(table.discount), from_ms=from_ms, to_ms=to_ms,
            )  # fmt: skip
        except Refuse:
            continue  # reported with the table
        if known := rows.add(located.where, row):
            planning.rests_on(located, billed(f"contract '{known.key}'", known.customer, known, row))
    for one, other in contract_overlaps(rows.after):
        sentence = f"customer '{one.customer}' has two contracts at one time, '{one.key}' and '{other.key}'"
        planning.problems.append(rows.overlap(one, other, sentence))
    return rows.changes


def billed(
    subject: str, customer: str, known: ContractRow | CommitmentRow, wanted: ContractRow | CommitmentRow
) -> Iterator[str]:
    """Why agreed terms that issued documents of a customer rest on cannot change so."""
    issued = Invoice.objects.filter(customer__key=customer, state=Invoice.State.ISSUED, period_end_ms__gt=known.from_ms)
    last = issued.order_by("-period_end_ms").first()
    if last is None:
        return
    billed_to_ms = min(last.period_end_ms, known.to_ms or last.period_end_ms)
    if structs.replace(wanted, id=known.id, to_ms=known.to_ms) != known:
        yield (
            f"{subject} was already billed by, last in invoice {last.number}: end it with "
            f"to = {format_rfc3339(billed_to_ms)} or later, and add another from then"
        )
    elif wanted.to_ms is not None and wanted.to_ms < billed_to_ms:
        yield f"{subject} cannot end before {format_rfc3339(billed_to_ms)}: invoice {last.number} rests on it"


def _text(row: ContractRow) -> tuple[str, str]:
    less = f" less {row.discount}%" if row.discount_ppm else ""
    return f"{row.key} of {row.customer}", f"book {row.book}{less}, {validity_text(row)}"


def _write(change: Change, recorded_at_ms: int) -> None:
    row: ContractRow = change.row
    book, _ = PriceBook.objects.get_or_create(key=row.book)
    Contract.objects.create(
        customer=Customer.objects.get(key=row.customer),
        key=row.key,
        book=book,
        discount_ppm=row.discount_ppm,
        valid_from_ms=row.from_ms,
        valid_to_ms=row.to_ms,
        recorded_at_ms=recorded_at_ms,
        supersedes_id=change.supersedes,
    )


CONTRACT = Noun(name="contract", table=ContractTable, problems=_problems, changes=_changes, write=_write, text=_text)
