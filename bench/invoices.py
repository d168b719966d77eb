"""A month for many customers: every draft, then every invoice issued with its files.

Owns the customers and the pages, made inside the engine: ten cards each, busy all the time. Says whether the cost is
linear in customers by doing half of them first.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.figures import Figure, watched
from cardhour_contract.clock import VirtualClock
from cardhour_contract.moment import HOUR_MS, format_rfc3339, parse_rfc3339

MONTH = "2026-09"
CARDS_EACH = 10
HOURS_AT_ONCE = 12
"""Pages of so many hours are made in a statement: a hundred thousand cards' in some 2 GiB."""

PAGES = """INSERT INTO card_hour
WITH at % {cards:UInt32} AS number,
     concat('k8s:team-', toString(intDiv(number, {each:UInt32}))) AS owner,
     arrayMap(q -> owner, range(4)) AS owners,
     arrayMap(q -> concat('node-', toString(intDiv(number, 8))), range(4)) AS nodes,
     arrayMap(q -> 900000000::UInt64, range(4)) AS whole,
     arrayMap(q -> 0::UInt64, range(4)) AS nothing
SELECT {hour:UInt32} + intDiv(at, {cards:UInt32}), concat('GPU-', toString(number)), 'bench', 'H100', 0,
       range(4), nodes, owners, whole, whole, nothing, nothing, nothing, nothing,
       range(4), nodes, owners, arrayMap(q -> number % 5000, range(4)), whole, whole,
       nothing, nothing, nothing, nothing,
       nothing, nothing, nothing, [], [], [], 480, now64(6)
FROM (SELECT number AS at FROM numbers({cards:UInt32} * {hours:UInt32}))"""


def measure(folder: Path, *, customers: int) -> list[Figure]:
    """Seconds of drafting a month, and invoices issued in a second with their files."""
    os.environ["CARDHOUR_HOME"] = str(folder)
    from cardhour_billing.store import open_store

    config = open_store()
    from cardhour_billing.closing.close import CloseOrder, close_month
    from cardhour_billing.month import billing_period, parse_month
    from cardhour_billing.usage.ledger import WarehouseLedger
    from cardhour_billing.usage.store import opened_warehouse

    period = billing_period(parse_month(MONTH), "UTC")
    clock = VirtualClock(parse_rfc3339("2026-10-20T00:00:00Z"))
    found: list[Figure] = []
    with opened_warehouse(config) as warehouse:
        ledger = WarehouseLedger(warehouse)
        first, end = period.start_ms // HOUR_MS, period.end_ms // HOUR_MS
        for hour in range(first, end, HOURS_AT_ONCE):
            hours = min(HOURS_AT_ONCE, end - hour)
            warehouse.command(PAGES, hour=hour, hours=hours, cards=customers * CARDS_EACH, each=CARDS_EACH)
        for many in (customers // 2, customers):
            _catalog(folder, many)
            order = CloseOrder(month=parse_month(MONTH), who="bench")
            with watched() as watch:
                report = close_month(order, ledger=ledger, clock=clock, settings=config.billing)
            if len(report.invoices) != many:
                raise RuntimeError(f"not what was to be measured: {len(report.invoices)} drafts")
            of = f"{many} customers, {customers * CARDS_EACH} cards"
            found.append(Figure(name="invoices.drafts_s", value=watch.seconds, of=of))
            found.append(Figure(name="invoices.drafts_cpu_s", value=watch.cpu_seconds, of=of))
            found.append(Figure(name="invoices.drafts_peak_mib", value=watch.peak_mib, of=of))
        before = os.times()
        with watched() as watch:
            issuing = CloseOrder(month=parse_month(MONTH), who="bench", issue=True)
            close_month(issuing, ledger=ledger, clock=clock, settings=config.billing)
        after = os.times()
        children = after.children_user + after.children_system - before.children_user - before.children_system
        found.append(Figure(name="invoices.issued_with_files_per_s", value=customers / watch.seconds, of=of))
        cpu = (watch.cpu_seconds + children) / customers
        found.append(Figure(name="invoices.issued_with_files_cpu_ms", value=1000 * cpu, of=f"each of {of}"))
        found.append(Figure(name="invoices.issued_peak_mib", value=watch.peak_mib, of=of))
    return found


def _catalog(folder: Path, customers: int) -> None:
    """One price, and a customer with a binding for each team."""
    from cardhour_billing.catalog.applying import apply_catalog
    from cardhour_billing.catalog.file import read_catalog
    from cardhour_billing.catalog.plan import plan

    since = f"from = {format_rfc3339(parse_rfc3339('2026-01-01T00:00:00Z'))}\n"
    text = '[issuer]\nname = "Bench"\ncurrency = "USD"\ntimezone = "UTC"\n'
    text += f'[[price]]\nmodel = "H100"\nper = "card-hour"\namount = "2.49"\n{since}'
    for at in range(customers):
        text += f'[[customer]]\nid = "team-{at}"\nname = "Team {at}"\n'
        text += f'[[binding]]\nowner = "k8s:team-{at}"\ncustomer = "team-{at}"\n{since}'
    file = folder / "catalog.toml"
    file.write_text(text, encoding="utf-8")
    read = read_catalog(file)
    apply_catalog(read, plan(read), clock=VirtualClock(0), who="bench")
