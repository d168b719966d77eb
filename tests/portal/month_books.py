"""What a provider knows when its clerk's and its customer's month begin: three customers, their cards, two logins.

Owns the books of the walks, small enough that every sum is reckoned in the head: a card-hour of A100 is 10.00 and one
of H800 20.00, the tax is six percent. Written as a provider writes them: a catalog file, a usage file, messages.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from cardhour_billing.catalog.applying import apply_catalog
from cardhour_billing.catalog.file import read_catalog
from cardhour_billing.catalog.plan import plan
from cardhour_billing.logins.users import add_user, set_email
from cardhour_contract.clock import VirtualClock
from cardhour_contract.moment import HOUR_MS, MINUTE_MS, parse_rfc3339
from cardhour_contract.record import Scan, ScannedCard
from cardhour_ingest.importer import import_csv
from cardhour_ingest.loop import drain
from cardhour_ingest.source import Message
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from tests.ingest.reports import card, message, report, usage
from tests.ingest.skewed import Delivered
from tests.portal.month_facts import CLERK, NAMES, OCTOBER, usage_file
from tests.portal.signing_in import PASSWORD

HEARD = "2026-10-30T09:30:00+08:00"
"""When the node ``hz-07`` sent its last message."""

_ISSUER = """
[issuer]
name = "Example Compute"
legal_name = "Example Compute Co., Ltd."
address = "88 Example Road, Hangzhou"
country = "CN"
tax_id = "91330100XXXXXXXX0X"
currency = "CNY"
timezone = "Asia/Shanghai"
number_prefix = "EC"
bank = { account_name = "Example Compute", bank = "Example Bank", account = "0000 1111 2222 3333" }
"""
_CUSTOMER = """
[[customer]]
id = "{key}"
name = "{name}"
language = "{language}"
address = "12 Sample Street"
country = "CN"
tax_id = "91310100XXXXXXXX{key}"
email = "accounts@{key}.example"
"""
_BINDING = """
[[binding]]
owner = "{owner}"
customer = "{customer}"
from = 2026-10-01T00:00:00+08:00
"""
_PRICE = """
[[price]]
model = "{model}"
per = "card-hour"
amount = "{amount}"
from = 2026-01-01T00:00:00+08:00
"""
_TERMS = """
[[tax]]
category = "standard"
rate = "6"
from = 2026-01-01T00:00:00+08:00

[[contract]]
id = "green-2026"
customer = "green"
from = 2026-10-01T00:00:00+08:00

[[commitment]]
id = "green-a100"
contract = "green-2026"
term = "quarter"
models = ["A100"]
card_hours = "100"
true_up = "8.00"
from = 2026-10-01T00:00:00+08:00

[[lease]]
id = "green-h800"
customer = "green"
model = "H800"
cards = ["GPU-8"]
count = 1
per = "card-month"
amount = "300"
from = 2026-10-01T00:00:00+08:00
"""


def write(home: Path, warehouse: Warehouse, language: str) -> None:
    """Write everything into a new store and a new warehouse; ``language`` is that of the customers."""
    clock = VirtualClock(parse_rfc3339("2026-10-01T09:00:00+08:00"))
    path = home / "catalog.toml"
    path.write_text(_catalog(language), encoding="utf-8")
    file = read_catalog(path)
    apply_catalog(file, plan(file), clock=clock, who="setup")
    add_user(CLERK, PASSWORD, customer=None, role="admin", clock=clock, who="setup")
    set_email(CLERK, "zhou.min@example.com", clock=clock, who="setup")
    import_csv(warehouse, usage_file(home / "october.csv", OCTOBER))
    drain(Delivered(_messages()), warehouse)
    roll_up(warehouse)


def _catalog(language: str) -> str:
    names = NAMES[language]
    return "".join((
        _ISSUER,
        *(_CUSTOMER.format(key=key, name=getattr(names, key), language=language) for key in ("red", "blue", "green")),
        *(_BINDING.format(owner=f"k8s:{key}", customer=key) for key in ("red", "blue")),
        *(
            _BINDING.format(owner=f"k8s:green-{project}", customer="green") + f'project = "{project}"\n'
            for project in ("speech", "vision")
        ),
        _PRICE.format(model="A100", amount="10.00"),
        _PRICE.format(model="H800", amount="20.00"),
        _TERMS,
    ))  # fmt: skip


def _messages() -> list[Message]:
    """A quarter of an hour of the node ``hz-07``, which then falls silent; before it, as much by a clock that was an
    hour ahead."""
    last_ms = parse_rfc3339(HEARD)
    return [
        *(_minute(last_ms - HOUR_MS + (at - 15) * MINUTE_MS, at, ahead_ms=HOUR_MS) for at in range(15)),
        *(_minute(last_ms + (at - 15) * MINUTE_MS, 100 + at, ahead_ms=0) for at in range(15)),
    ]


def _minute(start_ms: int, number: int, *, ahead_ms: int) -> Message:
    """A minute of card GPU-7, used by the blue customer where the clock is wrong, else by nobody."""
    start, end = start_ms + ahead_ms, start_ms + ahead_ms + MINUTE_MS
    rows = (usage(card="GPU-7", owner="k8s:blue", workload="serve-2", started_at_ms=start, ended_at_ms=end),)
    sent = report(
        node="hz-07", started_at_ms=start, ended_at_ms=end, wall_ms=end, usage=rows if ahead_ms else (),
        cards=(card(card="GPU-7", started_at_ms=start, ended_at_ms=end),),
        scan=Scan(at_ms=end, cards=(ScannedCard(card="GPU-7", model="A100"),)),
    )  # fmt: skip
    return structs.replace(message(sent, number=number, sent_at_ms=end), received_at_ms=end - ahead_ms)
