"""What staff may do, and who manages a customer's logins. Whoever is staff already did everything: they are admins."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def give_roles(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Staff of before keep what they could do."""
    staff = apps.get_model("auth", "User").objects.filter(is_staff=True)
    roles = apps.get_model("billing", "StaffRole").objects
    for login in staff:
        roles.create(user=login, role="admin")


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (
        ("billing", "0003_api_keys"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    )
    operations = (
        migrations.AddField(model_name="portaluser", name="is_admin", field=models.BooleanField(default=False)),
        migrations.CreateModel(
            name="StaffRole",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[("viewer", "Viewer"), ("billing", "Billing"), ("admin", "Admin")], max_length=8
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="staff_role",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.RunPython(give_roles),
    )
