"""Triggers that refuse what must never happen, in the dialect of the database at hand.

Owns how a rule becomes a trigger on SQLite and on PostgreSQL. Does not own the rules: each migration names its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from msgspec import Struct

FACT = "this table is insert-only: a correction supersedes"
_TRUNCATION = "issued documents and facts cannot be truncated"


class Rule(Struct, frozen=True, kw_only=True):
    """One thing that a table refuses. ``when`` is a SQL test over the rows OLD and NEW."""

    name: str
    table: str
    event: str
    """INSERT, UPDATE or DELETE."""
    when: str = "1 = 1"
    message: str = FACT


class Sequel(Struct, frozen=True, kw_only=True):
    """What follows, in the database itself, whenever a row is inserted. ``statements`` may name the row NEW."""

    name: str
    table: str
    statements: tuple[str, ...]


def insert_only(table: str, message: str = FACT) -> tuple[Rule, Rule]:
    """The rules of a table whose rows are never edited and never go."""
    return (
        Rule(name=f"{table}_no_update", table=table, event="UPDATE", message=message),
        Rule(name=f"{table}_no_delete", table=table, event="DELETE", message=message),
    )


def create_triggers(schema_editor: BaseDatabaseSchemaEditor, rules: Iterable[Rule]) -> None:
    """Create a trigger for each rule; on PostgreSQL one more for each table, against TRUNCATE."""
    rules = tuple(rules)
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    for rule in rules:
        for statement in _on_postgresql(rule) if on_postgresql else _on_sqlite(rule):
            schema_editor.execute(statement, params=None)
    if on_postgresql:
        for statement in _against_truncation(sorted({rule.table for rule in rules})):
            schema_editor.execute(statement, params=None)


def create_sequels(schema_editor: BaseDatabaseSchemaEditor, sequels: Iterable[Sequel]) -> None:
    """Create a trigger for each sequel, which runs after the insert and in its transaction."""
    for each in sequels:
        body = "; ".join(each.statements)
        after = f"AFTER INSERT ON {each.table} FOR EACH ROW"
        if schema_editor.connection.vendor == "postgresql":
            function = f"billing_{each.name}()"
            schema_editor.execute(
                f"CREATE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$",
                params=None,
            )
            schema_editor.execute(f"CREATE TRIGGER {each.name} {after} EXECUTE FUNCTION {function}", params=None)
        else:
            schema_editor.execute(f"CREATE TRIGGER {each.name} {after} BEGIN {body}; END", params=None)


def restore_triggers(schema_editor: BaseDatabaseSchemaEditor, rules: Iterable[Rule]) -> None:
    """After a column of a table was changed: SQLite copies the table to do so, and its triggers go with the old one."""
    if schema_editor.connection.vendor == "sqlite":
        for rule in rules:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {rule.name}", params=None)
            for statement in _on_sqlite(rule):
                schema_editor.execute(statement, params=None)


def _on_sqlite(rule: Rule) -> list[str]:
    return [
        f"CREATE TRIGGER {rule.name} BEFORE {rule.event} ON {rule.table} FOR EACH ROW WHEN {rule.when} "
        f"BEGIN SELECT RAISE(ABORT, '{rule.message}'); END"
    ]


def _on_postgresql(rule: Rule) -> list[str]:
    # The test may query other tables, which a trigger's WHEN clause may not: it stands in the function.
    returned = "OLD" if rule.event == "DELETE" else "NEW"
    return [
        f"CREATE OR REPLACE FUNCTION billing_{rule.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {rule.when} THEN RAISE EXCEPTION '{rule.message}' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; "
        f"RETURN {returned}; END $$",
        f"CREATE TRIGGER {rule.name} BEFORE {rule.event} ON {rule.table} "
        f"FOR EACH ROW EXECUTE FUNCTION billing_{rule.name}()",
    ]


def _against_truncation(tables: Iterable[str]) -> Iterator[str]:
    yield (
        "CREATE OR REPLACE FUNCTION billing_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{_TRUNCATION}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for table in tables:
        yield (
            f"CREATE OR REPLACE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_truncate()"
        )
