"""Migrations that create many tables, at once.

Django draws up again all models that are tied to a new one after each ``CreateModel``, which for some fifty tables is
most of what a first start does. Here they are drawn up once, when all are known. The tables are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import Migration
from django.db.migrations.operations import CreateModel
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState


class CreateModels(Operation):
    """Several ``CreateModel``, made in their order."""

    def __init__(self, models: Sequence[Operation]) -> None:
        self.models = models

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        state.__dict__.pop("apps", None)  # what was drawn up before: whoever asks next has all of it drawn up
        for each in self.models:
            each.state_forwards(app_label, state)

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        for each in self.models:
            each.database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        for each in reversed(self.models):
            each.database_backwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        return f"Create {len(self.models)} models"


def at_once(migration: type[Migration]) -> type[Migration]:
    """Decorates a migration: ``CreateModel`` operations that follow one another become one step."""
    migration.operations = list(_joined(migration.operations))
    return migration


def _joined(operations: Sequence[Operation]) -> Iterable[Operation]:
    for creates, run in groupby(operations, lambda each: isinstance(each, CreateModel)):
        if creates:
            yield CreateModels(list(run))
        else:
            yield from run
