"""Where customers' mail goes, what was mailed, and what became of it. The latter two are insert-only."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import create_triggers, insert_only

RULES = (*insert_only("billing_mail"), *insert_only("billing_mailoutcome"))
STATES = (("sent", "Sent"), ("refused", "Refused"), ("uncertain", "Uncertain"))


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, RULES)


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0009_events"),)
    operations = (
        migrations.RunSQL(
            "ALTER TABLE billing_customer ADD COLUMN email text NOT NULL DEFAULT ''",
            state_operations=[
                migrations.AddField(model_name="customer", name="email", field=models.TextField(blank=True))
            ],
        ),
        migrations.CreateModel(
            name="Mail",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=256)),
                ("round", models.PositiveIntegerField()),
                ("recipients", models.JSONField()),
                ("subject", models.CharField(max_length=256)),
                ("message_id", models.CharField(max_length=256)),
                ("sha256", models.CharField(max_length=64)),
                ("at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="mails", to="billing.customer"
                    ),
                ),
            ],
            options={"ordering": ("id",)},
        ),
        migrations.CreateModel(
            name="MailOutcome",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state", models.CharField(choices=STATES, max_length=10)),
                ("detail", models.CharField(blank=True, max_length=256)),
                ("at_ms", models.BigIntegerField()),
                (
                    "mail",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="outcome", to="billing.mail"
                    ),
                ),
            ],
            options={"ordering": ("id",)},
        ),
        migrations.AddConstraint(
            model_name="mail", constraint=models.UniqueConstraint(fields=("key", "round"), name="mail_once")
        ),
        migrations.RunPython(create),
    )
