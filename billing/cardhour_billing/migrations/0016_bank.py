"""Lines of bank statements and what they were, insert-only."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import create_triggers, insert_only

RULES = (*insert_only("billing_bankline"), *insert_only("billing_bankuse"))


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, RULES)


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0015_fapiao"),)
    operations = (
        migrations.CreateModel(
            name="BankLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64, unique=True)),
                ("account", models.CharField(blank=True, max_length=256)),
                ("day", models.DateField()),
                ("currency", models.CharField(max_length=3)),
                ("amount", models.BigIntegerField()),
                ("payer", models.CharField(blank=True, max_length=256)),
                ("reference", models.TextField(blank=True)),
                ("bank_id", models.CharField(blank=True, max_length=256)),
                ("file", models.CharField(max_length=256)),
                ("row", models.PositiveIntegerField()),
                ("imported_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
            ],
            options={"ordering": ("day", "id")},
        ),
        migrations.CreateModel(
            name="BankUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("note", models.CharField(blank=True, max_length=256)),
                ("at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                (
                    "line",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="use", to="billing.bankline"
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bank_uses",
                        to="billing.payment",
                    ),
                ),
                (
                    "top_up",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bank_uses",
                        to="billing.creditentry",
                    ),
                ),
            ],
            options={"ordering": ("id",)},
        ),
        migrations.AddConstraint(
            model_name="bankuse",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("payment__isnull", False), ("top_up__isnull", True)),
                    models.Q(("payment__isnull", True), ("top_up__isnull", False)),
                    models.Q(
                        ("payment__isnull", True),
                        ("top_up__isnull", True),
                        models.Q(("note", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="bank_use_is_one",
            ),
        ),
        migrations.RunPython(create),
    )
