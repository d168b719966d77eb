"""What usage belongs to whom, and what it costs: bitemporal rows that are superseded, never edited.

Valid ``[from, to)`` in UTC milliseconds; an empty ``to`` means until further notice. A row that another supersedes is
history; the *current* rows are those that none supersedes, and only they may not overlap.
"""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.party import KEY_CHARS_MAX, NAME_CHARS_MAX, Customer, Issuer, Project

NOT_SUPERSEDED = models.Q(superseded_by__isnull=True)
"""Filter for the current rows of a bitemporal table."""


class Bitemporal(models.Model):
    """When a row holds in the world, and when we learnt it."""

    valid_from_ms = models.BigIntegerField()
    valid_to_ms = models.BigIntegerField(null=True, blank=True)
    """Exclusive; empty until further notice."""
    recorded_at_ms = models.BigIntegerField()
    supersedes = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="superseded_by"
    )

    class Meta:
        abstract = True


class Binding(Bitemporal):
    """An owner, somewhere, is a customer. An empty scope field means anywhere; ``owner`` may end in ``*``."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="bindings")
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.PROTECT, related_name="bindings")
    owner = models.CharField(max_length=NAME_CHARS_MAX)
    cluster = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    node = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    card = models.CharField(max_length=NAME_CHARS_MAX, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(valid_to_ms__isnull=True) | models.Q(valid_to_ms__gt=models.F("valid_from_ms")),
                name="binding_runs_forward",
            ),
        )

    def __str__(self) -> str:
        return f"{self.owner} is {self.customer_id}"


class PriceBook(models.Model):
    """A named list of prices. ``list`` is what a customer without a contract pays."""

    issuer = models.ForeignKey(Issuer, on_delete=models.PROTECT, related_name="price_books")
    key = models.CharField(max_length=KEY_CHARS_MAX, default="list")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("issuer", "key"), name="price_book_key_unique"),)

    def __str__(self) -> str:
        return self.key


class Price(Bitemporal):
    """The price of one unit of a model. ``unit_nano`` is an integer of 1e-9 currency units."""

    book = models.ForeignKey(PriceBook, on_delete=models.PROTECT, related_name="prices")
    model = models.CharField(max_length=NAME_CHARS_MAX)
    unit = models.CharField(max_length=16, default="card-hour")
    currency = models.CharField(max_length=3)
    unit_nano = models.BigIntegerField()
    includes_tax = models.BooleanField(default=False)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(valid_to_ms__isnull=True) | models.Q(valid_to_ms__gt=models.F("valid_from_ms")),
                name="price_runs_forward",
            ),
            models.CheckConstraint(condition=models.Q(unit_nano__gte=0), name="price_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.model} at {self.unit_nano}e-9 {self.currency}"


class TaxRule(Bitemporal):
    """How sales are taxed. No customer: everybody; an empty model: everything, or a prefix ending in ``*``."""

    customer = models.ForeignKey(Customer, null=True, blank=True, on_delete=models.PROTECT, related_name="tax_rules")
    model = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    category = models.CharField(max_length=16)
    """``standard``, ``reduced``, ``zero``, ``exempt`` or ``reverse-charge``."""
    rate_ppm = models.PositiveIntegerField()
    """Parts per million: 60 000 for 6 %."""
    note = models.TextField(blank=True)
    """Legal sentence that the document prints."""

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(valid_to_ms__isnull=True) | models.Q(valid_to_ms__gt=models.F("valid_from_ms")),
                name="tax_rule_runs_forward",
            ),
        )

    def __str__(self) -> str:
        return f"{self.category} at {self.rate_ppm} ppm"
