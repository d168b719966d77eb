"""What one customer has agreed to pay by."""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.bitemporal import Bitemporal
from cardhour_billing.models.party import KEY_CHARS_MAX, Customer
from cardhour_billing.models.price import PriceBook


class Contract(Bitemporal):
    """A customer pays by a book, with a discount; its negotiated prices are in a book of its own."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="contracts")
    key = models.CharField(max_length=KEY_CHARS_MAX)
    book = models.ForeignKey(PriceBook, on_delete=models.PROTECT, related_name="contracts")
    discount_ppm = models.PositiveIntegerField(default=0)
    """Parts per million off every price but negotiated ones."""

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(valid_to_ms__isnull=True) | models.Q(valid_to_ms__gt=models.F("valid_from_ms")),
                name="contract_runs_forward",
            ),
        )

    def __str__(self) -> str:
        return self.key


class Commitment(Bitemporal):
    """What a contract's customer has committed to use in each term: card-hours of models, or money."""

    contract = models.CharField(max_length=KEY_CHARS_MAX)
    """Key of the contract, whichever of its rows is current."""
    key = models.CharField(max_length=KEY_CHARS_MAX)
    term = models.CharField(max_length=16)
    """``month``, ``quarter`` or ``contract``."""
    covers = models.JSONField(default=list)
    """What counts, each exact or a prefix; empty for everything."""
    quantity_us = models.BigIntegerField(null=True, blank=True)
    """Card-microseconds a term; empty where money is committed."""
    amount = models.BigIntegerField(null=True, blank=True)
    """Minor units a term, net after discount; empty where card-hours are committed."""
    currency = models.CharField(max_length=3)
    true_up_nano = models.BigIntegerField(null=True, blank=True)
    """Price of a card-hour that was committed and not used."""
    overage_nano = models.BigIntegerField(null=True, blank=True)
    """Price of a card-hour beyond what was committed; empty where those cost what they cost."""
    includes_tax = models.BooleanField(default=False)
    less_faults = models.BooleanField(default=False)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(quantity_us__isnull=False, amount__isnull=True, true_up_nano__isnull=False)
                | models.Q(quantity_us__isnull=True, amount__isnull=False),
                name="commitment_of_hours_or_money",
            ),
        )

    def __str__(self) -> str:
        return self.key
