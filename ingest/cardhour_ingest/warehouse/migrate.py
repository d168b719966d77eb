"""The warehouse's tables, brought to the state that this version of CardHour needs.

Owns reading the numbered files of ``migrations/``, cutting them into statements, writing those for one node, and
recording what was applied. Does not own what the tables mean (the files say that) nor what a cluster needs
(``cluster``). ClickHouse has no transactions around DDL: a row is written before a file is applied and another after,
so that a crash between the two is seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Protocol

from msgspec import Struct, structs

from cardhour_contract.errors import InvariantBroken, Refuse
from cardhour_ingest.warehouse.client import Target, Warehouse

COMMAND = "cardhour-ingest migrate"
"""What a person runs to apply pending migrations."""

STARTED, DONE = "started", "done"

MIGRATION_TABLE = """CREATE TABLE IF NOT EXISTS migration (
    number     UInt32,
    name       String,
    sha256     String,
    state      LowCardinality(String) COMMENT 'started or done; a migration has one row of each',
    applied_at DateTime64(3, 'UTC')
) ENGINE = MergeTree
ORDER BY (number, applied_at)"""

_FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
_PIECE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|;|.", re.DOTALL)
_ENGINE = re.compile(r"\bENGINE\s*=\s*\w*MergeTree\b")
_SETTINGS = re.compile(r"^SETTINGS\b", re.MULTILINE)
_CREATE = re.compile(r"\bCREATE TABLE (?!IF NOT EXISTS)")


class Migration(Struct, frozen=True, kw_only=True):
    """One numbered file."""

    number: int
    name: str
    text: str

    @property
    def label(self) -> str:
        return f"{self.number:04d}_{self.name}"

    @property
    def sha256(self) -> str:
        return sha256(self.text.encode()).hexdigest()


class Rendering(Protocol):
    """How a migration's statement is written for a kind of installation: as one statement, or as several."""

    def __call__(self, statement: str) -> list[str]: ...


def on_server(statement: str) -> str:
    """As it stands: one ClickHouse server, durable by its own configuration."""
    return statement


def embedded(statement: str) -> str:
    """The engine in our process: a table's inserts are on disk when they return, since no replica has them."""
    if not _ENGINE.search(statement):
        return statement
    joint = "," if _SETTINGS.search(statement) else "\nSETTINGS"
    return f"{statement}{joint} fsync_after_insert = 1, fsync_part_directory = 1"


def rendering_for(target: Target) -> Rendering:
    if target.cluster:
        return target.cluster.render
    alone = embedded if target.embedded else on_server
    return lambda statement: [alone(statement)]


def statements(text: str) -> list[str]:
    """The statements of an SQL text, cut at each ``;`` outside strings and comments; comments are left out."""
    found, current = [], ""
    for piece in _PIECE.findall(text):
        if piece == ";":
            found.append(current)
            current = ""
        elif not piece.startswith(("--", "/*")):
            current += piece
    return [cut for cut in (part.strip() for part in [*found, current]) if cut]


def migrations() -> list[Migration]:
    """The files of ``migrations/`` in order, numbered from 1 without a gap."""
    found = []
    for file in files("cardhour_ingest.warehouse").joinpath("migrations").iterdir():
        named = _FILE_NAME.fullmatch(file.name)
        if named:
            found.append(Migration(number=int(named[1]), name=named[2], text=file.read_text(encoding="utf-8")))
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise InvariantBroken(f"migrations are not numbered 1, 2, …: {[migration.label for migration in found]}")
    return found


def create_database(target: Target) -> None:
    """Create the target's database where it does not exist."""
    statement = "CREATE DATABASE IF NOT EXISTS {name:Identifier}"
    if target.cluster:
        statement = target.cluster.create_database(statement)
    with Warehouse(structs.replace(target, database="default")) as server:
        server.command(statement, name=target.database)


def pending(warehouse: Warehouse, known: Sequence[Migration] | None = None) -> list[Migration]:
    """The migrations that were not applied yet.

    Refuses a warehouse in which one was interrupted, whose file changed afterwards, or which a newer version made.
    """
    left, interrupted = _compare(warehouse, migrations() if known is None else known)
    if interrupted:
        raise Refuse(
            f"Migration {interrupted.label} of database {warehouse.target.database} was begun and never finished: some "
            f"of its statements may have been applied. Make sure that no other process is applying it, then run "
            f"`{COMMAND} --resume`, which applies it again from its first statement and keeps every row."
        )
    return left


def migrate(warehouse: Warehouse, known: Sequence[Migration] | None = None, *, resume: bool = False) -> list[Migration]:
    """Apply what is pending, in order; returns what was applied. ``resume`` also repeats an interrupted one."""
    known = migrations() if known is None else known
    rendering = rendering_for(warehouse.target)
    for written in rendering(MIGRATION_TABLE):
        warehouse.command(written)
    todo = _compare(warehouse, known)[0] if resume else pending(warehouse, known)
    for migration in todo:
        _record(warehouse, migration, STARTED)  # 1. from here on a crash is visible
        for statement in statements(migration.text):
            # 2. each statement is atomic; IF NOT EXISTS lets a resumed migration pass over the ones already applied
            again = _CREATE.sub("CREATE TABLE IF NOT EXISTS ", statement) if resume else statement
            for written in rendering(again):
                warehouse.command(written)
        _record(warehouse, migration, DONE)  # 3. never applied again
    return todo


def _compare(warehouse: Warehouse, known: Sequence[Migration]) -> tuple[list[Migration], Migration | None]:
    """What is left to apply, and the one among them that was interrupted."""
    if not warehouse.value("EXISTS TABLE migration"):
        return list(known), None
    rows = warehouse.rows("SELECT number, name, sha256, state FROM migration ORDER BY number")
    done = {row["number"]: row for row in rows if row["state"] == DONE}
    by_number = {migration.number: migration for migration in known}
    problems = [_difference(row, by_number.get(number)) for number, row in done.items()]
    if any(problems):
        raise Refuse(*filter(None, problems))
    left = [migration for migration in known if migration.number not in done]
    begun = {row["number"] for row in rows} - done.keys()
    return left, next((migration for migration in left if migration.number in begun), None)


def _difference(row: dict[str, str], migration: Migration | None) -> str:
    label = f"{int(row['number']):04d}_{row['name']}"
    if migration is None:
        return f"The warehouse has migration {label}, which this version does not know: install the newer CardHour."
    if migration.sha256 != row["sha256"]:
        return (
            f"Migration {label} was changed after it was applied: its file has sha256 {migration.sha256}, the "
            f"warehouse recorded {row['sha256']}. Put the file back as it was and make the change in a new migration."
        )
    return ""


def _record(warehouse: Warehouse, migration: Migration, state: str) -> None:
    warehouse.command(
        "INSERT INTO migration SELECT {number:UInt32}, {name:String}, {sha256:String}, {state:String}, now64(3, 'UTC')",
        number=migration.number,
        name=migration.name,
        sha256=migration.sha256,
        state=state,
    )
