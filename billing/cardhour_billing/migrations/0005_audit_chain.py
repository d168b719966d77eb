"""The audit log becomes a chain. Entries that are there already are chained in the order of their ids.

The table is made anew: its rows cannot be updated, which is the point of it.
"""

from __future__ import annotations

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import create_triggers, insert_only


def chain(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Copy the old entries, each with the digest of the one before."""
    from cardhour_billing.audit import FIRST, digest_of

    new, previous = apps.get_model("billing", "AuditLog"), FIRST
    for position, old in enumerate(apps.get_model("billing", "UnchainedAudit").objects.order_by("id"), start=1):
        fields = {name: getattr(old, name) for name in ("at_ms", "who", "action", "subject", "detail")}
        entry = new(position=position, previous=previous, **fields)
        entry.digest = previous = digest_of(entry)
        entry.save(force_insert=True)


def guard(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, insert_only("billing_auditlog"))


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0004_tax"),)
    operations = (
        migrations.RenameModel("AuditLog", "UnchainedAudit"),
        migrations.CreateModel(
            name="AuditLog",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                ("action", models.CharField(max_length=40)),
                ("subject", models.CharField(max_length=256)),
                ("detail", models.JSONField(default=dict)),
                ("previous", models.CharField(max_length=64, unique=True)),
                ("digest", models.CharField(max_length=64)),
            ],
            options={"ordering": ("position",)},
        ),
        migrations.RunPython(chain),
        migrations.DeleteModel("UnchainedAudit"),
        migrations.RunPython(guard),
    )
