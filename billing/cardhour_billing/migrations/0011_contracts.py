"""Contracts and commitments, insert-only like every fact of the catalog, and prices with tiers, bands and groups."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import create_triggers, insert_only


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    for table in ("billing_contract", "billing_commitment"):
        create_triggers(schema_editor, insert_only(table))


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0010_mail"),)

    operations = (
        migrations.AddField(
            model_name="price",
            name="scheme",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="Commitment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                ("contract", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=64)),
                ("term", models.CharField(max_length=16)),
                ("covers", models.JSONField(default=list)),
                ("quantity_us", models.BigIntegerField(blank=True, null=True)),
                ("amount", models.BigIntegerField(blank=True, null=True)),
                ("currency", models.CharField(max_length=3)),
                ("true_up_nano", models.BigIntegerField(blank=True, null=True)),
                ("overage_nano", models.BigIntegerField(blank=True, null=True)),
                ("includes_tax", models.BooleanField(default=False)),
                ("less_faults", models.BooleanField(default=False)),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.commitment",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("amount__isnull", True),
                                ("quantity_us__isnull", False),
                                ("true_up_nano__isnull", False),
                            ),
                            models.Q(("amount__isnull", False), ("quantity_us__isnull", True)),
                            _connector="OR",
                        ),
                        name="commitment_of_hours_or_money",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Contract",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                ("key", models.CharField(max_length=64)),
                ("discount_ppm", models.PositiveIntegerField(default=0)),
                (
                    "book",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="contracts", to="billing.pricebook"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="contracts", to="billing.customer"
                    ),
                ),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.contract",
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
                        name="contract_runs_forward",
                    )
                ],
            },
        ),
        migrations.RunPython(create),
    )
