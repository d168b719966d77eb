"""Customer credit: double-entry accounts whose balances the database itself keeps true.

A movement names both of its accounts, so that every entry sums to zero. What a movement does to the two balances is a
trigger's work; another refuses any other change of a balance, also one that is not the sum of the account's movements.
On PostgreSQL the update locks the account's row before that sum is taken, so that two processes draw one after the
other, and the second sees what the first took.
"""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import Rule, Sequel, create_sequels, create_triggers, insert_only

ACCOUNT, MOVEMENT = "billing_creditaccount", "billing_creditmovement"
_SUM = (
    "COALESCE((SELECT SUM(CASE WHEN m.target_id = NEW.id THEN m.amount ELSE -m.amount END) "
    "FROM billing_creditmovement m WHERE m.source_id = NEW.id OR m.target_id = NEW.id), 0)"
)
# The ways credit can go: none leads from a grant to money, which makes it not refundable.
_FITS = (
    "EXISTS (SELECT 1 FROM billing_creditaccount s, billing_creditaccount t, billing_creditentry e "
    "WHERE s.id = NEW.source_id AND t.id = NEW.target_id AND e.id = NEW.entry_id AND s.customer_id = e.customer_id "
    "AND t.customer_id = e.customer_id AND s.currency = t.currency AND s.kind || '>' || t.kind IN ("
    "'cash>prepaid', 'prepaid>cash', 'prepaid>clearing', 'clearing>prepaid', "
    "'allowance>grant', 'grant>allowance', 'grant>spent', 'spent>grant'))"
)
_SAME = " OR ".join(f"NEW.{name} <> OLD.{name}" for name in ("id", "customer_id", "currency", "kind"))

RULES = (
    *insert_only("billing_creditgrant"),
    *insert_only("billing_creditentry"),
    *insert_only(MOVEMENT),
    Rule(
        name="credit_movement_fits",
        table=MOVEMENT,
        event="INSERT",
        when=f"NOT {_FITS}",
        message="credit moves within one customer and currency, and never from a grant to money",
    ),
    Rule(name="credit_account_empty", table=ACCOUNT, event="INSERT", when="NEW.balance <> 0",
         message="an account begins with nothing"),
    Rule(
        name="credit_account_balance",
        table=ACCOUNT,
        event="UPDATE",
        when=f"{_SAME} OR COALESCE(NEW.grant_id, 0) <> COALESCE(OLD.grant_id, 0) OR NEW.balance <> {_SUM}",
        message="a balance is the sum of its movements, and nothing else of an account changes",
    ),
    Rule(name="credit_account_no_delete", table=ACCOUNT, event="DELETE"),
)  # fmt: skip

SEQUELS = (
    Sequel(
        name="credit_movement_moves",
        table=MOVEMENT,
        statements=(
            "UPDATE billing_creditaccount SET balance = balance - NEW.amount WHERE id = NEW.source_id",
            "UPDATE billing_creditaccount SET balance = balance + NEW.amount WHERE id = NEW.target_id",
        ),
    ),
)


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, RULES)
    create_sequels(schema_editor, SEQUELS)


def _id() -> tuple[str, models.BigAutoField[int, int]]:
    return "id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


def _of(name: str, to: str) -> models.ForeignKey[models.Model, models.Model]:
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name=name, to=f"billing.{to}")


ENTRY_KINDS = (
    ("top-up", "Top Up"), ("refund", "Refund"), ("apply", "Apply"), ("release", "Release"), ("grant", "Grant"),
    ("use", "Use"), ("restore", "Restore"), ("expire", "Expire"),
)  # fmt: skip
CATEGORIES = (
    ("everything", "Everything"), ("usage", "Usage"), ("lease", "Lease"), ("add-on", "Add On"),
    ("commitment", "Commitment"),
)  # fmt: skip
ACCOUNT_KINDS = (
    ("cash", "Cash"), ("prepaid", "Prepaid"), ("clearing", "Clearing"), ("allowance", "Allowance"), ("grant", "Grant"),
    ("spent", "Spent"),
)  # fmt: skip


class Migration(migrations.Migration):
    """Forward only."""

    dependencies = (("billing", "0005_audit_chain"),)
    operations = (
        migrations.CreateModel(
            name="CreditGrant",
            fields=[
                _id(),
                ("currency", models.CharField(max_length=3)),
                ("category", models.CharField(choices=CATEGORIES, default="everything", max_length=16)),
                ("model", models.CharField(blank=True, max_length=256)),
                ("priority", models.PositiveIntegerField(default=100)),
                ("valid_from_ms", models.BigIntegerField()),
                ("expires_at_ms", models.BigIntegerField(blank=True, null=True)),
                ("reason", models.CharField(max_length=256)),
                ("customer", _of("grants", "customer")),
            ],
            options={"ordering": ("id",)},
        ),
        migrations.CreateModel(
            name="CreditEntry",
            fields=[
                _id(),
                ("kind", models.CharField(choices=ENTRY_KINDS, max_length=8)),
                ("key", models.CharField(max_length=256, unique=True)),
                ("reference", models.CharField(blank=True, max_length=256)),
                ("at_ms", models.BigIntegerField()),
                ("who", models.CharField(max_length=150)),
                ("customer", _of("credit_entries", "customer")),
            ],
            options={"ordering": ("id",)},
        ),
        migrations.CreateModel(
            name="CreditAccount",
            fields=[
                _id(),
                ("currency", models.CharField(max_length=3)),
                ("kind", models.CharField(choices=ACCOUNT_KINDS, max_length=10)),
                ("balance", models.BigIntegerField(default=0)),
                ("customer", _of("credit_accounts", "customer")),
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
            ],
            options={"ordering": ("customer", "currency", "kind", "id")},
        ),
        migrations.CreateModel(
            name="CreditMovement",
            fields=[
                _id(),
                ("amount", models.BigIntegerField()),
                ("entry", _of("movements", "creditentry")),
                ("source", _of("movements_out", "creditaccount")),
                ("target", _of("movements_in", "creditaccount")),
            ],
            options={"ordering": ("id",)},
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("expires_at_ms__isnull", True), ("expires_at_ms__gt", models.F("valid_from_ms")), _connector="OR"
                ),
                name="grant_runs_forward",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditaccount",
            constraint=models.UniqueConstraint(
                condition=models.Q(("grant__isnull", True)),
                fields=("customer", "currency", "kind"),
                name="credit_account_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("balance__gte", 0),
                    models.Q(("kind__in", ("prepaid", "grant")), _negated=True),
                    _connector="OR",
                ),
                name="credit_not_overdrawn",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("grant__isnull", False), ("kind", "grant")),
                    models.Q(models.Q(("kind", "grant"), _negated=True), ("grant__isnull", True)),
                    _connector="OR",
                ),
                name="credit_account_of_grant",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditmovement",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="credit_movement_above_zero"),
        ),
        migrations.RunPython(create),
    )
