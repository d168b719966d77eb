"""What electronic documents need of the parties, and room for why a document cannot be said in a format.

SQLite copies a table to change it, so that its triggers are put back.
"""

from __future__ import annotations

from importlib import import_module

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import restore_triggers

RENDERED_RULES = import_module("cardhour_billing.migrations.0003_rendered").RULES


def guard_again(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Put the triggers of kept files back."""
    restore_triggers(schema_editor, RENDERED_RULES)


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0013_prepaid"),)
    operations = (
        migrations.AddField(
            model_name="customer",
            name="buyer_reference",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name="customer",
            name="country",
            field=models.CharField(blank=True, max_length=2),
        ),
        migrations.AddField(
            model_name="customer",
            name="endpoint",
            field=models.CharField(blank=True, max_length=256),
        ),
        migrations.AddField(
            model_name="issuer",
            name="country",
            field=models.CharField(blank=True, max_length=2),
        ),
        migrations.AddField(
            model_name="issuer",
            name="endpoint",
            field=models.CharField(blank=True, max_length=256),
        ),
        migrations.AddField(
            model_name="issuer",
            name="fapiao_code",
            field=models.CharField(blank=True, max_length=19),
        ),
        migrations.AddField(
            model_name="issuer",
            name="fapiao_item",
            field=models.CharField(blank=True, max_length=256),
        ),
        migrations.AddField(
            model_name="rendereddocument",
            name="absent_because",
            field=models.TextField(blank=True),
        ),
        migrations.AlterField(
            model_name="rendereddocument",
            name="format",
            field=models.CharField(choices=[("pdf", "Pdf"), ("csv", "Csv"), ("xml", "Xml")], max_length=8),
        ),
        migrations.RunPython(guard_again),
    )
