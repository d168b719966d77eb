"""``[[price]]`` of a catalog: what a card-hour costs. Owns what makes two prices one, and which were billed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import combinations
from typing import Literal

import msgspec
from msgspec import Struct

from cardhour_billing.binding import times_meet
from cardhour_billing.catalog_change import Change, RowPlan, validity_text
from cardhour_billing.catalog_checks import a_name, check, times, validity
from cardhour_billing.catalog_noun import Noun, Planning
from cardhour_billing.current import current_prices
from cardhour_billing.models import Invoice, InvoiceLine, Issuer, Price, PriceBook
from cardhour_billing.money import exponent, parse_price
from cardhour_billing.price import LIST_BOOK, PriceRow
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import format_rfc3339


class PriceTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[price]]``: what one card-hour of a model costs. The currency defaults to the issuer's."""

    model: str
    per: Literal["card-hour"]
    amount: str
    from_: datetime = msgspec.field(name="from")
    to: datetime | None = None
    currency: str = ""
    includes_tax: bool = False


def _problems(table: PriceTable) -> list[str]:
    found = check((a_name, table.model))
    found += check((exponent, table.currency)) if table.currency else []
    # USD only lends its decimals here; the plan parses again in the currency that the price ends up with.
    return (
        found
        + check((lambda text: parse_price(text, table.currency or "USD"), table.amount))
        + times(table.from_, table.to)
    )


def _changes(planning: Planning) -> list[Change]:
    rows = RowPlan("price", current_prices(), key=_key, text=_text)
    for located in planning.file.of(PriceTable):
        table = located.table
        try:
            price = parse_price(table.amount, table.currency or planning.issuer.currency)
            from_ms, to_ms = validity(table)
        except Refuse:
            continue  # reported with the table
        row = PriceRow(
            id=rows.new_id(), model=table.model, currency=price.currency, nano=price.nano, from_ms=from_ms,
            to_ms=to_ms, includes_tax=table.includes_tax,
        )  # fmt: skip
        if known := rows.add(located.where, row):
            planning.problems += [f"{located.where}: {problem}" for problem in _billed(known, row)]
    for one, other in _overlaps(rows.after):
        planning.problems.append(rows.overlap(one, other, f"model '{one.model}' has two prices at one time"))
    return rows.changes


def _billed(known: PriceRow, wanted: PriceRow) -> Iterator[str]:
    """Why a price that issued documents rest on cannot change so."""
    lineage: list[int] = []
    at: int | None = known.id
    while at is not None:
        lineage.append(at)
        at = Price.objects.values_list("supersedes_id", flat=True).get(id=at)
    lines = InvoiceLine.objects.filter(price_id__in=lineage, invoice__state=Invoice.State.ISSUED)
    last = lines.order_by("-invoice__period_end_ms").select_related("invoice").first()
    if last is None:
        return
    billed_to_ms = last.invoice.period_end_ms
    if wanted.nano != known.nano:
        yield (
            f"the price of {known.model} from {format_rfc3339(known.from_ms)} was already used by "
            f"invoice {last.invoice.number}: end it with to = {format_rfc3339(billed_to_ms)} or later, and add a price "
            "from then"
        )
    elif wanted.to_ms is not None and wanted.to_ms < billed_to_ms:
        yield (
            f"the price of {known.model} cannot end before {format_rfc3339(billed_to_ms)}: invoice "
            f"{last.invoice.number} used it until then"
        )


def _overlaps(rows: Iterable[PriceRow]) -> Iterator[tuple[PriceRow, PriceRow]]:
    groups: dict[tuple[str, str, str], list[PriceRow]] = {}
    for row in rows:
        groups.setdefault((row.book, row.model, row.currency), []).append(row)
    for group in groups.values():
        for one, other in combinations(group, 2):
            if times_meet(one.from_ms, one.to_ms, other.from_ms, other.to_ms):
                yield one, other


def _key(row: PriceRow) -> tuple[str | int, ...]:
    return row.book, row.model, row.currency, row.from_ms


def _text(row: PriceRow) -> tuple[str, str]:
    subject = row.model if row.book == LIST_BOOK else f"{row.model} in book {row.book}"
    taxed = " with tax" if row.includes_tax else ""
    return subject, f"{row.unit_price} {row.currency} per card-hour{taxed}, {validity_text(row)}"


def _write(change: Change, recorded_at_ms: int) -> None:
    row: PriceRow = change.row
    book, _ = PriceBook.objects.get_or_create(issuer=Issuer.objects.get(), key=row.book)
    Price.objects.create(
        book=book,
        model=row.model,
        currency=row.currency,
        unit_nano=row.nano,
        includes_tax=row.includes_tax,
        valid_from_ms=row.from_ms,
        valid_to_ms=row.to_ms,
        recorded_at_ms=recorded_at_ms,
        supersedes_id=change.supersedes,
    )


PRICE = Noun(name="price", table=PriceTable, problems=_problems, changes=_changes, write=_write)
