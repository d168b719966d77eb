"""What was billed. A draft is recomputed at will; an issued row and its lines can never change again (triggers)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import models

from cardhour_billing.models.party import NAME_CHARS_MAX, Customer, Issuer
from cardhour_billing.models.price import Price


class NumberSeries(models.Model):
    """Gapless numbers of one issuer, document type and fiscal year. ``last`` only ever grows by one (trigger)."""

    issuer = models.ForeignKey(Issuer, on_delete=models.PROTECT, related_name="number_series")
    kind = models.CharField(max_length=16)
    fiscal_year = models.PositiveIntegerField()
    last = models.PositiveBigIntegerField(default=0)
    last_issue_date = models.DateField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("issuer", "kind", "fiscal_year"), name="number_series_unique"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.fiscal_year}"


class Invoice(models.Model):
    """One document of one customer and period. What it shows is ``frozen``; what it was computed from is ``inputs``."""

    class State(models.TextChoices):
        DRAFT = "draft"
        ISSUED = "issued"

    class Kind(models.TextChoices):
        INVOICE = "invoice"
        CREDIT_NOTE = "credit-note"

    class Reason(models.TextChoices):
        CORRECTION = "correction"
        """It was billed wrongly: what is billed from then on counts from the corrected figure."""
        GOODWILL = "goodwill"
        SLA = "sla"
        VOID = "void"
        """The whole invoice, as if it had never been."""

    issuer = models.ForeignKey(Issuer, on_delete=models.PROTECT, related_name="invoices")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="invoices")
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.INVOICE)
    original = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="credit_notes")
    """The invoice that a credit note credits; empty where a month of its own came to less than nothing."""
    reason = models.CharField(max_length=16, choices=Reason.choices, blank=True)
    """Of a credit note."""
    period = models.CharField(max_length=7)
    """``YYYY-MM`` in the customer's zone."""
    period_start_ms = models.BigIntegerField()
    period_end_ms = models.BigIntegerField()
    """Exclusive."""
    revision = models.PositiveIntegerField(default=0)
    """Documents of a customer and month are counted from 0: what the close issues, its credit notes, its re-issue."""
    state = models.CharField(max_length=8, choices=State.choices, default=State.DRAFT)
    series = models.ForeignKey(NumberSeries, null=True, blank=True, on_delete=models.PROTECT, related_name="invoices")
    sequence = models.PositiveBigIntegerField(null=True, blank=True)
    number = models.CharField(max_length=40, null=True, blank=True)  # NULL, not empty: it is unique
    issue_date = models.DateField(null=True, blank=True)
    """In the issuer's zone."""
    due_date = models.DateField(null=True, blank=True)
    issued_at_ms = models.BigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    net = models.BigIntegerField()
    """Minor units, as are ``tax`` and ``total``; all are negative in a credit note."""
    tax = models.BigIntegerField(default=0)
    total = models.BigIntegerField()
    usage_net = models.BigIntegerField(null=True, blank=True)
    """Of the net, what is usage, and what is leases and add-ons; the rest is adjustments, grants and commitments."""
    recurring_net = models.BigIntegerField(null=True, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    """SHA-256 of ``inputs``."""
    findings = models.JSONField(default=list, blank=True)
    """What keeps a draft from being issued, as ``finding.kept`` has it. Written by ``hold``."""
    held = models.PositiveIntegerField(default=0)
    """How many findings there are: what lists ask of each row, and an index can answer."""
    computed_at_ms = models.BigIntegerField()
    net_before = models.BigIntegerField(null=True, blank=True)
    """Of a draft: what it came to before it last changed, and when that had been computed."""
    before_at_ms = models.BigIntegerField(null=True, blank=True)
    frozen = models.BinaryField()
    """JSON of ``document.InvoiceDocument``. Last in its row, with ``inputs``: SQLite reads all that stands before a
    column, and lists and sums read none of these two."""
    inputs = models.BinaryField(default=b"")
    """Canonical JSON of what the figures were computed from (``frozen_inputs``); empty for a draft."""

    class Meta:
        ordering = ("-period", "customer__key", "revision")
        indexes = (
            # All that the sums of a month are made of: a list of ten thousand is added up without reading its rows.
            models.Index(
                fields=(
                    "period",
                    "state",
                    "held",
                    "currency",
                    "original",
                    "customer",
                    "net",
                    "tax",
                    "total",
                    "usage_net",
                    "recurring_net",
                    "computed_at_ms",
                ),
                name="invoice_of_month",
            ),
            # What is overdue, added up: the first page of every morning.
            models.Index(fields=("state", "kind", "due_date", "currency", "total"), name="invoice_by_due_date"),
        )
        constraints = (
            models.UniqueConstraint(fields=("customer", "period", "kind", "revision"), name="invoice_once"),
            models.UniqueConstraint(fields=("series", "sequence"), name="invoice_sequence_unique"),
            models.UniqueConstraint(fields=("issuer", "number"), name="invoice_number_unique"),
            models.CheckConstraint(
                condition=models.Q(state="draft", number__isnull=True, sequence__isnull=True)
                | models.Q(
                    state="issued", number__isnull=False, sequence__isnull=False, issue_date__isnull=False,
                    due_date__isnull=False, issued_at_ms__isnull=False,
                ),
                name="invoice_number_when_issued",
            ),
            models.CheckConstraint(condition=models.Q(total=models.F("net") + models.F("tax")), name="invoice_adds_up"),
        )  # fmt: skip

    def hold(self, findings: Sequence[Mapping[str, Any]]) -> None:
        """Say what keeps it from being issued; nothing, and it may be."""
        self.findings, self.held = list(findings), len(findings)

    def __str__(self) -> str:
        return self.number or f"draft of {self.customer_id} for {self.period}"


class InvoiceLine(models.Model):
    """One line of an invoice, rounded once: a line key of usage, or a charge. ``amount`` in minor units."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, default="usage")
    """``usage``, or a kind of charge."""
    source = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    """What a charge is for; empty for usage."""
    price = models.ForeignKey(Price, null=True, blank=True, on_delete=models.PROTECT, related_name="lines")
    """Empty for a charge."""
    model = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    unit = models.CharField(max_length=16, default="card-hour")
    band = models.CharField(max_length=40, blank=True)
    tier = models.CharField(max_length=40, blank=True)
    tax_category = models.CharField(max_length=16, blank=True)
    quantity_us = models.BigIntegerField()
    """Exact card-microseconds."""
    unit_nano = models.BigIntegerField(null=True, blank=True)
    """Empty for a charge."""
    amount = models.BigIntegerField()

    class Meta:
        ordering = ("invoice", "position")
        constraints = (
            models.UniqueConstraint(fields=("invoice", "position"), name="invoice_line_position"),
            models.UniqueConstraint(
                fields=("invoice", "source"), condition=~models.Q(source=""), name="invoice_line_source"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="usage", price__isnull=False, source="")
                | (models.Q(price__isnull=True) & ~models.Q(kind="usage") & ~models.Q(source="")),
                name="invoice_line_usage_or_charge",
            ),
        )

    def __str__(self) -> str:
        return f"{self.invoice_id}/{self.position}"
