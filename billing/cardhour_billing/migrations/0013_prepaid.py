"""Who is prepaid and when that is low, and what was unbilled of it hour by hour, insert-only."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import create_triggers, insert_only


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, insert_only("billing_provisionalcharge"))


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0012_leases"),)
    operations = (
        migrations.RunSQL(
            "ALTER TABLE billing_customer ADD COLUMN prepaid bool NOT NULL DEFAULT false",
            state_operations=[
                migrations.AddField(model_name="customer", name="prepaid", field=models.BooleanField(default=False))
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE billing_customer ADD COLUMN low_balance bigint NULL",
            state_operations=[
                migrations.AddField(
                    model_name="customer", name="low_balance", field=models.BigIntegerField(blank=True, null=True)
                )
            ],
        ),
        migrations.CreateModel(
            name="ProvisionalCharge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour_ms", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("unbilled", models.BigIntegerField()),
                ("prepaid", models.BigIntegerField()),
                ("at_ms", models.BigIntegerField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="provisional_charges",
                        to="billing.customer",
                    ),
                ),
            ],
            options={"ordering": ("id",)},
        ),
        migrations.AddConstraint(
            model_name="provisionalcharge",
            constraint=models.UniqueConstraint(fields=("customer", "hour_ms"), name="provisional_charge_once"),
        ),
        migrations.RunPython(create),
    )
