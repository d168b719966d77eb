"""Lines of bank statements, and what became of each. Insert-only (triggers)."""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.credit import CreditEntry
from cardhour_billing.models.party import NAME_CHARS_MAX
from cardhour_billing.models.payment import Payment


class BankLine(models.Model):
    """One line of a statement. Money in is positive. The same line of the same statement is kept once, by ``key``."""

    key = models.CharField(max_length=64, unique=True)
    """SHA-256 of what the line says and of which of several equal lines it is."""
    account = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    """Which of our accounts, as whoever imported called it."""
    day = models.DateField()
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    payer = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    reference = models.TextField(blank=True)
    bank_id = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    """The bank's own number of the transaction, where it gives one."""
    file = models.CharField(max_length=NAME_CHARS_MAX)
    row = models.PositiveIntegerField()
    """Where it stood: file name and row."""
    imported_at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)

    class Meta:
        ordering = ("day", "id")

    def __str__(self) -> str:
        return self.code

    @property
    def code(self) -> str:
        """What people call it: ``B12``."""
        return f"B{self.pk}"


class BankUse(models.Model):
    """What a line was: a payment, money paid ahead, or nothing of ours (``note`` says what)."""

    line = models.OneToOneField(BankLine, on_delete=models.PROTECT, related_name="use")
    payment = models.ForeignKey(Payment, null=True, blank=True, on_delete=models.PROTECT, related_name="bank_uses")
    top_up = models.ForeignKey(CreditEntry, null=True, blank=True, on_delete=models.PROTECT, related_name="bank_uses")
    note = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(payment__isnull=False, top_up__isnull=True)
                | models.Q(payment__isnull=True, top_up__isnull=False)
                | (models.Q(payment__isnull=True, top_up__isnull=True) & ~models.Q(note="")),
                name="bank_use_is_one",
            ),
        )

    def __str__(self) -> str:
        return f"{self.line_id}: {self.payment_id or self.top_up_id or self.note}"
