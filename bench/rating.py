"""Points priced in a second: quarter hours of the ledger to rated lines, beside CloudKitty's ``hashmap`` on as many.

Owns the pages, made inside the engine, and the comparison. A point is one holder of one card in one quarter hour, the
ledger's grain; the holder is another every quarter. Ours begin as pages of the ledger and end as lines with their days,
cards and three costs; CloudKitty's begin as points in memory and end with a price each. It has no months, no tiers over
them and no invoices, so only pricing is compared.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from bench.figures import Figure, watched
from bench.usage import PAGES
from cardhour_billing.month import billing_period, parse_month
from cardhour_billing.rating.binding import BindingRow, Bindings
from cardhour_billing.rating.cuts import cuts_ms
from cardhour_billing.rating.price import PriceRow, Prices
from cardhour_billing.rating.rate import Terms, rate
from cardhour_billing.usage.ledger import WarehouseLedger
from cardhour_contract.moment import HOUR_MS, MS_US, QUARTER_MS
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse

MONTH = "2026-09"
HOURS = 720
QUARTERS = 4
OWNERS = 200
RUNS = 3
PEER_POINTS = 200_000
"""More are slower a point in CloudKitty, and fewer say nothing of a month."""


def measure(folder: Path, *, cards: int, peer: str) -> list[Figure]:
    """Points rated in a second; where ``peer`` is a Python that has CloudKitty, its own, and the ratio."""
    period = billing_period(parse_month(MONTH), "UTC")
    bindings = Bindings(
        BindingRow(id=at, owner=f"k8s:team-{at}", customer=f"team-{at}", from_ms=0) for at in range(OWNERS)
    )
    prices = Prices([PriceRow(id=1, model="H100", currency="USD", nano=2_490_000_000, from_ms=0)])
    terms = {f"team-{at}": Terms(customer=f"team-{at}", currency="USD") for at in range(OWNERS)}
    cuts = cuts_ms(period, bindings, prices)
    points, best, best_cpu = cards * HOURS * QUARTERS, float("inf"), float("inf")
    with open_warehouse(WarehouseSettings(database="rating"), folder) as warehouse:
        for hour in range(period.start_ms // HOUR_MS, period.end_ms // HOUR_MS):
            warehouse.command(PAGES, hour=hour, cards=cards)
        ledger = WarehouseLedger(warehouse)
        for _ in range(RUNS):
            with watched() as watch:
                usage = ledger.billable(period.start_ms, period.end_ms, cuts)
                rating = rate(usage, period=period, bindings=bindings, prices=prices, terms=terms, list_currency="USD")
            if sum(line.quantity_us for each in rating.lines.values() for line in each) != points * QUARTER_MS * MS_US:
                raise RuntimeError("not every point was rated")
            best, best_cpu = min(best, watch.seconds), min(best_cpu, watch.cpu_seconds)
    of = f"{points} card-quarters of {cards} cards and {OWNERS} customers"
    found = [
        Figure(name="rating.points_per_s", value=points / best, of=of),
        Figure(name="rating.points_per_cpu_s", value=points / best_cpu, of=of),
    ]
    return [*found, *_peer(peer, points / best, points / best_cpu)] if peer else found


def _peer(python: str, ours: float, ours_cpu: float) -> list[Figure]:
    script = str(Path(__file__).with_name("cloudkitty_points.py"))
    done = subprocess.run([python, script, str(PEER_POINTS), str(RUNS)], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    theirs, theirs_cpu = answer["points"] / answer["seconds"], answer["points"] / answer["cpu_seconds"]
    of = f"{PEER_POINTS} points, 4 mappings, 1 threshold"
    return [
        Figure(name="cloudkitty.points_per_s", value=theirs, of=of),
        Figure(name="cloudkitty.points_per_cpu_s", value=theirs_cpu, of=of),
        Figure(name="rating.to_cloudkitty", value=ours / theirs, of="points per second, one run"),
        Figure(name="rating.to_cloudkitty_cpu", value=ours_cpu / theirs_cpu, of="points per CPU second, one run"),
    ]
