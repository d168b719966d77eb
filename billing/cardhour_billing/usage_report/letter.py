"""The letter that a month's usage report goes with, in the language of its subscription.

Owns its words, the attachment or the link in its place, and the headers by which a mail program ends the subscription
with one click (RFC 8058). Does not own making the report or sending (``usage_report.mailing``).
"""

from __future__ import annotations

from urllib.parse import urlencode

from msgspec import Struct

from cardhour_billing.config import BillingConfig
from cardhour_billing.figures import grouped, month_en, month_zh
from cardhour_billing.models import ReportSubscription
from cardhour_billing.money import Money, card_hours
from cardhour_billing.month_usage.content import MonthUsage
from cardhour_billing.portal_links import portal_link
from cardhour_billing.sending.mail import Attachment, Letter
from cardhour_billing.usage_report.formats import TYPES
from cardhour_billing.usage_report.order import Order
from cardhour_billing.usage_report.subscription import end_path


class Report(Struct, frozen=True, kw_only=True):
    """A month's report as it was made."""

    order: Order
    usage: MonthUsage
    content: bytes | None
    """None where it is too large for mail."""
    size: int


def report_letter(key: str, subscription: ReportSubscription, report: Report, config: BillingConfig) -> Letter:
    """The letter, to the address that its owner has today."""
    order, customer = report.order, report.order.customer
    end = portal_link(config, end_path(subscription))
    words = _chinese if subscription.language == "zh-hans" else _english
    subject, text = words(report, _download(order, config), end)
    files: tuple[Attachment, ...] = ()
    if report.content is not None:
        files = (Attachment(name=order.file_name, mime=TYPES[order.form].split(";")[0], content=report.content),)
    return Letter(
        key=key,
        recipients=(subscription.user.email,),
        subject=f"{customer.issuer.name}: {subject}",
        text=f"{text}\n\n{customer.issuer.name}\n",
        attachments=files,
        headers=(("List-Unsubscribe", f"<{end}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")),
    )


def _download(order: Order, config: BillingConfig) -> str:
    query = {"from": str(order.first), "to": str(order.last), "by": order.grouping, "format": order.form}
    return portal_link(config, f"/usage/report?{urlencode(query)}")


def _figures(usage: MonthUsage) -> tuple[str, str]:
    """Charges with their currency, and card-hours with two decimals."""
    net = grouped(str(Money(amount=usage.to_date, currency=usage.currency)))
    return f"{net} {usage.currency}", grouped(card_hours(sum(cell.quantity_us for cell in usage.cells), 2))


def _english(report: Report, link: str, end: str) -> tuple[str, str]:
    customer, name = report.order.customer.name, month_en(str(report.order.first))
    charges, hours = _figures(report.usage)
    file = f"The report is attached: {report.order.file_name}"
    if report.content is None:
        file = f"The report has {_megabytes(report.size)} MB, too many for mail. Sign in and download it:\n\n{link}"
    text = (
        f"Charges of {customer} in {name}, without tax: {charges}\nCard-hours, leased ones too: {hours}\n\n{file}\n\n"
        f"You subscribed to this report. To get no more of them:\n\n{end}"
    )
    return f"usage of {customer}, {name}", text


def _chinese(report: Report, link: str, end: str) -> tuple[str, str]:
    customer, name = report.order.customer.name, month_zh(str(report.order.first))
    charges, hours = _figures(report.usage)
    file = f"报表见附件：{report.order.file_name}"
    if report.content is None:
        file = f"报表大小为 {_megabytes(report.size)} MB，无法随邮件发送。请登录后下载：\n\n{link}"
    text = (
        f"{customer} {name}费用（未税）：{charges}\n卡时（含包租）：{hours}\n\n{file}\n\n"
        f"您订阅了此报表。如需退订，请打开：\n\n{end}"
    )
    return f"{customer} {name}用量报表", text


def _megabytes(size: int) -> str:
    return f"{size // 1_000_000:,}.{size // 100_000 % 10}"
