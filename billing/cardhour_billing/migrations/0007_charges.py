"""Lines that are not rated from usage: charges, which have a kind, a source and a unit, and no price.

Every change to the table of lines is followed by its triggers: SQLite copies a table to change it, and the old one's
triggers are gone with it.
"""

from __future__ import annotations

from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import restore_triggers

LINE_RULES = [
    rule
    for rule in import_module("cardhour_billing.migrations.0002_triggers").RULES
    if rule.table == "billing_invoiceline"
]


def guard_again(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Put the triggers of lines back."""
    restore_triggers(schema_editor, LINE_RULES)


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0006_credit"),)
    operations = (
        migrations.AddField("invoiceline", "kind", models.CharField(default="usage", max_length=16)),
        migrations.AddField("invoiceline", "source", models.CharField(blank=True, default="", max_length=256), False),
        migrations.AddField("invoiceline", "unit", models.CharField(default="card-hour", max_length=16)),
        migrations.AlterField(
            "invoiceline",
            "price",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="billing.price",
            ),
        ),
        migrations.AlterField("invoiceline", "model", models.CharField(blank=True, max_length=256)),
        migrations.AlterField("invoiceline", "unit_nano", models.BigIntegerField(blank=True, null=True)),
        migrations.AddConstraint(
            "invoiceline",
            models.UniqueConstraint(
                condition=models.Q(("source", ""), _negated=True),
                fields=("invoice", "source"),
                name="invoice_line_source",
            ),
        ),
        migrations.AddConstraint(
            "invoiceline",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "usage"), ("price__isnull", False), ("source", "")),
                    models.Q(
                        ("price__isnull", True),
                        models.Q(("kind", "usage"), _negated=True),
                        models.Q(("source", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="invoice_line_usage_or_charge",
            ),
        ),
        migrations.RunPython(guard_again),
    )
