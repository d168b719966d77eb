"""What the money store refuses, whoever asks: an issued document that changes, a number series that skips or goes back,
a fact that is edited, money that pays twice, credit that comes from nowhere.

Lines are guarded through their invoice, so that the lines of a draft stay free.

A later change of a table: SQLite copies a table to alter it, and its triggers go with the old one. Such a migration
ends with ``restore_triggers`` of the table's ``RULES``.
"""

from __future__ import annotations

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import Rule, Sequel, create_sequels, create_triggers, insert_only

FACTS = (
    "addon", "allocation", "auditlog", "bankline", "bankuse", "binding", "commitment", "contract", "cost",
    "creditentry", "creditgrant", "creditmovement", "event", "eventdelivery", "fapiaoevent", "fapiaorequest",
    "fapiaorequestline", "lease", "mail", "mailoutcome", "monthentry", "payment", "price", "provisionalcharge",
    "reminder", "statement", "statementevent", "taxrule",
)  # fmt: skip
"""Tables whose rows are never edited and never go: a correction supersedes."""

ISSUED = "an issued document never changes: correct it with a credit note"
GAPLESS = "a number series grows by one and never goes back"
RENDERED = "the files of an issued document are made once and never change"
OF_DRAFT = "only an issued document has files that are kept"

_OF_ISSUED = "EXISTS (SELECT 1 FROM billing_invoice WHERE id = {row}.invoice_id AND state = 'issued')"
_OLD, _NEW = _OF_ISSUED.format(row="OLD"), _OF_ISSUED.format(row="NEW")
_INVOICE, _LINE, _SERIES = "billing_invoice", "billing_invoiceline", "billing_numberseries"
_RENDERED, _FAPIAO_LINE = "billing_rendereddocument", "billing_fapiaorequestline"

DOCUMENTS = (
    Rule(name="invoice_no_update", table=_INVOICE, event="UPDATE", when="OLD.state = 'issued'", message=ISSUED),
    Rule(name="invoice_no_delete", table=_INVOICE, event="DELETE", when="OLD.state = 'issued'", message=ISSUED),
    Rule(name="line_no_insert", table=_LINE, event="INSERT", when=_NEW, message=ISSUED),
    Rule(name="line_no_update", table=_LINE, event="UPDATE", when=f"{_OLD} OR {_NEW}", message=ISSUED),
    Rule(name="line_no_delete", table=_LINE, event="DELETE", when=_OLD, message=ISSUED),
    Rule(
        name="series_by_one",
        table=_SERIES,
        event="UPDATE",
        when="NEW.last NOT IN (OLD.last, OLD.last + 1)",
        message=GAPLESS,
    ),
    Rule(name="series_no_delete", table=_SERIES, event="DELETE", when="OLD.last > 0", message=GAPLESS),
    Rule(
        name="invoice_sign_of_its_kind",
        table="billing_invoice",
        event="UPDATE",
        when="NEW.state = 'issued'"
        " AND (NEW.kind = 'invoice' AND NEW.total < 0 OR NEW.kind = 'credit-note' AND NEW.total > 0)",
        message="a negative total is a credit note, and never a negative invoice",
    ),
    *insert_only(_RENDERED, RENDERED),
    Rule(
        name=f"{_RENDERED}_of_issued",
        table=_RENDERED,
        event="INSERT",
        when="NOT EXISTS (SELECT 1 FROM billing_invoice WHERE id = NEW.invoice_id AND state = 'issued')",
        message=OF_DRAFT,
    ),
    # A line's amount is its net, or more where its tax is in it: the exact limit is the code's, under a lock.
    Rule(
        name=f"{_FAPIAO_LINE}_within_invoice",
        table=_FAPIAO_LINE,
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
        name=f"{_FAPIAO_LINE}_of_issued",
        table=_FAPIAO_LINE,
        event="INSERT",
        when=(
            "NOT EXISTS (SELECT 1 FROM billing_invoiceline i JOIN billing_invoice v ON v.id = i.invoice_id "
            "WHERE i.id = NEW.line_id AND v.state = 'issued')"
        ),
        message="a fapiao is for what was issued",
    ),
)

_ALLOCATED = "NEW.amount + (SELECT COALESCE(SUM(amount), 0) FROM billing_allocation WHERE {column} = NEW.{column})"
_TO_PAY = "SELECT total FROM billing_invoice WHERE id = NEW.invoice_id AND state = 'issued' AND kind = 'invoice'"
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


RECEIVABLES = (
    Rule(
        name="allocation_within_invoice",
        table="billing_allocation",
        event="INSERT",
        when=f"{_ALLOCATED.format(column='invoice_id')} NOT BETWEEN 0 AND COALESCE(({_TO_PAY}), -1)",
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

# Credit: a movement names both of its accounts, so that every entry sums to zero. What a movement does to the two
# balances is a trigger's work; another refuses any other change of a balance, also one that is not the sum of the
# account's movements. On PostgreSQL the update locks the account's row before that sum is taken, so that two processes
# draw one after the other, and the second sees what the first took.
_ACCOUNT, _MOVEMENT = "billing_creditaccount", "billing_creditmovement"
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

CREDIT = (
    Rule(
        name="credit_movement_fits",
        table=_MOVEMENT,
        event="INSERT",
        when=f"NOT {_FITS}",
        message="credit moves within one customer and currency, and never from a grant to money",
    ),
    Rule(name="credit_account_empty", table=_ACCOUNT, event="INSERT", when="NEW.balance <> 0",
         message="an account begins with nothing"),
    Rule(
        name="credit_account_balance",
        table=_ACCOUNT,
        event="UPDATE",
        when=f"{_SAME} OR COALESCE(NEW.grant_id, 0) <> COALESCE(OLD.grant_id, 0) OR NEW.balance <> {_SUM}",
        message="a balance is the sum of its movements, and nothing else of an account changes",
    ),
    Rule(name="credit_account_no_delete", table=_ACCOUNT, event="DELETE"),
)  # fmt: skip

MOVES = Sequel(
    name="credit_movement_moves",
    table=_MOVEMENT,
    statements=(
        "UPDATE billing_creditaccount SET balance = balance - NEW.amount WHERE id = NEW.source_id",
        "UPDATE billing_creditaccount SET balance = balance + NEW.amount WHERE id = NEW.target_id",
    ),
)

RULES = (
    *(rule for table in FACTS for rule in insert_only(f"billing_{table}")),
    *DOCUMENTS,
    *RECEIVABLES,
    *CREDIT,
)


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, RULES)
    create_sequels(schema_editor, (MOVES,))


class Migration(migrations.Migration):
    """Forward only: an installation without its guards is not a state to go back to."""

    dependencies = (("billing", "0001_initial"),)
    operations = (migrations.RunPython(create),)
