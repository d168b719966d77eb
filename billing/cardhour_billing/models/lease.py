"""What is charged by time whether it is used or not: leases of cards, and add-ons beside them."""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.bitemporal import Bitemporal
from cardhour_billing.models.party import KEY_CHARS_MAX, NAME_CHARS_MAX, Customer

_RUNS_FORWARD = models.Q(valid_to_ms__isnull=True) | models.Q(valid_to_ms__gt=models.F("valid_from_ms"))


class Recurring(Bitemporal):
    """The terms that leases and add-ons have in common. ``unit_nano`` is an integer of 1e-9 currency units."""

    key = models.CharField(max_length=KEY_CHARS_MAX)
    """The catalog's id; rows that supersede each other share it."""
    per = models.CharField(max_length=16)
    currency = models.CharField(max_length=3)
    unit_nano = models.BigIntegerField()
    includes_tax = models.BooleanField(default=False)
    cycle = models.CharField(max_length=16, default="calendar")
    billing = models.CharField(max_length=16, default="arrears")
    non_refundable = models.BooleanField(default=False)

    class Meta:
        abstract = True
        ordering = ("id",)

    def __str__(self) -> str:
        return self.key


class Lease(Recurring):
    """Cards of a customer: these cards, all cards of these nodes, or so many of a model."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="leases")
    model = models.CharField(max_length=NAME_CHARS_MAX)
    cards = models.JSONField(default=list)
    """Card UUIDs. Without cards and nodes it is a pool."""
    nodes = models.JSONField(default=list)
    count = models.PositiveIntegerField()
    servers = models.PositiveIntegerField(default=1)
    sla_ppm = models.PositiveIntegerField(default=0)
    """Part of the price of faulted time that is credited, in parts per million."""

    class Meta(Recurring.Meta):
        constraints = (
            models.CheckConstraint(condition=_RUNS_FORWARD, name="lease_runs_forward"),
            models.CheckConstraint(condition=models.Q(unit_nano__gte=0), name="lease_price_not_negative"),
        )


class AddOn(Recurring):
    """Storage, network, software: each month or once."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="add_ons")
    name = models.CharField(max_length=NAME_CHARS_MAX)
    unit = models.CharField(max_length=16, blank=True)
    quantity_nano = models.BigIntegerField()
    """How many units, in 1e-9."""

    class Meta(Recurring.Meta):
        constraints = (
            models.CheckConstraint(condition=_RUNS_FORWARD, name="add_on_runs_forward"),
            models.CheckConstraint(condition=models.Q(unit_nano__gte=0), name="add_on_price_not_negative"),
            models.CheckConstraint(condition=models.Q(quantity_nano__gt=0), name="add_on_quantity_positive"),
        )
