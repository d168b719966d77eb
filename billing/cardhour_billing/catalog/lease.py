"""``[[lease]]`` of a catalog: cards that a customer pays for by time. Owns what a table must say, and conflicts."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct

from cardhour_billing.catalog.addon import AddOnTable
from cardhour_billing.catalog.change import Change, RowPlan, validity_text
from cardhour_billing.catalog.checks import a_name, an_id, check, times, validity
from cardhour_billing.catalog.current_terms import current_add_ons, current_leases
from cardhour_billing.catalog.noun import CatalogFile, Located, Noun, Planning
from cardhour_billing.catalog.recurring import a_price, currency_of, named_once, recurring_columns, same_customer
from cardhour_billing.leases.lease import LeaseRow, LeaseUnit, overlaps
from cardhour_billing.leases.proration import Cycle
from cardhour_billing.leases.recurring import Billing
from cardhour_billing.models import Customer, Lease
from cardhour_billing.money import parse_percent, parse_price, percent_text
from cardhour_contract.errors import Refuse

COUNT_MAX = 1_000_000
"""Cards of one lease: above it a digit was typed twice."""

SLA_PERCENT_BELOW = 1_001
"""Some contracts give back a multiple of the price of lost time; above ten times a point was forgotten."""


class LeaseTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[lease]]``: these cards, all cards of these nodes, or so many cards of a model."""

    id: str
    customer: str
    model: str
    per: LeaseUnit
    amount: str
    from_: datetime = msgspec.field(name="from")
    to: datetime | None = None
    cards: list[str] = []
    nodes: list[str] = []
    count: int = 0
    servers: int = 0
    includes_tax: bool = False
    period: Cycle = "calendar"
    billed: Billing = "arrears"
    non_refundable: bool = False
    sla_credit: str = "0"

    @property
    def cards_leased(self) -> int:
        return self.count or len(self.cards)

    @property
    def servers_leased(self) -> int:
        return self.servers or len(self.nodes)


def _problems(table: LeaseTable) -> list[str]:
    found = check((an_id, table.id), (a_name, table.model), *((a_name, each) for each in (*table.cards, *table.nodes)))
    found += check((a_price, table.amount), (_credit, table.sla_credit))
    return found + _cards(table) + times(table.from_, table.to)


def _credit(text: str) -> int:
    return parse_percent(text, below=SLA_PERCENT_BELOW)


def _cards(table: LeaseTable) -> list[str]:
    """What is wrong with the cards that it is of."""
    found = []
    if table.cards and table.nodes:
        found.append("give cards, or nodes, or only a count: a lease is of one kind")
    if table.cards and table.count not in (0, len(table.cards)):
        found.append(f"count: {len(table.cards)} cards are named, and count says {table.count}")
    if not 1 <= table.cards_leased <= COUNT_MAX:
        on_nodes, of_cards = (
            "count: say how many cards it is of on these nodes",
            "count: say how many cards it is of, or name cards",
        )
        found.append(on_nodes if table.nodes else of_cards)
    for name, values in (("cards", table.cards), ("nodes", table.nodes)):
        if len(set(values)) < len(values):
            found.append(f"{name}: one is named twice")
    if table.per == "server-month" and not 1 <= table.servers_leased <= COUNT_MAX:
        found.append("servers: say how many servers are paid for")
    if table.per != "server-month" and table.servers:
        found.append(f"servers: a price per {table.per} is paid for cards")
    if table.sla_credit != "0" and not (table.cards or table.nodes):
        found.append("sla_credit: of a pool nobody can say which card was faulted; name cards or nodes")
    if table.non_refundable and table.billed != "advance":
        found.append('non_refundable: means something only with billed = "advance"')
    return found


def _changes(planning: Planning) -> list[Change]:
    rows = RowPlan("lease", current_leases(), key=_key, text=lease_text)
    for located in planning.file.of(LeaseTable):
        planning.known_customer(located, located.table.customer)
        try:
            row = _row(located, planning, rows.new_id())
        except Refuse:
            continue  # reported with the table
        same_customer(planning, located, rows.add(located.where, row), row)
    named_once(planning, planning.file.of(LeaseTable))
    for one, other, place in overlaps(rows.after):
        sentence = f"{place} is in two leases at one time, {one.key} and {other.key}"
        planning.problems.append(rows.overlap(one, other, sentence))
    return rows.changes


def having_leases(file: CatalogFile) -> set[str]:
    """Customers who pay for a lease or an add-on, by the file or by the store."""
    leases = {located.table.customer for located in file.of(LeaseTable)} | {row.customer for row in current_leases()}
    add_ons = {located.table.customer for located in file.of(AddOnTable)} | {row.customer for row in current_add_ons()}
    return leases | add_ons


def _row(located: Located[LeaseTable], planning: Planning, id: int) -> LeaseRow:
    table = located.table
    price = parse_price(table.amount, currency_of(planning, table.customer))
    from_ms, to_ms = validity(table)
    return LeaseRow(
        id=id,
        key=table.id,
        customer=table.customer,
        model=table.model,
        cards=tuple(sorted(table.cards)),
        nodes=tuple(sorted(table.nodes)),
        count=table.cards_leased,
        servers=table.servers_leased or 1,
        per=table.per,
        currency=price.currency,
        nano=price.nano,
        includes_tax=table.includes_tax,
        cycle=table.period,
        billing=table.billed,
        non_refundable=table.non_refundable,
        sla_ppm=_credit(table.sla_credit),
        from_ms=from_ms,
        to_ms=to_ms,
    )


def _key(row: LeaseRow) -> tuple[str, ...]:
    return (row.key,)


def lease_text(row: LeaseRow) -> tuple[str, str]:
    """Subject and detail of a lease."""
    extras = [
        f"{row.cycle} months, in {row.billing}" if row.per != "card-hour" else f"in {row.billing}",
        *(["non-refundable"] if row.non_refundable else []),
        *([f"SLA credit {percent_text(row.sla_ppm)}%"] if row.sla_ppm else []),
        *(["with tax"] if row.includes_tax else []),
    ]
    price = f"{row.quantity} × {row.unit_price} {row.currency} per {row.per}"
    return row.key, f"{row.customer}: {cards_text(row)}, {price}, {', '.join(extras)}, {validity_text(row)}"


def cards_text(row: LeaseRow) -> str:
    """Which cards it is of."""
    names = (*row.cards, *row.nodes)
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{row.count} × {row.model}" + (f" ({shown})" if names else " (pool)")


def _write(change: Change, recorded_at_ms: int) -> None:
    record_lease(change.row, change.supersedes, recorded_at_ms)


def record_lease(row: LeaseRow, supersedes: int | None, recorded_at_ms: int) -> None:
    """Write a lease; ``supersedes`` is the id of the row that it replaces."""
    Lease.objects.create(
        customer=Customer.objects.get(key=row.customer),
        model=row.model,
        cards=list(row.cards),
        nodes=list(row.nodes),
        count=row.count,
        servers=row.servers,
        per=row.per,
        sla_ppm=row.sla_ppm,
        recorded_at_ms=recorded_at_ms,
        supersedes_id=supersedes,
        **recurring_columns(row),
    )


LEASE = Noun(name="lease", table=LeaseTable, problems=_problems, changes=_changes, write=_write, text=lease_text)
