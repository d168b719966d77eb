"""The words of reminders, in English and in Chinese, from friendly to final. Owns the texts alone."""

from __future__ import annotations

from collections.abc import Sequence

from cardhour_billing.figures import day_en, day_zh, grouped

Row = tuple[str, str, str, int]
"""Number, due date, what is open, days overdue."""


def subject(language: str, level: int, *, last: bool, issuer: str) -> str:
    """The line that a mailbox shows."""
    if language == "zh-hans":
        kind = "付款提醒" if level == 1 else "最后催款通知" if last else f"第 {level} 次催款通知"
        return f"{issuer}：{kind}"
    kind = "Payment reminder" if level == 1 else "Final reminder" if last else f"Reminder {level}"
    return f"{kind} from {issuer}"


def body(
    language: str,
    level: int,
    *,
    last: bool,
    customer: str,
    issuer: str,
    rows: Sequence[Row],
    total: str,
    currency: str,
) -> str:
    """The message: what is open, since when, and what is asked."""
    write = _chinese if language == "zh-hans" else _english
    return write(level, last, customer, issuer, rows, grouped(total), currency)


def _english(level: int, last: bool, customer: str, issuer: str, rows: Sequence[Row], total: str, currency: str) -> str:
    if level == 1:
        opening = "it may have escaped you: for the following we have not received a payment yet."
    elif last:
        opening = "although we have written before, the following is still open. This is our last reminder."
    else:
        opening = "we have written before about the following, which is still open."
    lines = [
        f"  {number}, due {day_en(due)} ({days} {'day' if days == 1 else 'days'} ago): {grouped(left)} {currency}"
        for number, due, left, days in rows
    ]
    asked = (
        "Please pay within seven days, or tell us at once what stands against it."
        if last
        else "Please pay it, or tell us what is wrong with it. If your payment is on its way, this is settled."
    )
    return "\n".join(
        [f"Dear {customer},", "", opening, "", *lines, "", f"Together {total} {currency}.", "", asked, "", issuer, ""]
    )


def _chinese(level: int, last: bool, customer: str, issuer: str, rows: Sequence[Row], total: str, currency: str) -> str:
    if level == 1:
        opening = "您好！以下账单已到期，我方尚未收到款项，特此提醒。"
    elif last:
        opening = "我方已多次去函，以下账单至今仍未付清。本函为最后一次催款。"
    else:
        opening = "我方此前已就以下账单去函提醒，至今仍未付清。"
    lines = [
        f"  {number}，到期日 {day_zh(due)}（逾期 {days} 天）：{grouped(left)} {currency}"
        for number, due, left, days in rows
    ]
    asked = (
        "请于七日内付清；如有异议，请立即告知。" if last else "请尽快付款；如有异议，请告知我方。若款项已付，敬请忽略。"
    )
    return "\n".join(
        [f"{customer}：", "", opening, "", *lines, "", f"合计 {total} {currency}。", "", asked, "", issuer, ""]
    )
