"""Every table of the money store. What the database refuses beyond its constraints stands in ``0002_guards``."""

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

from cardhour_billing.create_models import at_once


@at_once
class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditLog",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                ("action", models.CharField(max_length=40)),
                ("subject", models.CharField(max_length=256)),
                ("detail", models.JSONField(default=dict)),
                ("previous", models.CharField(max_length=64, unique=True)),
                ("digest", models.CharField(max_length=64)),
            ],
            options={
                "ordering": ("position",),
            },
        ),
        migrations.CreateModel(
            name="BankLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64, unique=True)),
                ("account", models.CharField(blank=True, max_length=256)),
                ("day", models.DateField()),
                ("currency", models.CharField(max_length=3)),
                ("amount", models.BigIntegerField()),
                ("payer", models.CharField(blank=True, max_length=256)),
                ("reference", models.TextField(blank=True)),
                ("bank_id", models.CharField(blank=True, max_length=256)),
                ("file", models.CharField(max_length=256)),
                ("row", models.PositiveIntegerField()),
                ("imported_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
            ],
            options={
                "ordering": ("day", "id"),
            },
        ),
        migrations.CreateModel(
            name="Commitment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.commitment",
                    ),
                ),
                ("contract", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=64)),
                ("term", models.CharField(max_length=16)),
                ("covers", models.JSONField(default=list)),
                ("quantity_us", models.BigIntegerField(blank=True, null=True)),
                ("amount", models.BigIntegerField(blank=True, null=True)),
                ("currency", models.CharField(max_length=3)),
                ("true_up_nano", models.BigIntegerField(blank=True, null=True)),
                ("overage_nano", models.BigIntegerField(blank=True, null=True)),
                ("includes_tax", models.BooleanField(default=False)),
                ("less_faults", models.BooleanField(default=False)),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("amount__isnull", True),
                                ("quantity_us__isnull", False),
                                ("true_up_nano__isnull", False),
                            ),
                            models.Q(("amount__isnull", False), ("quantity_us__isnull", True)),
                            _connector="OR",
                        ),
                        name="commitment_of_hours_or_money",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Cost",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.cost",
                    ),
                ),
                ("model", models.CharField(max_length=256)),
                ("currency", models.CharField(max_length=3)),
                ("cards_per_server", models.PositiveIntegerField()),
                ("purchase_nano", models.BigIntegerField()),
                ("depreciation_months", models.PositiveIntegerField()),
                ("hosting_nano", models.BigIntegerField()),
                ("power_nano", models.BigIntegerField()),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to_ms__isnull", True),
                            ("valid_to_ms__gt", models.F("valid_from_ms")),
                            _connector="OR",
                        ),
                        name="cost_runs_forward",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cards_per_server__gt", 0), ("depreciation_months__gt", 0)),
                        name="cost_can_be_divided",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Issuer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(default="default", max_length=64, unique=True)),
                ("name", models.CharField(max_length=256)),
                ("legal_name", models.CharField(blank=True, max_length=256)),
                ("address", models.TextField(blank=True)),
                ("tax_id", models.CharField(blank=True, max_length=64)),
                ("country", models.CharField(blank=True, max_length=2)),
                ("endpoint", models.CharField(blank=True, max_length=256)),
                ("fapiao_item", models.CharField(blank=True, max_length=256)),
                ("fapiao_code", models.CharField(blank=True, max_length=19)),
                ("bank_account_name", models.CharField(blank=True, max_length=256)),
                ("bank", models.CharField(blank=True, max_length=256)),
                ("bank_account", models.CharField(blank=True, max_length=256)),
                ("currency", models.CharField(max_length=3)),
                ("timezone", models.CharField(max_length=64)),
                ("number_prefix", models.CharField(default="INV", max_length=16)),
            ],
        ),
        migrations.CreateModel(
            name="JobRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("job", models.CharField(max_length=40)),
                ("period", models.CharField(max_length=20)),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "Running"), ("done", "Done"), ("failed", "Failed")],
                        default="running",
                        max_length=8,
                    ),
                ),
                ("started_at_ms", models.BigIntegerField()),
                ("finished_at_ms", models.BigIntegerField(blank=True, null=True)),
                ("attempts", models.PositiveIntegerField(default=1)),
                ("outcome", models.TextField(blank=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("job", "period"), name="job_run_once")],
            },
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "issuer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="customers", to="billing.issuer"
                    ),
                ),
                ("key", models.CharField(max_length=64, unique=True)),
                ("name", models.CharField(max_length=256)),
                ("legal_name", models.CharField(blank=True, max_length=256)),
                ("address", models.TextField(blank=True)),
                ("tax_id", models.CharField(blank=True, max_length=64)),
                ("country", models.CharField(blank=True, max_length=2)),
                ("endpoint", models.CharField(blank=True, max_length=256)),
                ("buyer_reference", models.CharField(blank=True, max_length=64)),
                ("po_number", models.CharField(blank=True, max_length=64)),
                ("language", models.CharField(default="en", max_length=8)),
                ("email", models.TextField(blank=True)),
                ("currency", models.CharField(max_length=3)),
                ("timezone", models.CharField(max_length=64)),
                ("prepaid", models.BooleanField(default=False)),
                ("low_balance", models.BigIntegerField(blank=True, null=True)),
                ("terms_days", models.PositiveIntegerField(default=30)),
            ],
            options={
                "ordering": ("key",),
            },
        ),
        migrations.CreateModel(
            name="NumberSeries",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "issuer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="number_series", to="billing.issuer"
                    ),
                ),
                ("kind", models.CharField(max_length=16)),
                ("fiscal_year", models.PositiveIntegerField()),
                ("last", models.PositiveBigIntegerField(default=0)),
                ("last_issue_date", models.DateField(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("issuer", "kind", "fiscal_year"), name="number_series_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="PriceBook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "issuer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="price_books", to="billing.issuer"
                    ),
                ),
                ("key", models.CharField(default="list", max_length=64)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("issuer", "key"), name="price_book_key_unique")],
            },
        ),
        migrations.CreateModel(
            name="AddOn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.addon",
                    ),
                ),
                ("key", models.CharField(max_length=64)),
                ("per", models.CharField(max_length=16)),
                ("currency", models.CharField(max_length=3)),
                ("unit_nano", models.BigIntegerField()),
                ("includes_tax", models.BooleanField(default=False)),
                ("cycle", models.CharField(default="calendar", max_length=16)),
                ("billing", models.CharField(default="arrears", max_length=16)),
                ("non_refundable", models.BooleanField(default=False)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="add_ons", to="billing.customer"
                    ),
                ),
                ("name", models.CharField(max_length=256)),
                ("unit", models.CharField(blank=True, max_length=16)),
                ("quantity_nano", models.BigIntegerField()),
            ],
            options={
                "ordering": ("id",),
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to_ms__isnull", True),
                            ("valid_to_ms__gt", models.F("valid_from_ms")),
                            _connector="OR",
                        ),
                        name="add_on_runs_forward",
                    ),
                    models.CheckConstraint(condition=models.Q(("unit_nano__gte", 0)), name="add_on_price_not_negative"),
                    models.CheckConstraint(
                        condition=models.Q(("quantity_nano__gt", 0)), name="add_on_quantity_positive"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Contract",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.contract",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="contracts", to="billing.customer"
                    ),
                ),
                ("key", models.CharField(max_length=64)),
                (
                    "book",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="contracts", to="billing.pricebook"
                    ),
                ),
                ("discount_ppm", models.PositiveIntegerField(default=0)),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to_ms__isnull", True),
                            ("valid_to_ms__gt", models.F("valid_from_ms")),
                            _connector="OR",
                        ),
                        name="contract_runs_forward",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CreditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_entries",
                        to="billing.customer",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("top-up", "Top Up"),
                            ("refund", "Refund"),
                            ("apply", "Apply"),
                            ("release", "Release"),
                            ("grant", "Grant"),
                            ("use", "Use"),
                            ("restore", "Restore"),
                            ("expire", "Expire"),
                        ],
                        max_length=8,
                    ),
                ),
                ("key", models.CharField(max_length=256, unique=True)),
                ("reference", models.CharField(blank=True, max_length=256)),
                ("at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="CreditGrant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="grants", to="billing.customer"
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                (
                    "category",
                    models.CharField(
                        choices=[
                            ("everything", "Everything"),
                            ("usage", "Usage"),
                            ("lease", "Lease"),
                            ("add-on", "Add On"),
                            ("commitment", "Commitment"),
                        ],
                        default="everything",
                        max_length=16,
                    ),
                ),
                ("model", models.CharField(blank=True, max_length=256)),
                ("priority", models.PositiveIntegerField(default=100)),
                ("valid_from_ms", models.BigIntegerField()),
                ("expires_at_ms", models.BigIntegerField(blank=True, null=True)),
                ("reason", models.CharField(max_length=256)),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("expires_at_ms__isnull", True),
                            ("expires_at_ms__gt", models.F("valid_from_ms")),
                            _connector="OR",
                        ),
                        name="grant_runs_forward",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="events", to="billing.customer"
                    ),
                ),
                ("subject", models.CharField(max_length=64)),
                ("sequence", models.PositiveIntegerField()),
                ("kind", models.CharField(max_length=40)),
                ("at_ms", models.BigIntegerField()),
                ("detail", models.JSONField(default=dict)),
            ],
            options={
                "ordering": ("id",),
                "constraints": [models.UniqueConstraint(fields=("customer", "subject", "sequence"), name="event_once")],
            },
        ),
        migrations.CreateModel(
            name="FapiaoRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fapiao_requests",
                        to="billing.customer",
                    ),
                ),
                ("buyer_name", models.CharField(max_length=256)),
                ("buyer_tax_id", models.CharField(max_length=64)),
                ("special", models.BooleanField(default=True)),
                ("remark", models.TextField(blank=True)),
                ("requested_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="Invoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "issuer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="invoices", to="billing.issuer"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="invoices", to="billing.customer"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("invoice", "Invoice"), ("credit-note", "Credit Note")],
                        default="invoice",
                        max_length=16,
                    ),
                ),
                (
                    "original",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_notes",
                        to="billing.invoice",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("correction", "Correction"),
                            ("goodwill", "Goodwill"),
                            ("sla", "Sla"),
                            ("void", "Void"),
                        ],
                        max_length=16,
                    ),
                ),
                ("period", models.CharField(max_length=7)),
                ("period_start_ms", models.BigIntegerField()),
                ("period_end_ms", models.BigIntegerField()),
                ("revision", models.PositiveIntegerField(default=0)),
                (
                    "state",
                    models.CharField(choices=[("draft", "Draft"), ("issued", "Issued")], default="draft", max_length=8),
                ),
                (
                    "series",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="billing.numberseries",
                    ),
                ),
                ("sequence", models.PositiveBigIntegerField(blank=True, null=True)),
                ("number", models.CharField(blank=True, max_length=40, null=True)),
                ("issue_date", models.DateField(blank=True, null=True)),
                ("due_date", models.DateField(blank=True, null=True)),
                ("issued_at_ms", models.BigIntegerField(blank=True, null=True)),
                ("currency", models.CharField(max_length=3)),
                ("net", models.BigIntegerField()),
                ("tax", models.BigIntegerField(default=0)),
                ("total", models.BigIntegerField()),
                ("digest", models.CharField(blank=True, max_length=64)),
                ("findings", models.JSONField(blank=True, default=list)),
                ("held", models.PositiveIntegerField(default=0)),
                ("computed_at_ms", models.BigIntegerField()),
                ("frozen", models.BinaryField()),
                ("inputs", models.BinaryField(default=b"")),
            ],
            options={
                "ordering": ("-period", "customer__key", "revision"),
                "constraints": [
                    models.UniqueConstraint(fields=("customer", "period", "kind", "revision"), name="invoice_once"),
                    models.UniqueConstraint(fields=("series", "sequence"), name="invoice_sequence_unique"),
                    models.UniqueConstraint(fields=("issuer", "number"), name="invoice_number_unique"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("number__isnull", True), ("sequence__isnull", True), ("state", "draft")),
                            models.Q(
                                ("due_date__isnull", False),
                                ("issue_date__isnull", False),
                                ("issued_at_ms__isnull", False),
                                ("number__isnull", False),
                                ("sequence__isnull", False),
                                ("state", "issued"),
                            ),
                            _connector="OR",
                        ),
                        name="invoice_number_when_issued",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "total",
                                django.db.models.expressions.CombinedExpression(models.F("net"), "+", models.F("tax")),
                            )
                        ),
                        name="invoice_adds_up",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.lease",
                    ),
                ),
                ("key", models.CharField(max_length=64)),
                ("per", models.CharField(max_length=16)),
                ("currency", models.CharField(max_length=3)),
                ("unit_nano", models.BigIntegerField()),
                ("includes_tax", models.BooleanField(default=False)),
                ("cycle", models.CharField(default="calendar", max_length=16)),
                ("billing", models.CharField(default="arrears", max_length=16)),
                ("non_refundable", models.BooleanField(default=False)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="leases", to="billing.customer"
                    ),
                ),
                ("model", models.CharField(max_length=256)),
                ("cards", models.JSONField(default=list)),
                ("nodes", models.JSONField(default=list)),
                ("count", models.PositiveIntegerField()),
                ("servers", models.PositiveIntegerField(default=1)),
                ("sla_ppm", models.PositiveIntegerField(default=0)),
            ],
            options={
                "ordering": ("id",),
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to_ms__isnull", True),
                            ("valid_to_ms__gt", models.F("valid_from_ms")),
                            _connector="OR",
                        ),
                        name="lease_runs_forward",
                    ),
                    models.CheckConstraint(condition=models.Q(("unit_nano__gte", 0)), name="lease_price_not_negative"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Mail",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="mails", to="billing.customer"
                    ),
                ),
                ("key", models.CharField(max_length=256)),
                ("round", models.PositiveIntegerField()),
                ("recipients", models.JSONField()),
                ("subject", models.CharField(max_length=256)),
                ("message_id", models.CharField(max_length=256)),
                ("sha256", models.CharField(max_length=64)),
                ("at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
            ],
            options={
                "ordering": ("id",),
                "constraints": [models.UniqueConstraint(fields=("key", "round"), name="mail_once")],
            },
        ),
        migrations.CreateModel(
            name="MonthEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="month_entries", to="billing.customer"
                    ),
                ),
                ("period", models.CharField(max_length=7)),
                ("timezone", models.CharField(max_length=64)),
                ("kind", models.CharField(choices=[("empty", "Empty"), ("carried", "Carried")], max_length=8)),
                ("currency", models.CharField(max_length=3)),
                ("total", models.BigIntegerField()),
                ("recorded_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
            ],
            options={
                "ordering": ("period", "customer__key"),
                "constraints": [models.UniqueConstraint(fields=("customer", "period"), name="month_entry_once")],
            },
        ),
        migrations.CreateModel(
            name="PortalUser",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="portal_user",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="portal_users", to="billing.customer"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Price",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.price",
                    ),
                ),
                (
                    "book",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="prices", to="billing.pricebook"
                    ),
                ),
                ("model", models.CharField(max_length=256)),
                ("unit", models.CharField(default="card-hour", max_length=16)),
                ("currency", models.CharField(max_length=3)),
                ("unit_nano", models.BigIntegerField()),
                ("includes_tax", models.BooleanField(default=False)),
                ("scheme", models.JSONField(blank=True, null=True)),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to_ms__isnull", True),
                            ("valid_to_ms__gt", models.F("valid_from_ms")),
                            _connector="OR",
                        ),
                        name="price_runs_forward",
                    ),
                    models.CheckConstraint(condition=models.Q(("unit_nano__gte", 0)), name="price_not_negative"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Project",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="projects", to="billing.customer"
                    ),
                ),
                ("key", models.CharField(max_length=64)),
            ],
            options={
                "ordering": ("customer", "key"),
                "constraints": [models.UniqueConstraint(fields=("customer", "key"), name="project_key_unique")],
            },
        ),
        migrations.CreateModel(
            name="ProvisionalCharge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="provisional_charges",
                        to="billing.customer",
                    ),
                ),
                ("hour_ms", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("unbilled", models.BigIntegerField()),
                ("prepaid", models.BigIntegerField()),
                ("at_ms", models.BigIntegerField()),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.UniqueConstraint(fields=("customer", "hour_ms"), name="provisional_charge_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="statements", to="billing.customer"
                    ),
                ),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                ("revision", models.PositiveIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("opening", models.BigIntegerField()),
                ("closing", models.BigIntegerField()),
                ("frozen", models.BinaryField()),
                ("drawn_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
            ],
            options={
                "ordering": ("customer__key", "first_day", "last_day", "revision"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("customer", "first_day", "last_day", "revision"), name="statement_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TaxRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.taxrule",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tax_rules",
                        to="billing.customer",
                    ),
                ),
                ("model", models.CharField(blank=True, max_length=256)),
                ("category", models.CharField(max_length=16)),
                ("rate_ppm", models.PositiveIntegerField()),
                ("note", models.TextField(blank=True)),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to_ms__isnull", True),
                            ("valid_to_ms__gt", models.F("valid_from_ms")),
                            _connector="OR",
                        ),
                        name="tax_rule_runs_forward",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Binding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from_ms", models.BigIntegerField()),
                ("valid_to_ms", models.BigIntegerField(blank=True, null=True)),
                ("recorded_at_ms", models.BigIntegerField()),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="billing.binding",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="bindings", to="billing.customer"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bindings",
                        to="billing.project",
                    ),
                ),
                ("owner", models.CharField(max_length=256)),
                ("cluster", models.CharField(blank=True, max_length=256)),
                ("node", models.CharField(blank=True, max_length=256)),
                ("card", models.CharField(blank=True, max_length=256)),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to_ms__isnull", True),
                            ("valid_to_ms__gt", models.F("valid_from_ms")),
                            _connector="OR",
                        ),
                        name="binding_runs_forward",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CreditAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_accounts",
                        to="billing.customer",
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("cash", "Cash"),
                            ("prepaid", "Prepaid"),
                            ("clearing", "Clearing"),
                            ("allowance", "Allowance"),
                            ("grant", "Grant"),
                            ("spent", "Spent"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "grant",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="account",
                        to="billing.creditgrant",
                    ),
                ),
                ("balance", models.BigIntegerField(default=0)),
            ],
            options={
                "ordering": ("customer", "currency", "kind", "id"),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("grant__isnull", True)),
                        fields=("customer", "currency", "kind"),
                        name="credit_account_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("balance__gte", 0),
                            models.Q(("kind__in", ("prepaid", "grant")), _negated=True),
                            _connector="OR",
                        ),
                        name="credit_not_overdrawn",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("grant__isnull", False), ("kind", "grant")),
                            models.Q(models.Q(("kind", "grant"), _negated=True), ("grant__isnull", True)),
                            _connector="OR",
                        ),
                        name="credit_account_of_grant",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EventDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="deliveries", to="billing.event"
                    ),
                ),
                ("attempt", models.PositiveIntegerField()),
                ("at_ms", models.BigIntegerField()),
                ("status", models.PositiveIntegerField(blank=True, null=True)),
                ("outcome", models.CharField(max_length=256)),
                ("delivered", models.BooleanField()),
            ],
            options={
                "ordering": ("id",),
                "constraints": [models.UniqueConstraint(fields=("event", "attempt"), name="event_delivery_once")],
            },
        ),
        migrations.CreateModel(
            name="FapiaoEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="events", to="billing.fapiaorequest"
                    ),
                ),
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
            ],
            options={
                "ordering": ("request", "id"),
                "constraints": [models.UniqueConstraint(fields=("request", "kind"), name="fapiao_event_once")],
            },
        ),
        migrations.CreateModel(
            name="InvoiceLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="lines", to="billing.invoice"
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                ("kind", models.CharField(default="usage", max_length=16)),
                ("source", models.CharField(blank=True, max_length=256)),
                (
                    "price",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="billing.price",
                    ),
                ),
                ("model", models.CharField(blank=True, max_length=256)),
                ("unit", models.CharField(default="card-hour", max_length=16)),
                ("band", models.CharField(blank=True, max_length=40)),
                ("tier", models.CharField(blank=True, max_length=40)),
                ("tax_category", models.CharField(blank=True, max_length=16)),
                ("quantity_us", models.BigIntegerField()),
                ("unit_nano", models.BigIntegerField(blank=True, null=True)),
                ("amount", models.BigIntegerField()),
            ],
            options={
                "ordering": ("invoice", "position"),
                "constraints": [
                    models.UniqueConstraint(fields=("invoice", "position"), name="invoice_line_position"),
                    models.UniqueConstraint(
                        condition=models.Q(("source", ""), _negated=True),
                        fields=("invoice", "source"),
                        name="invoice_line_source",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "usage"), ("price__isnull", False), ("source", "")),
                            models.Q(
                                ("price__isnull", True),
                                models.Q(("kind", "usage"), _negated=True),
                                models.Q(("source", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="invoice_line_usage_or_charge",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MailOutcome",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "mail",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="outcome", to="billing.mail"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("sent", "Sent"), ("refused", "Refused"), ("uncertain", "Uncertain")], max_length=10
                    ),
                ),
                ("detail", models.CharField(blank=True, max_length=256)),
                ("at_ms", models.BigIntegerField()),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="Payment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="payments", to="billing.customer"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("receipt", "Receipt"), ("reversal", "Reversal"), ("refund", "Refund")], max_length=8
                    ),
                ),
                ("reference", models.CharField(max_length=140)),
                ("day", models.DateField()),
                ("currency", models.CharField(max_length=3)),
                ("amount", models.BigIntegerField()),
                ("fee", models.BigIntegerField(default=0)),
                ("write_off", models.BigIntegerField(default=0)),
                (
                    "of",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="takings",
                        to="billing.payment",
                    ),
                ),
                (
                    "of_credit",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="billing.invoice",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=256)),
                ("recorded_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
            ],
            options={
                "ordering": ("day", "id"),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "receipt")),
                        fields=("customer", "reference"),
                        name="payment_reference_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "reversal")), fields=("of",), name="payment_reversed_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("amount__gt", 0),
                                ("fee__gte", 0),
                                ("kind", "receipt"),
                                ("of__isnull", True),
                                ("of_credit__isnull", True),
                                ("write_off__gte", 0),
                            ),
                            models.Q(
                                ("amount__lt", 0),
                                ("kind", "reversal"),
                                ("of__isnull", False),
                                ("of_credit__isnull", True),
                            ),
                            models.Q(
                                ("amount__lt", 0),
                                ("fee", 0),
                                ("kind", "refund"),
                                ("write_off", 0),
                                models.Q(("of", None), ("of_credit", None), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="payment_is_of_its_kind",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Reminder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reminders", to="billing.invoice"
                    ),
                ),
                ("level", models.PositiveSmallIntegerField()),
                ("day", models.DateField()),
                ("left", models.BigIntegerField()),
                ("sent_to", models.CharField(blank=True, max_length=256)),
                ("subject", models.CharField(max_length=256)),
                ("text", models.TextField()),
                ("sent_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
            ],
            options={
                "ordering": ("id",),
                "constraints": [models.UniqueConstraint(fields=("invoice", "level"), name="reminder_once")],
            },
        ),
        migrations.CreateModel(
            name="RenderedDocument",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rendered", to="billing.invoice"
                    ),
                ),
                ("format", models.CharField(choices=[("pdf", "Pdf"), ("csv", "Csv"), ("xml", "Xml")], max_length=8)),
                ("content", models.BinaryField()),
                ("sha256", models.CharField(max_length=64)),
                ("absent_because", models.TextField(blank=True)),
                ("rendered_at_ms", models.BigIntegerField()),
            ],
            options={
                "ordering": ("invoice", "format"),
                "constraints": [models.UniqueConstraint(fields=("invoice", "format"), name="rendered_once")],
            },
        ),
        migrations.CreateModel(
            name="StatementEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "statement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="events", to="billing.statement"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("sent", "Sent"), ("confirmed", "Confirmed"), ("disputed", "Disputed")], max_length=10
                    ),
                ),
                ("line", models.PositiveIntegerField(blank=True, null=True)),
                ("note", models.TextField(blank=True)),
                ("at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
            ],
            options={
                "ordering": ("statement", "id"),
            },
        ),
        migrations.CreateModel(
            name="Allocation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "payment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="allocations",
                        to="billing.payment",
                    ),
                ),
                (
                    "credit",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uses",
                        to="billing.invoice",
                    ),
                ),
                (
                    "prepaid",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="allocations",
                        to="billing.creditentry",
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="allocations", to="billing.invoice"
                    ),
                ),
                ("amount", models.BigIntegerField()),
                ("at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("credit__isnull", True), ("payment__isnull", False), ("prepaid__isnull", True)),
                            models.Q(("credit__isnull", False), ("payment__isnull", True), ("prepaid__isnull", True)),
                            models.Q(("credit__isnull", True), ("payment__isnull", True), ("prepaid__isnull", False)),
                            _connector="OR",
                        ),
                        name="allocation_of_one_source",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount", 0), _negated=True), name="allocation_not_zero"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BankUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "line",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="use", to="billing.bankline"
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bank_uses",
                        to="billing.payment",
                    ),
                ),
                (
                    "top_up",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bank_uses",
                        to="billing.creditentry",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=256)),
                ("at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("payment__isnull", False), ("top_up__isnull", True)),
                            models.Q(("payment__isnull", True), ("top_up__isnull", False)),
                            models.Q(
                                ("payment__isnull", True),
                                ("top_up__isnull", True),
                                models.Q(("note", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="bank_use_is_one",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CreditMovement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "entry",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="movements", to="billing.creditentry"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="movements_out",
                        to="billing.creditaccount",
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="movements_in",
                        to="billing.creditaccount",
                    ),
                ),
                ("amount", models.BigIntegerField()),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="credit_movement_above_zero")
                ],
            },
        ),
        migrations.CreateModel(
            name="FapiaoRequestLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="billing.fapiaorequest"
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fapiao_lines",
                        to="billing.invoiceline",
                    ),
                ),
                ("item", models.CharField(max_length=256)),
                ("code", models.CharField(max_length=19)),
                ("rate_percent", models.CharField(max_length=8)),
                ("net", models.BigIntegerField()),
                ("tax", models.BigIntegerField()),
                ("gross", models.BigIntegerField()),
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
    ]
