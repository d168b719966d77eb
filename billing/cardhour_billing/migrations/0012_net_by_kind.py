from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("billing", "0011_report_subscriptions"),)

    operations = (
        migrations.AddField(
            model_name="invoice", name="usage_net", field=models.BigIntegerField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="invoice", name="recurring_net", field=models.BigIntegerField(blank=True, null=True)
        ),
        # The month close reads its sums from this index alone.
        migrations.RemoveIndex(model_name="invoice", name="invoice_of_month"),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                fields=[
                    "period", "state", "held", "currency", "original", "customer", "net", "tax", "total", "usage_net",
                    "recurring_net", "computed_at_ms",
                ],
                name="invoice_of_month",
            ),
        ),
    )  # fmt: skip
