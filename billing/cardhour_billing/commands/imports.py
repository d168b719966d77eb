"""``cardhour import``: usage from a CSV file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from cardhour_billing.config import load_config
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.moment import format_rfc3339


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--skip-bad", is_flag=True, help="Apply the good rows; write the bad ones beside FILE, with reasons.")
@format_option
def import_usage(file: Path, skip_bad: bool, form: str) -> None:
    """Import usage from FILE (.csv or .csv.gz), then bring the ledger up to date.

    The whole file is applied, or nothing is. Importing a file twice changes nothing.
    """
    with opened_warehouse(load_config()) as warehouse, _bar() as task:
        from cardhour_ingest.importer import import_csv
        from cardhour_ingest.warehouse.rollup import roll_up

        reading = task(f"importing {file.name}")
        result = import_csv(warehouse, file, skip_bad=skip_bad, progress=reading)
        rolling = task("computing the ledger")
        rolled = roll_up(warehouse, progress=lambda so_far, left: rolling(so_far.pairs, so_far.pairs + left))
    row = {
        "file": file.name,
        "rows": result.rows,
        "bad_rows": result.bad_rows,
        "from": format_rfc3339(result.started_at_ms) if result.started_at_ms is not None else None,
        "to": format_rfc3339(result.ended_at_ms) if result.ended_at_ms is not None else None,
        "pages": rolled.pages,
        "already_imported": "yes" if result.already_imported else "no",
    }
    print_rows([row], form)
    if result.bad_file:
        notes().print(f"{result.bad_rows} bad rows are in {result.bad_file}, with their reasons.")
    if rolled.breached or rolled.sealed:
        raise click.ClickException(
            f"{rolled.breached} ledger pages do not add up and {rolled.sealed} are sealed: they were left as they were"
        )


@contextmanager
def _bar() -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=notes(), transient=True) as bar:

        def task(what: str) -> Callable[[int, int], None]:
            number = bar.add_task(what, total=None)
            return lambda done, of: bar.update(number, completed=done, total=of)

        yield task
