"""What usage costs: price books and the prices in them."""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.bitemporal import Bitemporal
from cardhour_billing.models.party import KEY_CHARS_MAX, NAME_CHARS_MAX


class PriceBook(models.Model):
    """A named list of prices, whoever bills. ``list`` is what a customer without a contract pays."""

    key = models.CharField(max_length=KEY_CHARS_MAX, default="list", unique=True)

    def __str__(self) -> str:
        return self.key


class Price(Bitemporal):
    """The price of one unit of a model. ``unit_nano``, an integer of 1e-9 currency units, is that of its first tier."""

    book = models.ForeignKey(PriceBook, on_delete=models.PROTECT, related_name="prices")
    model = models.CharField(max_length=NAME_CHARS_MAX)
    unit = models.CharField(max_length=16, default="card-hour")
    currency = models.CharField(max_length=3)
    unit_nano = models.BigIntegerField()
    includes_tax = models.BooleanField(default=False)
    scheme = models.JSONField(null=True, blank=True)
    """Tiers, time-of-day bands and the models of a group (``current.price_row``); empty where there are none."""

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
