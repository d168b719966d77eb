"""``cardhour dead-letters``: messages that could not be accepted, and reading them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.config import load_config
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import console, format_option, notes, print_rows
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import format_rfc3339, parse_rfc3339

if TYPE_CHECKING:
    from cardhour_ingest.replay import Replayed
    from cardhour_ingest.warehouse.letters import StoredLetter

LIST_COLUMNS = ("letter", "received_at", "node", "state", "reason", "path", "detail")
REPLAY_COLUMNS = ("letter", "offset_ms", "outcome", "reason", "path", "detail")


@click.group("dead-letters")
def dead_letters() -> None:
    """Messages that could not be accepted: which there are, what they say, and reading them again."""


@dead_letters.command("list")
@click.option("--reason", default="", help="Only of this reason, such as clock_skew.")
@click.option("--since", metavar="T", default="", help="Only those received since a time, RFC 3339 with offset.")
@format_option
def list_letters(reason: str, since: str, form: str) -> None:
    """Which dead letters there are, oldest first, with why they stay dead."""
    since_ms = parse_rfc3339(since) if since else 0
    with opened_warehouse(load_config()) as warehouse:
        from cardhour_ingest.warehouse.letters import find_letters

        found = find_letters(warehouse, reason=reason, since_ms=since_ms)
    print_rows([_row(each) for each in found], form, columns=LIST_COLUMNS)


@dead_letters.command()
@click.argument("letter", metavar="ID")
@format_option
def show(letter: str, form: str) -> None:
    """A letter's headers, why it was rejected and where, and its body as far as it can be read."""
    key = _key(letter)
    with opened_warehouse(load_config()) as warehouse:
        from cardhour_ingest.replay import decoded, message_of
        from cardhour_ingest.warehouse.letters import TOO_LATE, find_letters

        found = find_letters(warehouse, letters=[key])
        if not found:
            raise Refuse(f"there is no dead letter {letter}: cardhour dead-letters list names those there are")
        message = message_of(warehouse, found[0])
        # What is too late is rows, not a message: the rollup wrote them down as JSON.
        body = message.body.decode() if found[0].reason == TOO_LATE else decoded(message)
    headers = {name: text.decode(errors="replace") for name, text in message.headers}
    row = _row(found[0]) | {"source_id": found[0].source_id, "position": found[0].position}
    if form != "table":
        print_rows([row | {"headers": headers if form == "json" else str(headers), "body": body}], form)
        return
    out = console()
    for name, text in row.items():
        out.print(f"{name}: {text}", soft_wrap=True)
    for name, text in headers.items():
        out.print(f"  {name}: {text}", soft_wrap=True)
    out.print(body, soft_wrap=True)


@dead_letters.command()
@click.argument("letters", metavar="[ID]...", nargs=-1)
@click.option("--reason", default="", help="All of this reason, in place of IDs.")
@click.option(
    "--unsigned",
    is_flag=True,
    help="Also take letters that no enrolled key has signed: only if you know where they are from.",
)
@click.option("--yes", is_flag=True, help="Replay without asking.")
@format_option
def replay(letters: tuple[str, ...], reason: str, unsigned: bool, yes: bool, form: str) -> None:
    """Read letters again, through the same checks as any message, then bring the ledger up to date.

    Replay after what was wrong is mended. A letter of reason clock_skew is read with its offset taken from every time
    in it. Replaying twice changes nothing; what fails again stays, with the new reason.
    """
    if bool(letters) == bool(reason):
        raise Refuse("name letters, or --reason for all of one reason")
    keys = [_key(each) for each in letters]
    config = open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.usage.letter_replay import audited
    from cardhour_contract.clock import SystemClock

    with answering(), opened_warehouse(config) as warehouse:
        from cardhour_ingest import replay as replays
        from cardhour_ingest.warehouse.rollup import roll_up

        found = replays.waiting(warehouse, letters=keys, reason=reason)
        if not found:
            notes().print("Nothing to replay: they were all accepted.")
            return
        if not yes:
            click.confirm(f"Replay {len(found)} letters?", abort=True, err=True)
        clock, who = SystemClock(), login_name()
        audited(found, reason=reason, unsigned=unsigned, clock=clock, who=who)
        done = replays.replay(warehouse, found, clock=clock, who=who, unsigned=unsigned)
        rolled = roll_up(warehouse)
    print_rows([_outcome(each) for each in done], form, columns=REPLAY_COLUMNS)
    left = sum(not each.accepted for each in done)
    notes().print(f"{len(done) - left} letters accepted; {rolled.pages} pages computed.")
    if left:
        raise click.ClickException(f"{left} letters stay, with the reasons above")


def _outcome(done: Replayed) -> dict[str, Any]:
    return {
        "letter": f"{done.letter:016x}",
        "offset_ms": done.offset_ms,
        "outcome": "accepted" if done.accepted else "rejected",
        "reason": done.reason,
        "path": done.path,
        "detail": done.detail,
    }


def _row(letter: StoredLetter) -> dict[str, Any]:
    return {
        "letter": f"{letter.letter:016x}",
        "received_at": format_rfc3339(letter.received_at_ms),
        "node": letter.node,
        "state": "replayed" if letter.replayed else "waiting",
        "reason": letter.reason,
        "path": letter.path,
        "detail": letter.detail,
    }


def _key(text: str) -> int:
    """A letter's id: 16 hexadecimal digits, as they are printed."""
    try:
        key = int(text, 16)
    except ValueError:
        key = -1
    if not 0 <= key < 2**64 or len(text) > 16:
        raise Refuse(f"'{text}' is not a letter's id: 16 hexadecimal digits, as cardhour dead-letters list prints them")
    return key
