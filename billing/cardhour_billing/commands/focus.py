"""``cardhour focus``: what was billed in a month, as a FOCUS data set."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from cardhour_billing.store import answering, open_store
from cardhour_billing.table import notes
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.errors import Refuse


@click.command()
@click.option("--month", required=True, metavar="YYYY-MM", help="Month of the documents, in each customer's zone.")
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
@click.option("--focus-version", default="1.2", show_default=True, help="Version of the specification.")
@click.option("--to", "file", metavar="FILE", type=click.Path(path_type=Path), help="Write here, not to the output.")
def focus(month: str, customer: str, focus_version: str, file: Path | None) -> None:
    """Every document issued for a month as FOCUS CSV: a row for each line, day and card, and one for each tax.

    The billed costs of a document sum to its total. Each row is checked against the specification before it is written.
    """
    config = open_store()
    from cardhour_billing.focus.export import export
    from cardhour_billing.focus.table import columns
    from cardhour_billing.models import Customer
    from cardhour_billing.month import parse_month
    from cardhour_billing.usage.ledger import WarehouseLedger

    wanted = parse_month(month)
    columns(focus_version)  # refuses a version there is no table for, before anything is opened
    with answering(), opened_warehouse(config) as warehouse, _output(file) as out:
        if customer and not Customer.objects.filter(key=customer).exists():
            raise Refuse(f"there is no customer '{customer}': cardhour catalog apply adds one")
        documents, rows = export(
            out, wanted, WarehouseLedger(warehouse), customer=customer, version=focus_version, progress=_progress
        )
    notes().print(f"{rows} rows of {documents} documents issued for {month}.")


def _progress(what: str, done: int, of: int) -> None:
    if sys.stderr.isatty() and (done == of or done % 25 == 0):
        notes().print(f"{what} ({done} of {of})")


@contextmanager
def _output(file: Path | None) -> Iterator[IO[str]]:
    """Standard output, or a file that is there whole or not at all."""
    if file is None:
        yield sys.stdout
        return
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as out:
            yield out
        part.replace(file)
    except OSError as error:
        raise Refuse(f"{error.filename or file} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
