"""Statements of account and what became of them: insert-only."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import create_triggers, insert_only

RULES = (*insert_only("billing_statement"), *insert_only("billing_statementevent"))


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, RULES)


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0016_bank"),)
    operations = (
        migrations.CreateModel(
            name="Statement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                ("revision", models.PositiveIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("opening", models.BigIntegerField()),
                ("closing", models.BigIntegerField()),
                ("frozen", models.BinaryField()),
                ("drawn_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="statements", to="billing.customer"
                    ),
                ),
            ],
            options={
                "ordering": ("customer__key", "first_day", "last_day", "revision"),
            },
        ),
        migrations.CreateModel(
            name="StatementEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("sent", "Sent"), ("confirmed", "Confirmed"), ("disputed", "Disputed")], max_length=10
                    ),
                ),
                ("line", models.PositiveIntegerField(blank=True, null=True)),
                ("note", models.TextField(blank=True)),
                ("at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                (
                    "statement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="events", to="billing.statement"
                    ),
                ),
            ],
            options={
                "ordering": ("statement", "id"),
            },
        ),
        migrations.AddConstraint(
            model_name="statement",
            constraint=models.UniqueConstraint(
                fields=("customer", "first_day", "last_day", "revision"), name="statement_once"
            ),
        ),
        migrations.RunPython(create),
    )
