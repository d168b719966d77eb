"""Closes that somebody asked for, and what a draft came to before it last changed."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Forward only. The new columns are nullable, so SQLite adds them in place and keeps its triggers."""

    dependencies = (("billing", "0004_roles"),)
    operations = (
        migrations.AddField(
            model_name="invoice", name="net_before", field=models.BigIntegerField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="invoice", name="before_at_ms", field=models.BigIntegerField(blank=True, null=True)
        ),
        migrations.CreateModel(
            name="CloseRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token", models.CharField(max_length=40, unique=True)),
                ("month", models.CharField(max_length=7)),
                ("issue", models.BooleanField()),
                ("customers", models.JSONField(default=list)),
                ("who", models.CharField(max_length=150)),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "Running"), ("done", "Done"), ("failed", "Failed")],
                        default="running",
                        max_length=8,
                    ),
                ),
                ("what", models.CharField(blank=True, max_length=256)),
                ("done", models.PositiveIntegerField(default=0)),
                ("of", models.PositiveIntegerField(default=0)),
                ("issued", models.PositiveIntegerField(default=0)),
                ("drafts", models.PositiveIntegerField(default=0)),
                ("blocked", models.PositiveIntegerField(default=0)),
                ("checks", models.JSONField(default=list)),
                ("started_at_ms", models.BigIntegerField()),
                ("heard_at_ms", models.BigIntegerField()),
                ("finished_at_ms", models.BigIntegerField(blank=True, null=True)),
            ],
            options={
                "ordering": ("id",),
                "indexes": [models.Index(fields=["month", "id"], name="close_run_month")],
            },
        ),
    )
