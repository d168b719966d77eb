"""Money received and given back, and what it was used for: facts, insert-only (triggers).

A payment that bounces or is given back is a further row, never an edit. Amounts are integers of the minor unit.
"""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.credit import CreditEntry
from cardhour_billing.models.invoice import Invoice
from cardhour_billing.models.party import NAME_CHARS_MAX, Customer

REFERENCE_CHARS_MAX = 140
"""Remittance information of a bank transfer (ISO 20022)."""


class Payment(models.Model):
    """Money that came in (positive) or went out again (negative).

    ``amount`` is what the bank credited, ``fee`` what banks kept on the way, ``write_off`` what we let go: together
    they settle.
    """

    class Kind(models.TextChoices):
        RECEIPT = "receipt"
        REVERSAL = "reversal"
        """The whole receipt ``of`` came to nothing: it bounced, or was recorded by mistake."""
        REFUND = "refund"
        """A part of the receipt ``of``, or of the credit note ``of_credit``, was paid back."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="payments")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    reference = models.CharField(max_length=REFERENCE_CHARS_MAX)
    """What the bank's statement calls it."""
    day = models.DateField()
    """Value date."""
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    fee = models.BigIntegerField(default=0)
    write_off = models.BigIntegerField(default=0)
    of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="takings")
    of_credit = models.ForeignKey(Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="refunds")
    note = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    recorded_at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)

    class Meta:
        ordering = ("day", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("customer", "reference"), condition=models.Q(kind="receipt"), name="payment_reference_once"
            ),
            models.UniqueConstraint(fields=("of",), condition=models.Q(kind="reversal"), name="payment_reversed_once"),
            models.CheckConstraint(
                condition=models.Q(
                    kind="receipt", of__isnull=True, of_credit__isnull=True, amount__gt=0, fee__gte=0, write_off__gte=0
                )
                | models.Q(kind="reversal", of__isnull=False, of_credit__isnull=True, amount__lt=0)
                | (models.Q(kind="refund", amount__lt=0, fee=0, write_off=0) & ~models.Q(of=None, of_credit=None)),
                name="payment_is_of_its_kind",
            ),
        )

    def __str__(self) -> str:
        return f"{self.code}: {self.kind} of {self.customer_id}"

    @property
    def code(self) -> str:
        """What people call it: ``P12``."""
        return f"P{self.pk}"

    @property
    def settles(self) -> int:
        """What it adds to (or takes from) what can be allocated."""
        return self.amount + self.fee + self.write_off


class Allocation(models.Model):
    """A part of a receipt, of a credit note or of prepaid money, used for an invoice; below zero: taken back."""

    payment = models.ForeignKey(Payment, null=True, blank=True, on_delete=models.PROTECT, related_name="allocations")
    credit = models.ForeignKey(Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="uses")
    """A credit note."""
    prepaid = models.ForeignKey(
        CreditEntry, null=True, blank=True, on_delete=models.PROTECT, related_name="allocations"
    )
    """Money paid ahead: the entry that drew it, or gave it back."""
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="allocations")
    amount = models.BigIntegerField()
    at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(payment__isnull=False, credit__isnull=True, prepaid__isnull=True)
                | models.Q(payment__isnull=True, credit__isnull=False, prepaid__isnull=True)
                | models.Q(payment__isnull=True, credit__isnull=True, prepaid__isnull=False),
                name="allocation_of_one_source",
            ),
            models.CheckConstraint(condition=~models.Q(amount=0), name="allocation_not_zero"),
        )

    def __str__(self) -> str:
        return f"{self.amount} to {self.invoice_id}"
