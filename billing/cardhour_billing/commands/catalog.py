"""``cardhour catalog``: customers, bindings and prices as code."""

from __future__ import annotations

from pathlib import Path

import click

from cardhour_billing.store import answering, open_store, set_up
from cardhour_billing.table import format_option, notes, print_rows


@click.group()
def catalog() -> None:
    """Customers, bindings and prices as code."""


@catalog.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Apply without asking.")
@click.option(
    "--correct", is_flag=True, help="Change what was billed by, too: the next documents adjust the difference."
)
@format_option
def apply(file: Path, yes: bool, correct: bool, form: str) -> None:
    """Bring customers, bindings and prices in line with FILE (TOML).

    Shows what would change, then asks. Applying a file twice changes nothing; what a file does not name stays as it is.
    To end a binding or a price, give it a `to`. Prices, contracts and commitments
    that were billed by are changed only with --correct. What was billed is then computed again: the difference stands
    on each customer's next document, for as many closed months as adjust_months says.
    """
    set_up()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.catalog.applying import apply_catalog
    from cardhour_billing.catalog.file import read_catalog
    from cardhour_billing.catalog.plan import plan
    from cardhour_contract.clock import SystemClock

    read = read_catalog(file)
    open_store()
    with answering():
        changes = plan(read, correct=correct)
        rows = [
            {"action": each.action, "kind": each.kind, "what": each.subject, "detail": each.detail} for each in changes
        ]
        if not changes and form == "table":
            click.echo("Nothing to change.")
            return
        print_rows(rows, form, columns=("action", "kind", "what", "detail"))
        if not changes:
            return
        if not yes:
            click.confirm(f"Apply {len(changes)} changes?", abort=True, err=True)
        apply_catalog(read, changes, clock=SystemClock(), who=login_name(), correct=correct)
    notes().print(f"Applied {len(changes)} changes.")
