from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("billing", "0012_net_by_kind"),)

    operations = (
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["state", "kind", "due_date", "currency", "total"], name="invoice_by_due_date"),
        ),
    )
