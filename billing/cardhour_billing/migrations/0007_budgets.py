"""Budgets, what crossed them, and customers' own webhooks; alerts and tries are insert-only."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.create_models import at_once
from cardhour_billing.triggers import create_triggers, insert_only

RULES = (*insert_only("billing_budgetalert"), *insert_only("billing_webhookdelivery"))


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, RULES)


@at_once
class Migration(migrations.Migration):
    """Forward only."""

    dependencies = [
        ("billing", "0006_usage_snapshots"),
    ]

    operations = [
        migrations.CreateModel(
            name="CustomerWebhook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("url", models.CharField(max_length=1024)),
                ("secret", models.CharField(max_length=128)),
                ("since_ms", models.BigIntegerField()),
                (
                    "customer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="webhook", to="billing.customer"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Budget",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("spend", "Spend"), ("balance", "Balance")], default="spend", max_length=8
                    ),
                ),
                ("project", models.CharField(blank=True, max_length=64)),
                ("model", models.CharField(blank=True, max_length=256)),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("thresholds", models.JSONField(default=list)),
                ("emails", models.JSONField(default=list)),
                ("created_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="budgets", to="billing.customer"
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="budget_above_zero")
                ],
            },
        ),
        migrations.CreateModel(
            name="BudgetAlert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("budget", models.PositiveBigIntegerField()),
                ("period", models.CharField(max_length=7)),
                ("threshold", models.PositiveIntegerField()),
                ("name", models.CharField(max_length=256)),
                ("reached", models.BigIntegerField()),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("emails", models.JSONField(default=list)),
                ("at_ms", models.BigIntegerField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="budget_alerts", to="billing.customer"
                    ),
                ),
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="budget_alert", to="billing.event"
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "constraints": [
                    models.UniqueConstraint(fields=("budget", "period", "threshold"), name="budget_alert_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempt", models.PositiveIntegerField()),
                ("at_ms", models.BigIntegerField()),
                ("status", models.PositiveIntegerField(blank=True, null=True)),
                ("outcome", models.CharField(max_length=256)),
                ("delivered", models.BooleanField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="webhook_deliveries",
                        to="billing.customer",
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="customer_deliveries",
                        to="billing.event",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "constraints": [models.UniqueConstraint(fields=("event", "attempt"), name="webhook_delivery_once")],
            },
        ),
        migrations.RunPython(create),
    ]
