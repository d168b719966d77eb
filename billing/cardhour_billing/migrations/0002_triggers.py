"""Triggers that refuse what must never happen, whoever asks: an issued document that changes, a number series that
skips or goes back, a fact that is edited.

Lines are guarded through their invoice, so that the lines of a draft stay free.
"""

from __future__ import annotations

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

INSERT_ONLY = ("billing_auditlog", "billing_binding", "billing_price")
ISSUED = "an issued document never changes: correct it with a credit note"
FACT = "this table is insert-only: a correction supersedes"
GAPLESS = "a number series grows by one and never goes back"

# (trigger, table, event, refused when, message); OLD and NEW are the row, {issued} a test of the line's invoice.
RULES = (
    ("invoice_no_update", "billing_invoice", "UPDATE", "OLD.state = 'issued'", ISSUED),
    ("invoice_no_delete", "billing_invoice", "DELETE", "OLD.state = 'issued'", ISSUED),
    ("line_no_insert", "billing_invoiceline", "INSERT", "{issued_new}", ISSUED),
    ("line_no_update", "billing_invoiceline", "UPDATE", "{issued_old} OR {issued_new}", ISSUED),
    ("line_no_delete", "billing_invoiceline", "DELETE", "{issued_old}", ISSUED),
    ("series_by_one", "billing_numberseries", "UPDATE", "NEW.last NOT IN (OLD.last, OLD.last + 1)", GAPLESS),
    ("series_no_delete", "billing_numberseries", "DELETE", "OLD.last > 0", GAPLESS),
    *((f"{table}_no_update", table, "UPDATE", "1 = 1", FACT) for table in INSERT_ONLY),
    *((f"{table}_no_delete", table, "DELETE", "1 = 1", FACT) for table in INSERT_ONLY),
)
_ISSUED_TEST = "EXISTS (SELECT 1 FROM billing_invoice WHERE id = {row}.invoice_id AND state = 'issued')"


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create every trigger in the dialect of this database."""
    make = _on_postgresql if schema_editor.connection.vendor == "postgresql" else _on_sqlite
    for name, table, event, when, message in RULES:
        condition = when.format(issued_old=_ISSUED_TEST.format(row="OLD"), issued_new=_ISSUED_TEST.format(row="NEW"))
        for statement in make(name, table, event, condition, message):
            schema_editor.execute(statement, params=None)
    if schema_editor.connection.vendor == "postgresql":
        for table in sorted({rule[1] for rule in RULES}):
            schema_editor.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_truncate()",
                params=None,
            )


def _on_sqlite(name: str, table: str, event: str, condition: str, message: str) -> list[str]:
    return [
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW WHEN {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
    ]


def _on_postgresql(name: str, table: str, event: str, condition: str, message: str) -> list[str]:
    # The test may query other tables, which a trigger's WHEN clause may not: it stands in the function.
    returned = "OLD" if event == "DELETE" else "NEW"
    return [
        f"CREATE FUNCTION billing_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {condition} THEN RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; END IF; "
        f"RETURN {returned}; END $$",
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION billing_{name}()",
    ] + (_TRUNCATE if name == RULES[0][0] else [])


_TRUNCATE = [
    "CREATE FUNCTION billing_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RAISE EXCEPTION 'issued documents and facts cannot be truncated' "
    "USING ERRCODE = 'integrity_constraint_violation'; END $$"
]


class Migration(migrations.Migration):
    """Forward only: an installation without its guards is not a state to go back to."""

    dependencies = (("billing", "0001_initial"),)
    operations = (migrations.RunPython(create),)
