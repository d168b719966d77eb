"""A month of usage for the sample books: Qinghe AI in November, to the end of the 26th, with three leased servers.

Owns what was held when. The figures are computed by the code that bills, from a ledger in memory.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from django.db import transaction

from cardhour_billing.budgets.budget import add_budget, look_at_budgets
from cardhour_billing.models import Binding, Customer, CustomerWebhook, Lease, Project, WebhookDelivery
from cardhour_billing.money import Money
from cardhour_billing.month import Month, billing_period, day_start_ms
from cardhour_billing.month_usage.building import open_months
from cardhour_billing.month_usage.content import MonthUsage
from cardhour_billing.month_usage.keeping import keep
from cardhour_billing.statements.statement import draw_up, mark_sent
from cardhour_contract.clock import VirtualClock
from cardhour_contract.moment import DAY_MS, HOUR_MS, MINUTE_MS, format_rfc3339, to_ms
from tests.billing.memory_ledger import MemoryLedger

MONTH = Month(year=2026, month=11)
NOW = datetime(2026, 11, 26, 16, tzinfo=UTC)
"""Midnight in Shanghai: the 26th is whole."""

A100, A800 = "A100-SXM4-80GB", "A800-SXM4-80GB"
_OWNERS = {
    "k8s:qinghe-train": ("Foundation model", A800, 7),
    "k8s:qinghe-speech": ("Speech", A100, 3),
    "slurm:eval": ("Evaluation", A800, 2),
    "docker:tools": ("Platform tools", A100, 1),
}
_SERVERS = {"hz-a100-11": 30, "hz-a100-12": 30, "hz-a100-13": 15}
"""Leased servers and the last day of each lease."""


def write() -> None:
    """Write the kept month. The rows of the catalog that it needs are gone again: other pages have their own."""
    with transaction.atomic():
        made = _made()
        transaction.set_rollback(True)
    for customer, usage in made:
        keep(customer, usage)
        _alerts(customer)


def _alerts(customer: Customer) -> None:
    """Two budgets, of which one was said, a webhook that heard of it, and a statement of account."""
    clock = VirtualClock(to_ms(NOW))
    for amount, emails in ((40_000_000, ["cfo@qinghe.example"]), (100_000_000, [])):
        money = Money(amount=amount, currency=customer.currency)
        add_budget(customer, money, thresholds=(80, 100), emails=emails, clock=clock, who="chen.yi")
    (alert,) = look_at_budgets(clock)
    CustomerWebhook.objects.create(
        customer=customer, url="https://qinghe.example/hooks", secret="whsec_c2FtcGxl", since_ms=to_ms(NOW)
    )
    for attempt, status in enumerate((503, 204), start=1):
        WebhookDelivery.objects.create(
            customer=customer, event=alert.event, attempt=attempt, at_ms=to_ms(NOW) + attempt * MINUTE_MS,
            status=status, outcome="delivered" if status == 204 else f"the receiver answered {status}",
            delivered=status == 204,
        )  # fmt: skip
    reconciled = VirtualClock(to_ms(NOW) - 20 * DAY_MS)
    statement = draw_up(customer, date(2026, 9, 1), date(2026, 10, 31), clock=reconciled, who="lin.yue")
    mark_sent(statement, "cfo@qinghe.example", clock=reconciled, who="lin.yue")


def _made() -> list[tuple[Customer, MonthUsage]]:
    customer = Customer.objects.select_related("issuer").get(key="qinghe")
    for owner, (name, _, _) in _OWNERS.items():
        project = Project.objects.create(customer=customer, key=name)
        Binding.objects.create(customer=customer, project=project, owner=owner, valid_from_ms=0, recorded_at_ms=0)
    for node, last in _SERVERS.items():
        ends = _day(last + 1) if last < 30 else None
        Lease.objects.create(
            customer=customer, key=f"server-{node[-2:]}", model=A100, nodes=[node], count=8,
            per="server-month", currency="CNY",
            unit_nano=133_400 * 10**9, valid_from_ms=_day(1), valid_to_ms=ends, recorded_at_ms=0,
        )  # fmt: skip
    period = billing_period(MONTH, customer.timezone)
    return list(open_months(period, [customer], _held(), VirtualClock(to_ms(NOW))))


def _held() -> MemoryLedger:
    ledger = MemoryLedger()
    for owner, (_, model, cards) in _OWNERS.items():
        for card in range(cards):
            for day in range(1, 27):
                quiet = 9 if datetime(2026, 11, day, tzinfo=UTC).weekday() > 4 else 0
                hours = 12 + (card * 5 + day * 3) % 9 - quiet
                _hold(ledger, owner, model, f"GPU-{owner[-4:]}-{card}", f"hz-{model[:4].lower()}-{card}", day, hours)
    for at, (node, last) in enumerate(_SERVERS.items()):
        for card in range(8):
            for day in range(1, min(last, 26) + 1):
                hours = 24 if at == 0 else 11 + (card * 7 + day * 5) % 13
                if at == 1 and card > 4 and day >= 19:
                    continue  # three cards that nobody uses any more
                _hold(ledger, "k8s:qinghe-train", A100, f"GPU-{node[-2:]}-{card}", node, day, hours)
    ledger.fault("GPU-13-7", A100, _at(3, 22), _at(4, 0), node="hz-a100-13")
    return ledger


def _hold(ledger: MemoryLedger, owner: str, model: str, card: str, node: str, day: int, hours: int) -> None:
    if hours > 0:
        ledger.hold(owner, model, _at(day, 0), _at(day, min(hours, 24)), card=card, node=node, cluster="hz")


def _at(day: int, hour: int) -> str:
    return format_rfc3339(_day(day) + hour * HOUR_MS)


def _day(day: int) -> int:
    return day_start_ms(MONTH.first_day + timedelta(days=day - 1), "Asia/Shanghai")
