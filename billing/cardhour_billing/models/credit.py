"""Customer credit, double-entry: what a customer has paid ahead, and what it was granted. Insert-only (triggers).

Every movement goes from one account to another of the same customer and currency, so an entry sums to zero whatever
its movements are: no row could say otherwise. Triggers keep each account's ``balance`` the sum of its movements, and a
check refuses one below zero where customers may not owe; both hold whoever writes, in whatever order.
"""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.party import NAME_CHARS_MAX, Customer


class CreditGrant(models.Model):
    """An allowance before tax. Insert-only; what is left of it is the balance of its account."""

    class Category(models.TextChoices):
        EVERYTHING = "everything"
        USAGE = "usage"
        LEASE = "lease"
        ADD_ON = "add-on"
        COMMITMENT = "commitment"

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="grants")
    currency = models.CharField(max_length=3)
    category = models.CharField(max_length=16, choices=Category.choices, default=Category.EVERYTHING)
    """Which lines it pays for."""
    model = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    """Only lines of this model, or of a prefix ending in ``*``; empty: any."""
    priority = models.PositiveIntegerField(default=100)
    """Lower is spent first."""
    valid_from_ms = models.BigIntegerField()
    expires_at_ms = models.BigIntegerField(null=True, blank=True)
    """Exclusive; usage of a period that began before it may still be paid from it. Empty: never."""
    reason = models.CharField(max_length=NAME_CHARS_MAX)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(expires_at_ms__isnull=True) | models.Q(expires_at_ms__gt=models.F("valid_from_ms")),
                name="grant_runs_forward",
            ),
        )

    def __str__(self) -> str:
        return f"grant {self.pk}"


class CreditAccount(models.Model):
    """One account of a customer and currency. Only its balance ever changes, and only with a movement (triggers)."""

    class Kind(models.TextChoices):
        CASH = "cash"
        """Money received, less what was given back. Negative: it is where prepaid money comes from."""
        PREPAID = "prepaid"
        """What the customer has paid ahead and not used. Never below zero."""
        CLEARING = "clearing"
        """What prepaid has paid of invoices."""
        ALLOWANCE = "allowance"
        """Where grants come from. Negative."""
        GRANT = "grant"
        """What is left of one grant. Never below zero."""
        SPENT = "spent"
        """What grants have paid of invoices."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="credit_accounts")
    currency = models.CharField(max_length=3)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    grant = models.OneToOneField(CreditGrant, null=True, blank=True, on_delete=models.PROTECT, related_name="account")
    balance = models.BigIntegerField(default=0)
    """Minor units. Movements in, less movements out."""

    class Meta:
        ordering = ("customer", "currency", "kind", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("customer", "currency", "kind"),
                condition=models.Q(grant__isnull=True),
                name="credit_account_once",
            ),
            models.CheckConstraint(
                condition=models.Q(balance__gte=0) | ~models.Q(kind__in=("prepaid", "grant")),
                name="credit_not_overdrawn",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="grant", grant__isnull=False)
                | (~models.Q(kind="grant") & models.Q(grant__isnull=True)),
                name="credit_account_of_grant",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} of {self.customer_id} in {self.currency}"


class CreditEntry(models.Model):
    """One event in the credit of a customer: its movements stand or fall together."""

    class Kind(models.TextChoices):
        TOP_UP = "top-up"
        REFUND = "refund"
        APPLY = "apply"
        """Prepaid pays an invoice."""
        RELEASE = "release"
        """What an invoice was paid comes back to prepaid."""
        GRANT = "grant"
        USE = "use"
        """Grants pay lines of an invoice."""
        RESTORE = "restore"
        """What an invoice took of grants comes back to them."""
        EXPIRE = "expire"

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="credit_entries")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    key = models.CharField(max_length=NAME_CHARS_MAX, unique=True)
    """What it is for, such as ``apply:INV-2026-0001``: the same thing is never entered twice."""
    reference = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    """What people look for: a bank's reference, an invoice number, a reason."""
    at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"


class CreditMovement(models.Model):
    """An amount that goes from one account to another, within a customer and currency."""

    entry = models.ForeignKey(CreditEntry, on_delete=models.PROTECT, related_name="movements")
    source = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="movements_out")
    target = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="movements_in")
    amount = models.BigIntegerField()
    """Minor units, above zero."""

    class Meta:
        ordering = ("id",)
        constraints = (models.CheckConstraint(condition=models.Q(amount__gt=0), name="credit_movement_above_zero"),)

    def __str__(self) -> str:
        return f"{self.amount} from {self.source_id} to {self.target_id}"
