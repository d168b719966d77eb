"""``cardhour audit``: who did what, and whether the log of it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_contract.moment import format_rfc3339, parse_rfc3339

COLUMNS = ("position", "at", "who", "action", "subject", "detail")


@click.group()
def audit() -> None:
    """Who did what on purpose, and whether the log of it is whole."""


@audit.command("list")
@click.option("--who", metavar="LOGIN", default="", help="Only what this login did.")
@click.option("--action", metavar="TEXT", default="", help="Only actions that begin so, such as invoice or payment.")
@click.option("--subject", metavar="TEXT", default="", help="Only subjects that begin so, such as an invoice number.")
@click.option("--from", "from_", metavar="T", default="", help="From this time on, RFC 3339 with offset.")
@click.option("--to", metavar="T", default="", help="Until this time, exclusive, likewise.")
@click.option("--last", metavar="N", type=click.IntRange(1), help="Only the last N of those.")
@format_option
def list_(who: str, action: str, subject: str, from_: str, to: str, last: int | None, form: str) -> None:
    """Entries, oldest first."""
    wanted_from, wanted_to = (parse_rfc3339(each) if each else None for each in (from_, to))
    open_store()
    from cardhour_billing.audit.chain import Wanted, entries

    wanted = Wanted(who=who, action=action, subject=subject, from_ms=wanted_from, to_ms=wanted_to)
    with answering():
        found = entries(wanted)
        shown = list(found.reverse()[:last])[::-1] if last else list(found)
    rows: list[dict[str, Any]] = [
        {
            "position": each.position,
            "at": format_rfc3339(each.at_ms),
            "who": each.who,
            "action": each.action,
            "subject": each.subject,
            "detail": each.detail if form == "json" else msgspec.json.encode(each.detail, order="sorted").decode(),
        }
        for each in shown
    ]
    print_rows(rows, form, columns=COLUMNS)


@audit.command()
@click.option(
    "--heads", metavar="FILE", type=click.Path(path_type=Path),
    help="Exported heads to hold the log against; those of this installation.",
)  # fmt: skip
def verify(heads: Path | None) -> None:
    """Walk the whole log. Exit code 1 where an entry was changed, removed or inserted; the first is named."""
    config = open_store()
    from cardhour_billing.audit.chain import HEADS_FILE, read_heads, verify_chain

    if heads and not heads.exists():
        raise click.UsageError(f"there is no file {heads}")
    with answering():
        chain = verify_chain(read_heads(heads or config.home / HEADS_FILE))
    if chain.broken:
        raise click.ClickException(chain.broken)
    notes().print(
        f"The audit log is whole: {chain.entries:,} entries, {chain.heads_checked:,} exported heads agree; "
        f"its head is {chain.head}."
    )


@audit.command()
@format_option
def export(form: str) -> None:
    """Append the log's head to audit-heads.jsonl in CARDHOUR_HOME, and print it: keep a copy where nobody can edit it.

    The scheduler does it each day.
    """
    config = open_store()
    from cardhour_billing.audit.chain import export_head
    from cardhour_contract.clock import SystemClock

    with answering():
        head = export_head(config.home, SystemClock())
    print_rows([msgspec.structs.asdict(head)], form)
