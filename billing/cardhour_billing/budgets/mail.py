"""Alerts of budgets by e-mail, each once.

Owns the letter and which are due. Does not own that a letter is sent once (``mailing``).
"""

from __future__ import annotations

import structlog

from cardhour_billing.figures import grouped, month_en, month_zh
from cardhour_billing.models import BudgetAlert
from cardhour_billing.money import Money
from cardhour_billing.outgoing import MailSettings
from cardhour_billing.sending.mail import Letter
from cardhour_billing.sending.mailing import Fate, fate_of, send
from cardhour_contract.clock import Clock
from cardhour_contract.errors import CardHourError
from cardhour_contract.moment import DAY_MS, MINUTE_MS

log = structlog.get_logger()

GIVE_UP_MS = DAY_MS
"""An alert that could not be mailed for a day is old news; the page has it."""

ROUNDS_MAX = 6
"""Tries at mailing one alert, each after twice the wait of the one before, from one minute on."""


def mail_due(settings: MailSettings, clock: Clock) -> list[Fate]:
    """Mail every alert that is due; what became of each. Nothing where no server is set."""
    if not settings.host:
        return []
    fates = []
    now_ms = clock.now_ms()
    for alert in (
        BudgetAlert.objects.select_related("customer__issuer").filter(at_ms__gt=now_ms - GIVE_UP_MS).order_by("id")
    ):
        if not alert.emails:
            continue
        before = fate_of(key_of(alert))
        if not before.open or before.round >= ROUNDS_MAX:
            continue
        if before.at_ms is not None and now_ms < before.at_ms + MINUTE_MS * 2 ** (before.round - 1):
            continue
        try:
            fates.append(send(alert.customer, letter_of(alert), settings, clock=clock, who="scheduler"))
        except CardHourError as error:
            log.warning("budget alert not mailed", alert=str(alert), error=str(error))
    return fates


def key_of(alert: BudgetAlert) -> str:
    """The name of its letter."""
    return f"budget {alert.budget} {alert.period} {alert.threshold}"


def letter_of(alert: BudgetAlert) -> Letter:
    """The alert in the customer's language."""
    amount = f"{grouped(str(Money(amount=alert.amount, currency=alert.currency)))} {alert.currency}"
    reached = f"{grouped(str(Money(amount=alert.reached, currency=alert.currency)))} {alert.currency}"
    balance, chinese = alert.name == "balance", alert.customer.language == "zh-hans"
    issuer = alert.customer.issuer.name
    if chinese and balance:
        subject = f"余额低于 {amount}"
        text = f"{alert.customer.name}：可用余额为 {reached}，低于您设置的 {amount}。"
    elif chinese:
        month, of = month_zh(alert.period), _zh(alert.name)
        subject = f"{month}预算已用 {alert.threshold}%：{of}"
        text = f"{alert.customer.name}：{month}费用（未税）已达 {reached}，预算 {amount}（{of}）。"
    elif balance:
        subject = f"Balance below {amount}"
        text = f"{alert.customer.name}: {reached} is available, which is below the {amount} that you set."
    else:
        subject = f"Budget of {month_en(alert.period)} at {alert.threshold}%: {alert.name}"
        text = (
            f"{alert.customer.name}: charges of {month_en(alert.period)}, without tax, have reached {reached} "
            f"of {amount} ({alert.name})."
        )
    after = "迟到的用量仍可能改变这些数字。" if chinese else "Usage arriving late can still change these figures."
    return Letter(
        key=key_of(alert),
        recipients=tuple(alert.emails),
        subject=f"{issuer}: {subject}",
        text=f"{text}\n\n{after}\n\n{issuer}\n",
    )


def _zh(name: str) -> str:
    return name.replace("everything", "全部").replace("project ", "项目 ").replace("model ", "型号 ")
