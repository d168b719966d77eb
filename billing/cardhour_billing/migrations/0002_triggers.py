"""Triggers that refuse what must never happen, whoever asks: an issued document that changes, a number series that
skips or goes back, a fact that is edited.

Lines are guarded through their invoice, so that the lines of a draft stay free.
"""

from __future__ import annotations

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from cardhour_billing.triggers import Rule, create_triggers, insert_only

INSERT_ONLY = ("billing_auditlog", "billing_binding", "billing_price")
ISSUED = "an issued document never changes: correct it with a credit note"
GAPLESS = "a number series grows by one and never goes back"

_OF_ISSUED = "EXISTS (SELECT 1 FROM billing_invoice WHERE id = {row}.invoice_id AND state = 'issued')"
_OLD, _NEW = _OF_ISSUED.format(row="OLD"), _OF_ISSUED.format(row="NEW")
_INVOICE, _LINE, _SERIES = "billing_invoice", "billing_invoiceline", "billing_numberseries"

RULES = (
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
    *(rule for table in INSERT_ONLY for rule in insert_only(table)),
)


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    create_triggers(schema_editor, RULES)


class Migration(migrations.Migration):
    """Forward only: an installation without its guards is not a state to go back to."""

    dependencies = (("billing", "0001_initial"),)
    operations = (migrations.RunPython(create),)
