"""What the sample books rest on: a catalog that was changed once, usage of October, money paid ahead, keys of nodes.

Owns sample data for pages; written through the product's own code, so that every page shows what a real store has.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from msgspec import structs

from cardhour_billing.catalog.applying import apply_catalog
from cardhour_billing.catalog.file import read_catalog
from cardhour_billing.catalog.plan import plan
from cardhour_billing.models import Invoice
from cardhour_billing.money import Money
from cardhour_billing.receivables.credit import GrantTerms, customer_of, grant, top_up
from cardhour_billing.receivables.payments import Receipt, record
from cardhour_contract.clock import VirtualClock
from cardhour_contract.moment import HOUR_MS, parse_rfc3339
from cardhour_contract.signing import PublicKey
from cardhour_ingest.importer import import_csv
from cardhour_ingest.loop import drain
from cardhour_ingest.warehouse import node_keys
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from tests.ingest.skewed import Delivered, minute

WHO = "lin.yue"

CATALOG = """
[[binding]]
owner = "k8s:qinghe-*"
customer = "qinghe"
from = 2026-08-01T00:00:00+08:00

[[binding]]
owner = "k8s:mozhi"
customer = "mozhi"
from = 2026-08-01T00:00:00+08:00

[[binding]]
owner = "k8s:hengxin"
customer = "hengxin"
node = "hz-4090-01"
from = 2026-08-01T00:00:00+08:00

[[contract]]
id = "qinghe-2026"
customer = "qinghe"
discount = "4"
from = 2026-08-01T00:00:00+08:00

[[commitment]]
id = "qinghe-hours"
contract = "qinghe-2026"
term = "month"
models = ["A100-SXM4-80GB"]
card_hours = "1000"
true_up = "20"
from = 2026-08-01T00:00:00+08:00

[[lease]]
id = "mozhi-server"
customer = "mozhi"
model = "H800"
nodes = ["hz-h800-01"]
count = 4
per = "server-month"
amount = "98000"
from = 2026-09-01T00:00:00+08:00

[[lease]]
id = "qinghe-pool"
customer = "qinghe"
model = "A100-SXM4-80GB"
count = 2
per = "card-month"
amount = "12800"
from = 2026-10-01T00:00:00+08:00

[[add-on]]
id = "qinghe-storage"
customer = "qinghe"
name = "Object storage 对象存储"
per = "month"
amount = "1200"
from = 2026-09-01T00:00:00+08:00

[[cost]]
model = "A100-SXM4-80GB"
cards_per_server = 8
purchase = "1600000"
depreciation_months = 36
hosting = "7500"
power = "3288"
from = 2026-01-01T00:00:00+08:00

[[cost]]
model = "H800"
cards_per_server = 4
purchase = "1310000"
depreciation_months = 36
hosting = "4300"
power = "2580"
from = 2026-01-01T00:00:00+08:00

[[cost]]
model = "RTX 4090"
cards_per_server = 4
purchase = "116000"
depreciation_months = 36
hosting = "1600"
power = "1062"
from = 2026-01-01T00:00:00+08:00
"""

CHANGED = """
[[binding]]
owner = "k8s:hengxin"
customer = "hengxin"
node = "hz-4090-01"
from = 2026-08-01T00:00:00+08:00
to = 2026-12-01T00:00:00+08:00

[[lease]]
id = "mozhi-server"
customer = "mozhi"
model = "H800"
nodes = ["hz-h800-01"]
count = 4
per = "server-month"
amount = "96500"
from = 2026-09-01T00:00:00+08:00
"""

_HEADER = "owner,workload,node,card,model,process,started_at,ended_at,share,sm_util_percent,memory_bytes\n"
_CARDS = (("hz-a100-01", "A100-SXM4-80GB", 8), ("hz-h800-01", "H800", 4), ("hz-4090-01", "RTX 4090", 4))
_OWNERS = {"hz-a100-01": "k8s:qinghe-train", "hz-h800-01": "k8s:mozhi", "hz-4090-01": "k8s:hengxin"}
_DAYS = (20, 21, 22, 27, 28, 29, 30, 31)
KEYS = (
    "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=",
)
"""Public keys of RFC 8032's first two test vectors."""


def write(home: Path) -> None:
    """Write everything beside the books, which must stand already."""
    _apply(home, CATALOG, "2026-08-01T02:00:00Z")
    _apply(home, CHANGED, "2026-10-12T06:30:00Z")
    _write_money()
    _write_usage(home)


def card(node: str, number: int) -> str:
    """A card's name, the same in every run."""
    return f"GPU-{node[3:7].replace('-', '0')}{number:04d}-7d0e-4b6a-9c55-0f3e2d81a7b4"


def _apply(home: Path, text: str, at: str) -> None:
    path = home / "catalog.toml"
    path.write_text(text, encoding="utf-8")
    file = read_catalog(path)
    apply_catalog(file, plan(file), clock=VirtualClock(parse_rfc3339(at)), who=WHO)


def _write_money() -> None:
    clock = VirtualClock(parse_rfc3339("2026-10-20T03:00:00Z"))
    customer = customer_of("qinghe")
    top_up(customer, Money(amount=50_000_000, currency="CNY"), "2026-10-20 TT 88213", clock=clock, who=WHO)
    terms = GrantTerms(from_ms=parse_rfc3339("2026-10-01T00:00:00+08:00"), reason="Trial allowance")
    grant(customer, Money(amount=1_000_000, currency="CNY"), terms, clock=clock, who=WHO)
    invoice = Invoice.objects.filter(customer__key="hengxin", state=Invoice.State.ISSUED).order_by("period").first()
    if invoice is not None:
        zero = Money(amount=0, currency="CNY")
        received = Receipt(
            customer=invoice.customer, reference="TT-20261020-77", day=date(2026, 10, 20),
            amount=Money(amount=invoice.total, currency="CNY"), fee=zero, write_off=zero,
        )  # fmt: skip
        record(received, write_off_max=5, clock=clock, who=WHO)


def _write_usage(home: Path) -> None:
    """Cards at work by day and resting at night, in an embedded warehouse of this home."""
    path = home / "usage.csv"
    path.write_text(_HEADER + "".join(_rows()), encoding="utf-8")
    with open_warehouse(WarehouseSettings(), home) as warehouse:
        import_csv(warehouse, path)
        roll_up(warehouse)
        for node, text in zip(("hz-a100-01", "hz-h800-01"), KEYS, strict=True):
            facts = node_keys.enrolment(warehouse, node, PublicKey.parse(text))
            node_keys.record(warehouse, facts, WHO)
        _write_letters(warehouse)
        roll_up(warehouse)


def _write_letters(warehouse: Warehouse) -> None:
    """Messages that could not be accepted: a clock that was an hour ahead, and a body that is no report."""
    wrong = structs.replace(minute(30, 0), body=b"{}")
    drain(Delivered([minute(29, 0), *(minute(at, HOUR_MS) for at in range(12)), wrong]), warehouse)


def _rows() -> list[str]:
    rows = []
    for node, model, count in _CARDS:
        for number in range(count):
            for day in _DAYS:
                start, end = 1 + (number * 3 + day) % 7, 23 - (number + day * 5) % 6
                owner = "k8s:interns" if (node, number) == ("hz-4090-01", 3) else _OWNERS[node]
                rows.append(
                    f"{owner},job-{day},{node},{card(node, number)},{model},,2026-10-{day}T{start:02d}:00:00+08:00,"
                    f"2026-10-{day}T{end:02d}:00:00+08:00,1,,\n"
                )
    return rows
