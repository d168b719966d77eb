"""``[[price]]`` of a catalog: what a card-hour costs. Owns what makes two prices one, and which were billed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct, structs

from cardhour_billing.catalog.change import Change, RowPlan, validity_text
from cardhour_billing.catalog.checks import a_name, an_id, an_owner, check, times, validity
from cardhour_billing.catalog.contract import ContractTable
from cardhour_billing.catalog.current import current_contracts, current_prices, scheme_json
from cardhour_billing.catalog.noun import Noun, Planning
from cardhour_billing.catalog.scheme import BandTable, TierTable, bands, rate
from cardhour_billing.models import Invoice, InvoiceLine, Price, PriceBook
from cardhour_billing.money import UnitPrice, exponent
from cardhour_billing.rating.price import LIST_BOOK, NEGOTIATED, PriceRow, price_overlaps
from cardhour_billing.rating.rate_scheme import Band, Rate, tier_text
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import format_rfc3339


class PriceTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[price]]``: what one card-hour of a model costs. The currency defaults to the issuer's."""

    model: str
    per: Literal["card-hour"]
    amount: str = ""
    from_: datetime = msgspec.field(name="from")
    to: datetime | None = None
    currency: str = ""
    includes_tax: bool = False
    models: list[str] = []
    book: str = ""
    contract: str = ""
    scheme: Literal["graduated", "volume", ""] = ""
    tiers: list[TierTable] = []
    bands: list[BandTable] = []


def _problems(table: PriceTable) -> list[str]:
    found = check((a_name if table.models else an_owner, table.model), *((an_owner, each) for each in table.models))
    found += check(*((an_id, each) for each in (table.book, table.contract) if each))
    if table.book and table.contract:
        found.append("book: a contract's own price is in no book; give one of the two")
    if len(set(table.models)) < len(table.models):
        found.append("models: one is named twice")
    found += check((exponent, table.currency)) if table.currency else []
    # USD only lends its decimals here; the plan parses again in the currency that the price ends up with.
    currency = table.currency or "USD"
    return (
        found
        + check((lambda each: rate(each.amount, each.scheme, each.tiers, currency), table))
        + check((lambda each: bands(each, currency), table.bands))
        + times(table.from_, table.to)
    )


def _changes(planning: Planning) -> list[Change]:
    rows = RowPlan("price", current_prices(), key=_key, text=_text)
    contracts = {row.key: row for row in current_contracts()}
    named = {each.table.id: each.table.customer for each in planning.file.of(ContractTable)}
    for located in planning.file.of(PriceTable):
        table = located.table
        if table.contract and table.contract not in {*contracts, *named, *planning.file.unreadable}:
            planning.problems.append(f"{located.where}: contract '{table.contract}' is not in this file nor known")
        try:
            row = _row(table, rows.new_id(), table.currency or planning.issuer.currency)
        except Refuse:
            continue  # reported with the table
        if known := rows.add(located.where, row):
            planning.rests_on(located, _billed(known, row))
    for one, other, model in price_overlaps(rows.after):
        planning.problems.append(rows.overlap(one, other, f"model '{model}' has two prices at one time"))
    return rows.changes


def _row(table: PriceTable, id: int, currency: str) -> PriceRow:
    price = rate(table.amount, table.scheme, table.tiers, currency)
    from_ms, to_ms = validity(table)
    return PriceRow(
        id=id,
        book=NEGOTIATED + table.contract if table.contract else table.book or LIST_BOOK,
        model=table.model,
        models=tuple(sorted(table.models)),
        currency=currency,
        nano=price.nano,
        kind=price.kind,
        tiers=price.tiers,
        bands=bands(table.bands, currency),
        from_ms=from_ms,
        to_ms=to_ms,
        includes_tax=table.includes_tax,
    )


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
    if structs.replace(wanted, id=known.id, to_ms=known.to_ms) != known:
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


def _key(row: PriceRow) -> tuple[str | int, ...]:
    return row.book, row.model, row.currency, row.from_ms


def _text(row: PriceRow) -> tuple[str, str]:
    subject = f"{row.model} ({', '.join(row.models)})" if row.models else row.model
    if row.book.startswith(NEGOTIATED):
        subject += f" under contract {row.book.removeprefix(NEGOTIATED)}"
    elif row.book != LIST_BOOK:
        subject += f" in book {row.book}"
    taxed = " with tax" if row.includes_tax else ""
    parts = [f"{_rate_text(row, row.currency)} per card-hour{taxed}"]
    parts += [f"{band.name} ({_hours_text(band)}) {_rate_text(band, row.currency)}" for band in row.bands]
    return subject, f"{'; '.join(parts)}, {validity_text(row)}"


def _rate_text(rate: Rate, currency: str) -> str:
    if not rate.tiers:
        return f"{UnitPrice(nano=rate.nano, currency=currency)} {currency}"
    starts = [0, *(tier.to_us or 0 for tier in rate.tiers)]
    steps = [
        f"{tier_text(from_us, tier.to_us)} {UnitPrice(nano=tier.nano, currency=currency)}"
        for from_us, tier in zip(starts, rate.tiers, strict=False)
    ]
    return f"{rate.kind} {', '.join(steps)} {currency}"


def _hours_text(band: Band) -> str:
    clock = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in (band.from_minute, band.to_minute)]
    return f"{clock[0]}–{clock[1]}" + ("" if band.days == "all" else f" {band.days}")


def _write(change: Change, recorded_at_ms: int) -> None:
    row: PriceRow = change.row
    book, _ = PriceBook.objects.get_or_create(key=row.book)
    Price.objects.create(
        book=book,
        model=row.model,
        currency=row.currency,
        unit_nano=row.nano,
        includes_tax=row.includes_tax,
        scheme=scheme_json(row),
        valid_from_ms=row.from_ms,
        valid_to_ms=row.to_ms,
        recorded_at_ms=recorded_at_ms,
        supersedes_id=change.supersedes,
    )


PRICE = Noun(name="price", table=PriceTable, problems=_problems, changes=_changes, write=_write, text=_text)
