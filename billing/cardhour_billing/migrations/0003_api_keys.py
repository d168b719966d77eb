"""Keys of the API, and what repeated writes are answered. A key is revoked and paced, and otherwise never changed."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.create_models import at_once
from cardhour_billing.triggers import Rule, create_triggers

FIXED = ("name", "prefix", "digest", "created_at_ms", "created_by", "expires_at_ms")
WIDENED = " OR ".join(f"NEW.{column} <> OLD.{column}" for column in FIXED)
MOVED = " OR ".join(
    f"COALESCE(NEW.{column}, -1) <> COALESCE(OLD.{column}, -1)" for column in ("customer_id", "user_id")
)
REVIVED = "OLD.revoked_at_ms IS NOT NULL AND COALESCE(NEW.revoked_at_ms, -1) <> OLD.revoked_at_ms"
RULES = (
    Rule(
        name="api_key_stays",
        table="billing_apikey",
        event="UPDATE",
        when=f"({WIDENED} OR {MOVED} OR ({REVIVED}) OR CAST(NEW.scopes AS TEXT) <> CAST(OLD.scopes AS TEXT))",
        message="a key may be revoked and not be changed: make another",
    ),
)


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, RULES)


@at_once
class Migration(migrations.Migration):
    """Forward only."""

    dependencies = [
        ("billing", "0002_guards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=256)),
                ("prefix", models.CharField(max_length=16, unique=True)),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("scopes", models.JSONField()),
                ("created_at_ms", models.BigIntegerField()),
                ("created_by", models.CharField(max_length=150)),
                ("expires_at_ms", models.BigIntegerField()),
                ("revoked_at_ms", models.BigIntegerField(blank=True, null=True)),
                ("last_used_at_ms", models.BigIntegerField(blank=True, null=True)),
                ("paced_to_ms", models.BigIntegerField(default=0)),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_keys",
                        to="billing.customer",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_keys",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="ApiAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("idempotency_key", models.CharField(max_length=200)),
                ("request_digest", models.CharField(max_length=64)),
                ("status", models.PositiveIntegerField()),
                ("body", models.BinaryField()),
                ("at_ms", models.BigIntegerField(db_index=True)),
                (
                    "key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="answers", to="billing.apikey"
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("customer__isnull", False), ("user__isnull", True)),
                    models.Q(("customer__isnull", True), ("user__isnull", False)),
                    _connector="OR",
                ),
                name="api_key_of_one_owner",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at_ms__gt", models.F("created_at_ms"))), name="api_key_runs_forward"
            ),
        ),
        migrations.AddConstraint(
            model_name="apianswer",
            constraint=models.UniqueConstraint(fields=("key", "idempotency_key"), name="api_answer_once"),
        ),
        migrations.RunPython(create),
    ]
