"""Receivables: credit notes, payments and what they are used for, reminders, months without a document.

The columns of invoices are added by statements of our own: Django would copy SQLite's table into a new one, and the old
one's triggers would be gone with it.
"""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import Rule, create_triggers, insert_only

_ALLOCATED = "NEW.amount + (SELECT COALESCE(SUM(amount), 0) FROM billing_allocation WHERE {column} = NEW.{column})"
_INVOICE = "SELECT total FROM billing_invoice WHERE id = NEW.invoice_id AND state = 'issued' AND kind = 'invoice'"
_RECEIPT = (
    "SELECT COALESCE(SUM(amount + fee + write_off), 0) FROM billing_payment"
    " WHERE id = NEW.{column} OR of_id = NEW.{column}"
)
_NOTE = "SELECT -total FROM billing_invoice WHERE id = NEW.{column} AND state = 'issued' AND kind = 'credit-note'"
_REFUNDED = "SELECT COALESCE(SUM(amount), 0) FROM billing_payment WHERE of_credit_id = NEW.{column}"
_USED = "SELECT COALESCE(SUM(amount), 0) FROM billing_allocation WHERE {column} = NEW.{source}"


_OF_ANOTHER = (
    "NEW.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM billing_{table} s, billing_invoice i"
    " WHERE s.id = NEW.{column} AND i.id = NEW.invoice_id"
    " AND s.customer_id = i.customer_id AND s.currency = i.currency)"
)


def _of_another(table: str, column: str) -> str:
    """Whether the source is of another customer or currency than the invoice."""
    return _OF_ANOTHER.format(table=table, column=column)


RULES = (
    Rule(
        name="invoice_sign_of_its_kind",
        table="billing_invoice",
        event="UPDATE",
        when="NEW.state = 'issued'"
        " AND (NEW.kind = 'invoice' AND NEW.total < 0 OR NEW.kind = 'credit-note' AND NEW.total > 0)",
        message="a negative total is a credit note, and never a negative invoice",
    ),
    *(rule for name in ("payment", "allocation", "reminder", "monthentry") for rule in insert_only(f"billing_{name}")),
    Rule(
        name="allocation_within_invoice",
        table="billing_allocation",
        event="INSERT",
        when=f"{_ALLOCATED.format(column='invoice_id')} NOT BETWEEN 0 AND COALESCE(({_INVOICE}), -1)",
        message="an invoice is never paid more than its total",
    ),
    Rule(
        name="allocation_within_receipt",
        table="billing_allocation",
        event="INSERT",
        when=f"NEW.payment_id IS NOT NULL AND {_ALLOCATED.format(column='payment_id')} NOT BETWEEN 0"
        f" AND ({_RECEIPT.format(column='payment_id')})",
        message="a receipt never pays more than came in",
    ),
    Rule(
        name="allocation_within_credit",
        table="billing_allocation",
        event="INSERT",
        when=f"NEW.credit_id IS NOT NULL AND {_ALLOCATED.format(column='credit_id')} NOT BETWEEN 0"
        f" AND COALESCE(({_NOTE.format(column='credit_id')}), -1) + ({_REFUNDED.format(column='credit_id')})",
        message="a credit note never pays more than its total",
    ),
    Rule(
        name="allocation_of_one_customer",
        table="billing_allocation",
        event="INSERT",
        when=f"{_of_another('payment', 'payment_id')} OR {_of_another('invoice', 'credit_id')}",
        message="money of one customer and currency pays invoices of no other",
    ),
    Rule(
        name="payment_taken_within_receipt",
        table="billing_payment",
        event="INSERT",
        when=f"NEW.of_id IS NOT NULL AND ({_RECEIPT.format(column='of_id')}) + NEW.amount + NEW.fee + NEW.write_off"
        f" < ({_USED.format(column='payment_id', source='of_id')})",
        message="money that pays an invoice cannot be paid back",
    ),
    Rule(
        name="payment_taken_within_credit",
        table="billing_payment",
        event="INSERT",
        when="NEW.of_credit_id IS NOT NULL AND"
        f" COALESCE(({_NOTE.format(column='of_credit_id')}), -1) + ({_REFUNDED.format(column='of_credit_id')})"
        f" + NEW.amount < ({_USED.format(column='credit_id', source='of_credit_id')})",
        message="credit that pays an invoice cannot be paid back",
    ),
)


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, RULES)


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0007_charges"),)
    operations = (
        migrations.RunSQL(
            [
                "ALTER TABLE billing_invoice ADD COLUMN original_id bigint NULL"
                " REFERENCES billing_invoice (id) DEFERRABLE INITIALLY DEFERRED",
                "CREATE INDEX billing_invoice_original ON billing_invoice (original_id)",
                "ALTER TABLE billing_invoice ADD COLUMN reason varchar(16) NOT NULL DEFAULT ''",
            ],
            state_operations=[
                migrations.AddField(
                    model_name="invoice",
                    name="original",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_notes",
                        to="billing.invoice",
                    ),
                ),
                migrations.AddField(
                    model_name="invoice",
                    name="reason",
                    field=models.CharField(
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
            ],
        ),
        migrations.AlterField(
            model_name="invoice",
            name="kind",
            field=models.CharField(
                choices=[("invoice", "Invoice"), ("credit-note", "Credit Note")], default="invoice", max_length=16
            ),
        ),
        migrations.CreateModel(
            name="Payment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
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
                ("note", models.CharField(blank=True, max_length=256)),
                ("recorded_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="payments", to="billing.customer"
                    ),
                ),
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
            ],
            options={
                "ordering": ("day", "id"),
            },
        ),
        migrations.CreateModel(
            name="Allocation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount", models.BigIntegerField()),
                ("at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
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
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="allocations", to="billing.invoice"
                    ),
                ),
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
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="Reminder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("level", models.PositiveSmallIntegerField()),
                ("day", models.DateField()),
                ("left", models.BigIntegerField()),
                ("sent_to", models.CharField(blank=True, max_length=256)),
                ("subject", models.CharField(max_length=256)),
                ("text", models.TextField()),
                ("sent_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reminders", to="billing.invoice"
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="MonthEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("period", models.CharField(max_length=7)),
                ("timezone", models.CharField(max_length=64)),
                ("kind", models.CharField(choices=[("empty", "Empty"), ("carried", "Carried")], max_length=8)),
                ("currency", models.CharField(max_length=3)),
                ("total", models.BigIntegerField()),
                ("recorded_at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="month_entries", to="billing.customer"
                    ),
                ),
            ],
            options={
                "ordering": ("period", "customer__key"),
                "constraints": [models.UniqueConstraint(fields=("customer", "period"), name="month_entry_once")],
            },
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "receipt")), fields=("customer", "reference"), name="payment_reference_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "reversal")), fields=("of",), name="payment_reversed_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
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
                        ("amount__lt", 0), ("kind", "reversal"), ("of__isnull", False), ("of_credit__isnull", True)
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
        ),
        migrations.AddConstraint(
            model_name="allocation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("credit__isnull", True), ("payment__isnull", False), ("prepaid__isnull", True)),
                    models.Q(("credit__isnull", False), ("payment__isnull", True), ("prepaid__isnull", True)),
                    models.Q(("credit__isnull", True), ("payment__isnull", True), ("prepaid__isnull", False)),
                    _connector="OR",
                ),
                name="allocation_of_one_source",
            ),
        ),
        migrations.AddConstraint(
            model_name="allocation",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount", 0), _negated=True), name="allocation_not_zero"
            ),
        ),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.UniqueConstraint(fields=("invoice", "level"), name="reminder_once"),
        ),
        migrations.RunPython(create),
    )
