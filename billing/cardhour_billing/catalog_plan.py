"""What applying a catalog file would change, and every reason why it cannot be applied.

Owns the rules between tables: unknown customers, customers without bindings, overlaps, prices already billed. Compares
the file with the current rows of the store; what the file does not name stays as it is. Does not own writing
(``catalog``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any

from cardhour_billing.binding import BindingRow, overlaps, times_meet
from cardhour_billing.catalog_change import Change, binding_text, price_text, row_change
from cardhour_billing.catalog_file import CatalogFile, IssuerTable
from cardhour_billing.catalog_parties import customer_changes, issuer_changes
from cardhour_billing.catalog_tax import tax_changes
from cardhour_billing.current import current_bindings, current_prices
from cardhour_billing.models import Customer, Invoice, InvoiceLine, Issuer, Price
from cardhour_billing.money import parse_price
from cardhour_billing.price import PriceRow
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import format_rfc3339, to_ms


def plan(file: CatalogFile) -> tuple[Change, ...]:
    """The changes that ``file`` asks for, in order of writing. Raises Refuse with every problem and its line."""
    problems = list(file.problems)
    issuer = _issuer(file, problems)
    if issuer is None:
        raise Refuse(*problems)
    customers = {*Customer.objects.values_list("key", flat=True), *(each.table.id for each in file.customers)}
    customers |= file.unreadable
    bindings, changed_bindings = _bindings(file, customers, problems)
    bound = {row.customer for row in bindings}
    for located in file.customers:
        if located.table.id not in bound:
            problems.append(
                f"{located.where}: customer '{located.table.id}' has no binding, so nothing would be billed"
            )
    changed_prices = _prices(file, issuer.currency, problems)
    changed_taxes = tax_changes(file, customers, problems)
    parties = [*issuer_changes(file), *customer_changes(file, issuer, problems)]
    if problems:
        raise Refuse(*problems)
    return (*parties, *changed_bindings, *changed_prices, *changed_taxes)


def _issuer(file: CatalogFile, problems: list[str]) -> IssuerTable | Issuer | None:
    issuer: IssuerTable | Issuer | None = file.issuer.table if file.issuer else Issuer.objects.first()
    stored = Issuer.objects.first()
    if issuer is None and not any("[issuer]" in problem for problem in problems):
        problems.append(f"{file.path}: [issuer] is missing: give name, currency and timezone")
    if file.issuer and stored and stored.key != file.issuer.table.id:
        problems.append(f"{file.issuer.where}: this installation's issuer is '{stored.key}', and it has one issuer")
    return issuer


def _bindings(file: CatalogFile, customers: set[str], problems: list[str]) -> tuple[list[BindingRow], list[Change]]:
    """All bindings as they would stand afterwards, and the changes."""
    stored = {_binding_key(row): row for row in current_bindings()}
    after, where, changes = dict(stored), {}, []
    for at, located in enumerate(file.bindings):
        table = located.table
        if table.customer not in customers:
            problems.append(f"{located.where}: customer '{table.customer}' is not in this file nor known")
        try:
            from_ms, until_ms = to_ms(table.from_), to_ms(table.to) if table.to else None
        except Refuse:
            continue  # reported with the table
        row = BindingRow(
            id=-1 - at, customer=table.customer, project=table.project, owner=table.owner, cluster=table.cluster,
            node=table.node, card=table.card, from_ms=from_ms, to_ms=until_ms,
        )  # fmt: skip
        where[row.id] = located.where
        key = _binding_key(row)
        known = stored.get(key)
        if known and (known.customer, known.project, known.to_ms) == (row.customer, row.project, row.to_ms):
            where[known.id] = located.where
            continue
        twin = after.pop(key, None)
        if twin and twin.id < 0:
            after[(*key[:4], twin.id)] = twin  # the same binding twice in one file: leave both for the overlap check
        after[key] = row
        changes.append(row_change("binding", row, known, binding_text))
    for one, other in overlaps(after.values()):
        problems.append(_overlap(one, other, where, "binding", f"owner '{one.owner}' is bound twice at one time"))
    return list(after.values()), changes


def _prices(file: CatalogFile, currency: str, problems: list[str]) -> list[Change]:
    stored = {_price_key(row): row for row in current_prices()}
    after, where, changes = dict(stored), {}, []
    for at, located in enumerate(file.prices):
        table = located.table
        try:
            price = parse_price(table.amount, table.currency or currency)
            from_ms, until_ms = to_ms(table.from_), to_ms(table.to) if table.to else None
        except Refuse:
            continue  # reported with the table
        row = PriceRow(
            id=-1 - at, model=table.model, currency=price.currency, nano=price.nano, from_ms=from_ms,
            to_ms=until_ms, includes_tax=table.includes_tax,
        )  # fmt: skip
        where[row.id] = located.where
        key = _price_key(row)
        known = stored.get(key)
        if known and (known.nano, known.to_ms, known.includes_tax) == (row.nano, row.to_ms, row.includes_tax):
            where[known.id] = located.where
            continue
        if known:
            problems += [f"{located.where}: {problem}" for problem in _billed(known, row)]
        twin = after.pop(key, None)
        if twin and twin.id < 0:
            after[(*key[:3], twin.id)] = twin
        after[key] = row
        changes.append(row_change("price", row, known, price_text))
    for one, other in _price_overlaps(after.values()):
        problems.append(_overlap(one, other, where, "price", f"model '{one.model}' has two prices at one time"))
    return changes


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


def _price_overlaps(rows: Iterable[PriceRow]) -> Iterator[tuple[PriceRow, PriceRow]]:
    groups: dict[tuple[str, str, str], list[PriceRow]] = {}
    for row in rows:
        groups.setdefault((row.book, row.model, row.currency), []).append(row)
    for group in groups.values():
        for one, other in combinations(group, 2):
            if times_meet(one.from_ms, one.to_ms, other.from_ms, other.to_ms):
                yield one, other


def _overlap(
    one: BindingRow | PriceRow, other: BindingRow | PriceRow, where: dict[int, str], kind: str, sentence: str
) -> str:
    lines = [where[row.id] for row in sorted((one, other), key=lambda row: -row.id) if row.id in where]
    stored = next((row for row in (one, other) if row.id not in where), None)
    with_what = (
        f"with the {kind} in force from {format_rfc3339(stored.from_ms)}: name that too, with a to" if stored else
        f"with {lines[0]}: give the earlier one a to"
    )  # fmt: skip
    return f"{lines[-1]}: {sentence}; it overlaps {with_what}"


def _binding_key(row: BindingRow) -> tuple[Any, ...]:
    return row.owner, row.cluster, row.node, row.card, row.from_ms


def _price_key(row: PriceRow) -> tuple[Any, ...]:
    return row.book, row.model, row.currency, row.from_ms
