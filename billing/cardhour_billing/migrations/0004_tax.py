"""Tax rules, insert-only like every fact of the catalog, and prices that include their tax.

The column is added by a statement of our own: Django would copy SQLite's table of prices into a new one, and the old
one's triggers would be gone with it.
"""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import create_triggers, insert_only


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, insert_only("billing_taxrule"))


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0003_rendered"),)
    operations = (
        migrations.RunSQL(
            "ALTER TABLE billing_price ADD COLUMN includes_tax bool NOT NULL DEFAULT false",
            state_operations=[
                migrations.AddField(model_name="price", name="includes_tax", field=models.BooleanField(default=False))
            ],
        ),
        migrations.CreateModel(
            name="TaxRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                ("model", models.CharField(blank=True, max_length=256)),
                ("category", models.CharField(max_length=16)),
                ("rate_ppm", models.PositiveIntegerField()),
                ("note", models.TextField(blank=True)),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tax_rules",
                        to="billing.customer",
                    ),
                ),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.taxrule",
                    ),
                ),
            ],
            options={"ordering": ("id",)},
        ),
        migrations.AddConstraint(
            model_name="taxrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_to_ms__isnull", True), ("valid_to_ms__gt", models.F("valid_from_ms")), _connector="OR"
                ),
                name="tax_rule_runs_forward",
            ),
        ),
        migrations.RunPython(create),
    )
