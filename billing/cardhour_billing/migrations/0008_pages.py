"""What makes a page take as long with ten thousand customers as with ten: indexes, and figures that are kept."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("billing", "0007_budgets"),)
    operations = (
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                fields=[
                    "period",
                    "state",
                    "held",
                    "currency",
                    "original",
                    "customer",
                    "net",
                    "tax",
                    "total",
                    "computed_at_ms",
                ],
                name="invoice_of_month",
            ),
        ),
        migrations.CreateModel(
            name="KeptFigures",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("computed_at_ms", models.BigIntegerField()),
                ("content", models.BinaryField()),
            ],
        ),
        migrations.AddIndex(model_name="customer", index=models.Index(fields=["name"], name="customer_by_name")),
    )
