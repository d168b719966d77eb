"""``cardhour bank``: statements of the bank, and what their lines pay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_contract.errors import CardHourError, Refuse

if TYPE_CHECKING:
    from cardhour_billing.bank.lines import Matched
    from cardhour_billing.models import BankLine

LINE_COLUMNS = ("line", "day", "currency", "amount", "payer", "reference", "used_for")
MATCH_COLUMNS = ("line", "day", "currency", "amount", "payer", "confidence", "customer", "pays", "why")
CONFIDENCES = ("certain", "likely", "possible")


@click.group()
def bank() -> None:
    """Statements of the bank, and what their lines pay."""


@bank.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--map", "map_file", metavar="FILE", type=click.Path(path_type=Path), help="Which column is what (TOML).")
@click.option("--account", metavar="NAME", default="", help="Which of your accounts it is of, where there are several.")
@click.option("--currency", metavar="CODE", default="", help="Of lines that name none; the issuer's.")
@click.option("--yes", is_flag=True, help="Keep the lines without asking.")
@format_option
def import_(file: Path, map_file: Path | None, account: str, currency: str, yes: bool, form: str) -> None:
    """Import a statement (CSV). Shows what is new, then asks. The same statement twice adds nothing.

    Columns, encoding, dates and figures are recognised where they can be read in one way only.
    """
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.bank.file import BankMap, read_map, read_statement
    from cardhour_billing.bank.lines import keep, sort
    from cardhour_billing.models import Issuer
    from cardhour_contract.clock import SystemClock

    with answering():
        issuer = Issuer.objects.first()
        if issuer is None:
            raise Refuse("there is nobody to be paid yet: cardhour catalog apply FILE.toml")
        columns = read_map(map_file) if map_file else BankMap()
        found = sort(read_statement(file, columns, currency.upper() or issuer.currency), account)
        rows = [
            {
                "line": line.row,
                "day": line.day.isoformat(),
                "currency": line.amount.currency,
                "amount": str(line.amount),
                "payer": line.payer or None,
                "reference": line.reference or None,
            }
            for _, line in found.new
        ]
        print_rows(rows, form, columns=LINE_COLUMNS[:-1], right=("amount",))
        notes().print(f"{len(found.new)} new lines; {found.known} are kept already.")
        if not found.new:
            return
        if not yes:
            click.confirm(f"Keep {len(found.new)} lines?", abort=True, err=True)
        kept = keep(found, account=account, file=file.name, clock=SystemClock(), who=login_name())
    notes().print(f"Kept {kept} lines. cardhour bank match shows what they pay.")


@bank.command("list")
@click.option("--open", "only_open", is_flag=True, help="Only money in that nobody has said what it is.")
@format_option
def list_(only_open: bool, form: str) -> None:
    """Lines of statements, oldest first, with what each was used for."""
    open_store()
    from cardhour_billing.bank.lines import unused
    from cardhour_billing.models import BankLine

    with answering():
        lines = unused() if only_open else BankLine.objects.select_related("use__payment", "use__top_up")
        rows = [_line_row(each) | {"used_for": _used_for(each)} for each in lines]
    print_rows(rows, form, columns=LINE_COLUMNS, right=("amount",))


@bank.command()
@click.argument("line", metavar="[LINE]", default="")
@click.option("--to", metavar="INVOICE", multiple=True, help="With LINE: what it pays; or the id of whose it is.")
@click.option(
    "--confidence",
    type=click.Choice(CONFIDENCES),
    default="certain",
    show_default=True,
    help="Apply suggestions that are at least so sure.",
)
@click.option("--dry-run", is_flag=True, help="Show the suggestions, and apply none.")
@click.option("--yes", is_flag=True, help="Apply without asking.")
@format_option
def match(line: str, to: tuple[str, ...], confidence: str, dry_run: bool, yes: bool, form: str) -> None:
    """What lines pay: suggestions with how sure they are. Asks, then records the payments of those that are sure.

    A suggestion is `certain` where the reference names an invoice and pays it to the cent.
    """
    config = open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.bank import lines as banking
    from cardhour_contract.clock import SystemClock

    if to and not line:
        raise Refuse("--to says what one line pays: name the line")
    with answering():
        if to:
            one = banking.find_line(line)
            found = [banking.Matched(line=one, suggestion=banking.assigned(one, to))]
        else:
            chosen = [banking.find_line(line)] if line else banking.unused()
            found = banking.matched(each for each in chosen if not hasattr(each, "use"))
        print_rows([_match_row(each) for each in found], form, columns=MATCH_COLUMNS, right=("amount",))
        sure = CONFIDENCES[: CONFIDENCES.index(confidence) + 1]
        ready = [each for each in found if each.suggestion.confidence in sure]
        if dry_run or not ready:
            notes().print(f"{len(ready)} of {len(found)} lines are {confidence}" + (" or surer." if sure[1:] else "."))
            return
        if not yes:
            click.confirm(f"Record {len(ready)} payments?", abort=True, err=True)
        refused = 0
        for each in ready:
            try:
                use = banking.apply(each, settings=config.billing, clock=SystemClock(), who=login_name())
            except CardHourError as error:
                refused += 1
                notes().print(f"{each.line.code}: {error}")
            else:
                notes().print(f"{each.line.code}: {use.payment.code if use.payment else 'paid ahead'}")
    if refused:
        raise click.ClickException(f"{refused} lines were not recorded, for the reasons above")


@bank.command("set-aside")
@click.argument("line", metavar="LINE")
@click.option("--note", required=True, help="What it is: interest, a refund from a supplier, a transfer of your own.")
def set_aside(line: str, note: str) -> None:
    """Say that LINE is nothing that a customer paid, so that it is no longer asked about."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.bank import lines as banking
    from cardhour_contract.clock import SystemClock

    with answering():
        banking.set_aside(banking.find_line(line), note, clock=SystemClock(), who=login_name())
    notes().print(f"{line} is set aside: {note}.")


def _line_row(line: BankLine) -> dict[str, Any]:
    from cardhour_billing.bank.lines import amount_of

    return {
        "line": line.code,
        "day": line.day.isoformat(),
        "currency": line.currency,
        "amount": str(amount_of(line)),
        "payer": line.payer or None,
        "reference": line.reference or None,
    }


def _used_for(line: BankLine) -> str | None:
    use = getattr(line, "use", None)
    if use is None:
        return None
    if use.payment:
        return str(use.payment.code)
    return "paid ahead" if use.top_up else str(use.note)


def _match_row(match: Matched) -> dict[str, Any]:
    suggestion = match.suggestion
    pays = ", ".join(f"{number}: {amount}" for number, amount in suggestion.parts)
    return {
        **{name: value for name, value in _line_row(match.line).items() if name != "reference"},
        "confidence": suggestion.confidence,
        "customer": suggestion.customer or None,
        "pays": "paid ahead" if suggestion.top_up else pays or None,
        "why": suggestion.why,
    }
