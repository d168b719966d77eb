"""A catalog of real list prices for the owners of a public trace; the list lies beside the repository, as it does."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

SHARED = Path(__file__).parents[2].parent / "shared"
PRICES = SHARED / "facts" / "gpu_price_list.csv"

LIKE = {
    "T4": "T4", "P100": "P4", "V100M16": "V100-16GB", "V100M32": "V100-32GB",
    "A10": "A10", "G2": "L20-48GB", "G3": "A100-80GB",
}  # fmt: skip
"""Models of the trace, some of them renamed by its publisher, and what each is priced as."""

TENANTS = 20

PARTIES = """
[issuer]
name = "Example Compute"
currency = "USD"
timezone = "Asia/Shanghai"
[[tax]]
category = "standard"
rate = "6"
from = 2026-01-01T00:00:00+08:00
[[contract]]
id = "two"
customer = "tenant-02"
discount = "7.25"
from = 2026-01-01T00:00:00+08:00
[[contract]]
id = "three"
customer = "tenant-03"
book = "volume"
from = 2026-01-01T00:00:00+08:00
"""

TENANT = """
[[customer]]
id = "{id}"
name = "Tenant {id}"
[[binding]]
owner = "k8s:{id}"
customer = "{id}"
from = 2026-01-01T00:00:00+08:00
"""

PRICE = '\n[[price]]\nmodel = "{model}"\nper = "card-hour"\nfrom = 2026-01-01T00:00:00+08:00\n{rest}\n'


def catalog() -> str:
    """Every tenant, at list prices per card; a graduated one, and a contract each with a discount, a book, a price."""
    text = PARTIES + "".join(TENANT.format(id=f"tenant-{at:02d}") for at in range(TENANTS))
    listed = list_prices()
    for model, amount in listed.items():
        rest = f'amount = "{amount}"'
        if model == "T4":
            # The hour between is half a cent more than 12 cents: 13 away from zero, 12 to even.
            tiers = (
                f'{{ to = "100", amount = "{amount}" }}, {{ to = "101", amount = "0.125" }}, {{ amount = "0.4999" }}'
            )
            rest = f'scheme = "graduated"\ntiers = [{tiers}]'
        text += PRICE.format(model=model, rest=rest)
    volume = 'scheme = "volume"\nbook = "volume"\ntiers = [{ to = "500", amount = "1.111111111" }, { amount = "0.9" }]'
    text += PRICE.format(model="G2", rest=volume)
    return text + PRICE.format(model="G2", rest='contract = "two"\namount = "1.234567891"')


def list_prices() -> dict[str, str]:
    """Dollars a card-hour, cut to nine decimals: a machine's price shared by its cards."""
    found: dict[str, str] = {}
    with PRICES.open(encoding="utf-8", newline="") as text:
        rows = [row for row in csv.DictReader(text) if row["provider"] == "alicloud" and row["price_usd_per_hour"]]
    for model, like in LIKE.items():
        row = next(row for row in rows if row["gpu_model"] == like)
        nano = Fraction(row["price_usd_per_hour"]) * 10**9 / Fraction(row["gpu_count"])
        found[model] = f"{int(nano) // 10**9}.{int(nano) % 10**9:09d}"
    return found
