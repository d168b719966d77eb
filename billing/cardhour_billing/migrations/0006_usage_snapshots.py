"""Months of usage as they were put together last, and the reports that were asked for: derived, made again at will."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

from cardhour_billing.create_models import at_once


@at_once
class Migration(migrations.Migration):
    """Forward only."""

    dependencies = [
        ("billing", "0005_close_runs"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReportRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                ("grouping", models.CharField(max_length=32)),
                ("form", models.CharField(max_length=8)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("stopped", "Stopped"),
                        ],
                        default="running",
                        max_length=8,
                    ),
                ),
                ("done", models.PositiveIntegerField(default=0)),
                ("of", models.PositiveIntegerField()),
                ("rows", models.BigIntegerField(default=0)),
                ("size", models.BigIntegerField(default=0)),
                ("outcome", models.TextField(blank=True)),
                ("who", models.CharField(max_length=150)),
                ("started_at_ms", models.BigIntegerField()),
                ("seen_at_ms", models.BigIntegerField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="report_runs", to="billing.customer"
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="UsageSnapshot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("period", models.CharField(max_length=7)),
                ("document", models.CharField(blank=True, max_length=256)),
                ("computed_at_ms", models.BigIntegerField()),
                ("content", models.BinaryField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="usage_snapshots",
                        to="billing.customer",
                    ),
                ),
            ],
            options={
                "ordering": ("customer", "period"),
                "constraints": [models.UniqueConstraint(fields=("customer", "period"), name="usage_snapshot_once")],
            },
        ),
    ]
