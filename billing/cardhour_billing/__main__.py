"""``cardhour``: the command line of billing staff and operators.

Owns the list of commands and how an error leaves: one clear sentence, and an exit code that is not 0. Each command is
imported when it is called; the engine and Django load only for commands that need them.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from cardhour_billing import logs
from cardhour_contract.errors import CardHourError, InvariantBroken, Refuse

COMMANDS = {
    "ageing": ("cardhour_billing.commands.ageing:ageing", "What customers owe, by how long it has been due."),
    "api-key": ("cardhour_billing.commands.api_key:api_key", "Keys of the API: which programs may ask, and what."),
    "audit": ("cardhour_billing.commands.audit:audit", "Who did what, and whether the log of it is whole."),
    "balance": ("cardhour_billing.commands.balance:balance", "Where the time of every card went."),
    "bank": ("cardhour_billing.commands.bank:bank", "Statements of the bank, and what their lines pay."),
    "budget": ("cardhour_billing.commands.budget:budget", "Budgets of customers, and who hears of them."),
    "card": ("cardhour_billing.commands.card:card", "What staff decide about a card."),
    "catalog": ("cardhour_billing.commands.catalog:catalog", "Customers, bindings and prices as code."),
    "close": ("cardhour_billing.commands.close:close", "Draft, or issue, every customer's invoice for a month."),
    "credit": (
        "cardhour_billing.commands.credit:credit",
        "What customers have paid ahead, or were granted.",
    ),
    "customer-data": (
        "cardhour_billing.commands.customer_data:customer_data",
        "Hand a customer its usage, or erase it.",
    ),
    "credit-note": ("cardhour_billing.commands.credit_note:credit_note", "What is given back of an issued invoice."),
    "dead-letters": (
        "cardhour_billing.commands.dead_letters:dead_letters",
        "Messages that could not be accepted: list, show, replay.",
    ),
    "demo": ("cardhour_billing.allinone.demo:demo", "A simulated fleet, a whole past month, then the portal."),
    "doctor": ("cardhour_billing.commands.doctor:doctor", "What is configured, reachable, and wrong, with the mend."),
    "events": ("cardhour_billing.commands.events:events", "What a webhook is told, and whether it heard."),
    "dunning": ("cardhour_billing.commands.dunning:dunning", "Reminders of overdue invoices: due, text, sent."),
    "explain": ("cardhour_billing.commands.explain:explain", "A line of an invoice, down to the raw records."),
    "fapiao": ("cardhour_billing.commands.fapiao:fapiao", "Fapiao requests, and what came of them."),
    "focus": ("cardhour_billing.commands.focus:focus", "What was billed in a month, as a FOCUS data set."),
    "import": ("cardhour_billing.commands.imports:import_usage", "Import usage from a CSV file."),
    "invoice": ("cardhour_billing.commands.invoice:invoice", "Invoices: which there are, what one says, its files."),
    "lease": ("cardhour_billing.commands.lease:lease", "Leases: which there are, what one costs, moving its end."),
    "ledger": ("cardhour_billing.commands.ledger:ledger", "The ledger's pages beside raw: rebuild, compare, expire."),
    "node": ("cardhour_billing.commands.node:node", "Keys by which nodes sign: enrol, rotate, revoke, list."),
    "payment": ("cardhour_billing.commands.payment:payment", "Money received: what it pays, and what was given back."),
    "margin": ("cardhour_billing.commands.margin:margin", "What cards earn and cost, and what a price cut would do."),
    "report-mail": ("cardhour_billing.commands.report_mail:report_mail", "Monthly usage reports by e-mail."),
    "retract": ("cardhour_billing.commands.retract:retract", "Take wrong usage out of the ledger, after a look."),
    "scheduler": ("cardhour_billing.commands.scheduler:scheduler", "Close months when they are due."),
    "send": ("cardhour_billing.commands.send:send", "Issued invoices by e-mail, once each."),
    "simulate": (
        "cardhour_billing.commands.simulate:simulate",
        "What customers would have paid under another catalog.",
    ),
    "statement": ("cardhour_billing.commands.statement:statement", "Statements of account: draw up, send, confirm."),
    "up": ("cardhour_billing.allinone.up:up", "This machine's GPUs: agent, ingest, scheduler, portal in one process."),
    "usage": ("cardhour_billing.commands.usage:usage", "Exact usage between two times."),
    "user": ("cardhour_billing.commands.user:user", "Logins of the portal."),
    "verify": ("cardhour_billing.commands.verify:verify", "Compute an issued invoice again from what it froze."),
    "web": ("cardhour_billing.commands.web:web", "The portal, in a process of its own."),
}
"""Name → where it is, and its line in the help, which then needs no import."""


INTERRUPTED = 130
"""Exit code of a command that was stopped, as shells have it."""


class LazyGroup(click.Group):
    """A group that imports a command when it is called or asked for its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        found = getattr(importlib.import_module(module), attribute)
        if not isinstance(found, click.Command):
            raise InvariantBroken(f"{module}:{attribute} is not a command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup)
@click.version_option(package_name="cardhour-billing")
def cardhour() -> None:
    """Meters GPUs and bills them by the card-hour.

    Everything lives under CARDHOUR_HOME (default ~/.local/share/cardhour); settings are in cardhour.toml there.
    """


def main() -> None:
    """Run the command line; every expected error is one sentence a line on standard error."""
    logs.configure()
    try:
        cardhour(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _leave(error.exit_code, error.format_message())
    except click.Abort as abort:
        # Said no, or a stop in the middle of the work, which click hands on in the same way.
        if isinstance(abort.__cause__, KeyboardInterrupt):
            _leave(INTERRUPTED, "interrupted")
        _leave(1, "nothing was changed")
    except Refuse as error:
        _leave(2, *error.problems)
    except CardHourError as error:
        _leave(1, str(error))
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): point standard output elsewhere, or Python complains at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        _leave(INTERRUPTED, "interrupted")


def _leave(code: int, *sentences: str) -> None:
    for sentence in sentences:
        click.echo(f"cardhour: {sentence}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
