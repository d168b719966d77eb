"""Fapiao (发票) as we know of them: what we asked the tax bureau's system for, and what came back.

A fapiao is issued elsewhere; these rows are insert-only records of it (triggers). What a request is now is derived from
its events: requested, issued, red-lettered (红冲) or withdrawn. Amounts are in minor units of CNY.
"""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.invoice import InvoiceLine
from cardhour_billing.models.party import KEY_CHARS_MAX, NAME_CHARS_MAX, Customer


class FapiaoRequest(models.Model):
    """One fapiao that was asked for (开票申请): for one buyer, over lines of any of its invoices."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="fapiao_requests")
    buyer_name = models.CharField(max_length=NAME_CHARS_MAX)
    """购方名称, as registered."""
    buyer_tax_id = models.CharField(max_length=KEY_CHARS_MAX)
    """统一社会信用代码."""
    special = models.BooleanField(default=True)
    """增值税专用发票, from which the buyer deducts; else 普通发票."""
    remark = models.TextField(blank=True)
    """备注: the numbers of the statements it is for, and whatever else was given."""
    requested_at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"fapiao request {self.pk}"


class FapiaoRequestLine(models.Model):
    """What a request asks for of one invoice line. Lines and requests are many-to-many."""

    request = models.ForeignKey(FapiaoRequest, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(InvoiceLine, on_delete=models.PROTECT, related_name="fapiao_lines")
    item = models.CharField(max_length=NAME_CHARS_MAX)
    """项目名称."""
    code = models.CharField(max_length=19)
    """商品和服务税收分类编码, 19 digits."""
    rate_percent = models.CharField(max_length=8)
    net = models.BigIntegerField()
    """不含税金额."""
    tax = models.BigIntegerField()
    """税额."""
    gross = models.BigIntegerField()
    """价税合计."""

    class Meta:
        ordering = ("request", "id")
        constraints = (
            models.UniqueConstraint(fields=("request", "line"), name="fapiao_line_once"),
            models.CheckConstraint(
                condition=models.Q(gross=models.F("net") + models.F("tax")), name="fapiao_line_adds_up"
            ),
        )

    def __str__(self) -> str:
        return f"{self.request_id}/{self.line_id}"


class FapiaoEvent(models.Model):
    """What became of a request, each at most once."""

    class Kind(models.TextChoices):
        ISSUED = "issued"
        RED_LETTERED = "red-lettered"
        WITHDRAWN = "withdrawn"

    request = models.ForeignKey(FapiaoRequest, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    number = models.CharField(max_length=20, null=True, blank=True, unique=True)  # NULL: a withdrawal has none
    """数电票号码, 20 digits: of the fapiao, or of the one in red letters."""
    day = models.DateField()
    """开票日期, or the day it was withdrawn."""
    reason = models.TextField(blank=True)
    at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)

    class Meta:
        ordering = ("request", "id")
        constraints = (models.UniqueConstraint(fields=("request", "kind"), name="fapiao_event_once"),)

    def __str__(self) -> str:
        return f"{self.request_id} {self.kind}"
