"""Invitations and who asked for a new password; mail to staff, who belong to no customer."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import insert_only, restore_triggers


def restore(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """SQLite copied the table of mail, and left its triggers behind."""
    restore_triggers(schema_editor, insert_only("billing_mail"))


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("billing", "0009_several_issuers"),
    ]

    operations = [
        migrations.CreateModel(
            name="ResetAsk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("place", models.CharField(max_length=64)),
                ("address_digest", models.CharField(max_length=64)),
                ("at_ms", models.BigIntegerField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64)),
                ("invited_at_ms", models.BigIntegerField()),
                ("expires_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invitation",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.AlterField(
            model_name="mail",
            name="customer",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="mails",
                to="billing.customer",
            ),
        ),
        migrations.RunPython(restore),
    ]
