"""Rendered documents: the files of an issued invoice, made once."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import Rule, create_triggers, insert_only

TABLE = "billing_rendereddocument"
RENDERED = "the files of an issued document are made once and never change"
OF_DRAFT = "only an issued document has files that are kept"

RULES = (
    *insert_only(TABLE, RENDERED),
    Rule(
        name=f"{TABLE}_of_issued",
        table=TABLE,
        event="INSERT",
        when="NOT EXISTS (SELECT 1 FROM billing_invoice WHERE id = NEW.invoice_id AND state = 'issued')",
        message=OF_DRAFT,
    ),
)


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, RULES)


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0002_triggers"),)
    operations = (
        migrations.CreateModel(
            name="RenderedDocument",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("format", models.CharField(choices=[("pdf", "Pdf"), ("csv", "Csv")], max_length=8)),
                ("content", models.BinaryField()),
                ("sha256", models.CharField(max_length=64)),
                ("rendered_at_ms", models.BigIntegerField()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rendered", to="billing.invoice"
                    ),
                ),
            ],
            options={"ordering": ("invoice", "format")},
        ),
        migrations.AddConstraint(
            model_name="rendereddocument",
            constraint=models.UniqueConstraint(fields=("invoice", "format"), name="rendered_once"),
        ),
        migrations.RunPython(create),
    )
