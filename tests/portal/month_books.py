"""What a provider knows when its clerk's and its customer's month begin: three customers, their cards, two logins.

Owns the books of the walks, small enough that every sum is reckoned in the head: a card-hour of A100 is 10.00 and one
of H800 20.00, the tax is six percent. Written as a provider writes them: a catalog file, a usage file, messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, structs

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

HEARD = "2026-10-30T09:30:00+08:00"
"""When the node ``hz-07`` sent its last message."""
PASSWORD = "correct horse battery"
CLERK = "zhou.min"


class Names(Struct, frozen=True, kw_only=True):
    """What the three customers are called."""

    red: str
    blue: str
    green: str


NAMES = {
    "en": Names(red="Red Ltd", blue="Blue Ltd", green="Green Ltd"),
    "zh-hans": Names(red="红岩科技", blue="蓝湾智能", green="青禾智算"),
}

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

Used = tuple[str, str, str, str, str, int, int]
"""Owner, workload, card, model, day, and from which hour to which, in Shanghai."""

OCTOBER: tuple[Used, ...] = (
    ("k8s:red", "train-7", "GPU-1", "A100", "2026-10-03", 12, 20),
    ("k8s:red", "train-8", "GPU-9", "A100", "2026-10-04", 10, 12),
    ("k8s:blue", "serve-1", "GPU-2", "A100", "2026-10-10", 8, 13),
    ("k8s:blue", "render-4", "GPU-4", "L40S", "2026-10-12", 8, 12),
    ("k8s:lab", "notebook", "GPU-3", "A100", "2026-10-11", 8, 10),
    ("k8s:green-speech", "speech-1", "GPU-5", "A100", "2026-10-05", 8, 18),
    ("k8s:green-vision", "vision-1", "GPU-6", "H800", "2026-10-07", 8, 11),
)
"""``k8s:lab`` is bound to nobody, and an L40S has no price."""
NOVEMBER: tuple[Used, ...] = (
    ("k8s:green-speech", "speech-2", "GPU-5", "A100", "2026-11-03", 8, 16),
    ("k8s:green-vision", "vision-2", "GPU-6", "H800", "2026-11-05", 8, 10),
    ("k8s:green-speech", "speech-3", "GPU-8", "H800", "2026-11-06", 0, 12),
    ("k8s:green-speech", "speech-4", "GPU-5", "A100", "2026-11-19", 8, 14),
)
"""What the green customer used to the 19th. GPU-8 is leased."""
LATER: tuple[Used, ...] = (("k8s:green-speech", "speech-5", "GPU-5", "A100", "2026-11-21", 8, 18),)
"""And on the 21st."""


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


def usage_file(path: Path, used: Sequence[Used]) -> Path:
    """Written as ``cardhour import`` takes it."""
    path.write_text("owner,workload,card,model,started_at,ended_at\n" + "".join(map(_row, used)))
    return path


def _row(used: Used) -> str:
    owner, workload, name, model, day, first, last = used
    times = (f"{day}T{hour:02d}:00:00+08:00" for hour in (first, last))
    return ",".join((owner, workload, name, model, *times)) + "\n"


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
