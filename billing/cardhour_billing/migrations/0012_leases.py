"""Leases, add-ons and costs: facts, so insert-only."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import create_triggers, insert_only

TABLES = ("billing_lease", "billing_addon", "billing_cost")


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create the triggers that keep rows from being edited."""
    create_triggers(schema_editor, [rule for table in TABLES for rule in insert_only(table)])


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0011_contracts"),)

    operations = (
        migrations.CreateModel(
            name="AddOn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                ("key", models.CharField(max_length=64)),
                ("per", models.CharField(max_length=16)),
                ("currency", models.CharField(max_length=3)),
                ("unit_nano", models.BigIntegerField()),
                ("includes_tax", models.BooleanField(default=False)),
                ("cycle", models.CharField(default="calendar", max_length=16)),
                ("billing", models.CharField(default="arrears", max_length=16)),
                ("non_refundable", models.BooleanField(default=False)),
                ("name", models.CharField(max_length=256)),
                ("unit", models.CharField(blank=True, max_length=16)),
                ("quantity_nano", models.BigIntegerField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="add_ons", to="billing.customer"
                    ),
                ),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.addon",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to_ms__isnull", True),
                            ("valid_to_ms__gt", models.F("valid_from_ms")),
                            _connector="OR",
                        ),
                        name="add_on_runs_forward",
                    ),
                    models.CheckConstraint(condition=models.Q(("unit_nano__gte", 0)), name="add_on_price_not_negative"),
                    models.CheckConstraint(
                        condition=models.Q(("quantity_nano__gt", 0)), name="add_on_quantity_positive"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Cost",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                ("model", models.CharField(max_length=256)),
                ("currency", models.CharField(max_length=3)),
                ("cards_per_server", models.PositiveIntegerField()),
                ("purchase_nano", models.BigIntegerField()),
                ("depreciation_months", models.PositiveIntegerField()),
                ("hosting_nano", models.BigIntegerField()),
                ("power_nano", models.BigIntegerField()),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.cost",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to_ms__isnull", True),
                            ("valid_to_ms__gt", models.F("valid_from_ms")),
                            _connector="OR",
                        ),
                        name="cost_runs_forward",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cards_per_server__gt", 0), ("depreciation_months__gt", 0)),
                        name="cost_can_be_divided",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                ("key", models.CharField(max_length=64)),
                ("per", models.CharField(max_length=16)),
                ("currency", models.CharField(max_length=3)),
                ("unit_nano", models.BigIntegerField()),
                ("includes_tax", models.BooleanField(default=False)),
                ("cycle", models.CharField(default="calendar", max_length=16)),
                ("billing", models.CharField(default="arrears", max_length=16)),
                ("non_refundable", models.BooleanField(default=False)),
                ("model", models.CharField(max_length=256)),
                ("cards", models.JSONField(default=list)),
                ("nodes", models.JSONField(default=list)),
                ("count", models.PositiveIntegerField()),
                ("servers", models.PositiveIntegerField(default=1)),
                ("sla_ppm", models.PositiveIntegerField(default=0)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="leases", to="billing.customer"
                    ),
                ),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.lease",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to_ms__isnull", True),
                            ("valid_to_ms__gt", models.F("valid_from_ms")),
                            _connector="OR",
                        ),
                        name="lease_runs_forward",
                    ),
                    models.CheckConstraint(condition=models.Q(("unit_nano__gte", 0)), name="lease_price_not_negative"),
                ],
            },
        ),
        migrations.RunPython(create),
    )
