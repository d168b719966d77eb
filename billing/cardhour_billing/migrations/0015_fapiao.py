"""Fapiao requests and what became of them: insert-only, and never more of a line than was invoiced."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import Rule, create_triggers, insert_only

LINES = "billing_fapiaorequestline"

RULES = (
    *insert_only("billing_fapiaorequest"),
    *insert_only(LINES),
    *insert_only("billing_fapiaoevent"),
    # A line's amount is its net, or more where its tax is in it: the exact limit is the code's, under a lock.
    Rule(
        name=f"{LINES}_within_invoice",
        table=LINES,
        event="INSERT",
        when=(
            "(SELECT ABS(NEW.net + COALESCE(SUM(l.net), 0)) FROM billing_fapiaorequestline l "
            "WHERE l.line_id = NEW.line_id AND NOT EXISTS (SELECT 1 FROM billing_fapiaoevent e "
            "WHERE e.request_id = l.request_id AND e.kind <> 'issued')) "
            "> (SELECT ABS(i.amount) FROM billing_invoiceline i WHERE i.id = NEW.line_id)"
        ),
        message="a fapiao is never for more than was invoiced",
    ),
    Rule(
        name=f"{LINES}_of_issued",
        table=LINES,
        event="INSERT",
        when=(
            "NOT EXISTS (SELECT 1 FROM billing_invoiceline i JOIN billing_invoice v ON v.id = i.invoice_id "
            "WHERE i.id = NEW.line_id AND v.state = 'issued')"
        ),
        message="a fapiao is for what was issued",
    ),
)


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, RULES)


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0014_documents"),)
    operations = (
        migrations.CreateModel(
            name="FapiaoRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("buyer_name", models.CharField(max_length=256)),
                ("buyer_tax_id", models.CharField(max_length=64)),
                ("special", models.BooleanField(default=True)),
                ("remark", models.TextField(blank=True)),
                ("requested_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fapiao_requests",
                        to="billing.customer",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="FapiaoEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("issued", "Issued"), ("red-lettered", "Red Lettered"), ("withdrawn", "Withdrawn")],
                        max_length=12,
                    ),
                ),
                ("number", models.CharField(blank=True, max_length=20, null=True, unique=True)),
                ("day", models.DateField()),
                ("reason", models.TextField(blank=True)),
                ("at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="events", to="billing.fapiaorequest"
                    ),
                ),
            ],
            options={
                "ordering": ("request", "id"),
                "constraints": [models.UniqueConstraint(fields=("request", "kind"), name="fapiao_event_once")],
            },
        ),
        migrations.CreateModel(
            name="FapiaoRequestLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("item", models.CharField(max_length=256)),
                ("code", models.CharField(max_length=19)),
                ("rate_percent", models.CharField(max_length=8)),
                ("net", models.BigIntegerField()),
                ("tax", models.BigIntegerField()),
                ("gross", models.BigIntegerField()),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fapiao_lines",
                        to="billing.invoiceline",
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="billing.fapiaorequest"
                    ),
                ),
            ],
            options={
                "ordering": ("request", "id"),
                "constraints": [
                    models.UniqueConstraint(fields=("request", "line"), name="fapiao_line_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "gross",
                                django.db.models.expressions.CombinedExpression(models.F("net"), "+", models.F("tax")),
                            )
                        ),
                        name="fapiao_line_adds_up",
                    ),
                ],
            },
        ),
        migrations.RunPython(create),
    )
