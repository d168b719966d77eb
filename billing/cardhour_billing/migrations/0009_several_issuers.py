"""Several issuers: price books are everybody's. The smallest invoice of a customer, where it is its own."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = [
        ("billing", "0008_pages"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="pricebook", name="price_book_key_unique"),
        migrations.RemoveField(model_name="pricebook", name="issuer"),
        migrations.AlterField(
            model_name="pricebook",
            name="key",
            field=models.CharField(default="list", max_length=64, unique=True),
        ),
        migrations.AddField(
            model_name="customer",
            name="minimum_invoice",
            field=models.BigIntegerField(blank=True, null=True),
        ),
    ]
