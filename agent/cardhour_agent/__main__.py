"""Command line of the agent: ``cardhour-agent``.

Owns options, exit codes and logging. Does not own any work.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cardhour_agent import descriptors, key_file, logs, show, slurm_notes
from cardhour_agent.checkup import examine
from cardhour_agent.config import Config, load
from cardhour_agent.outbox import entry_of
from cardhour_agent.runner import exclusive, look_once, shipper_of
from cardhour_agent.running import Running
from cardhour_agent.scenario import read_scenario
from cardhour_agent.simulate import simulate
from cardhour_contract.errors import CardHourError, Refuse, Reject
from cardhour_contract.moment import parse_rfc3339
from cardhour_contract.record import Report
from cardhour_contract.spool import Spool
from cardhour_contract.unpack import unpack
from cardhour_contract.wire import PACKED, ROWS, decode

if TYPE_CHECKING:
    from cardhour_contract.signing import SigningKey

READ_AGAIN = "cardhour_agent.read_again"
"""Where the context keeps how the settings were read."""

DRAIN_S = 300.0
"""How long a simulation waits for the broker to take everything it spooled."""

FORMATS = {"table": show.as_table, "csv": show.as_csv, "json": show.as_json}
ROW_FORMATS = {"table": show.rows_as_table, "csv": show.rows_as_csv, "json": show.rows_as_json}
_format = click.option(
    "--format", "form", type=click.Choice(tuple(FORMATS)), default="table", show_default=True, help="How to print."
)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("cardhour-agent"), prog_name="cardhour-agent")
@click.option("--once", is_flag=True, help="Take two samples a second apart, spool what they prove, and exit.")
@click.option("--dry-run", is_flag=True, help="With --once: print what would be sent; nothing is spooled or sent.")
@click.option("--scenario", type=click.Path(path_type=Path), help="Simulate this node from a scenario file.")
@click.option("--from", "from_", metavar="TIME", help="With --scenario: play from here (RFC 3339), at full speed.")
@click.option("--to", metavar="TIME", help="With --scenario: play to here, spool and ship it all, then exit.")
@click.option("--node", help="The node's id, in place of [agent] node.")
@_format
@click.pass_context
def cli(
    context: click.Context,
    once: bool,
    dry_run: bool,
    scenario: Path | None,
    from_: str | None,
    to: str | None,
    node: str | None,
    form: str,
) -> None:
    """Meter this node's GPUs: which process holds which card, from when to when.

    Without a command it runs until it is stopped. Settings are in $CARDHOUR_HOME/cardhour.toml, sections [agent] and
    [stream], or in CARDHOUR_AGENT_… and CARDHOUR_STREAM_… variables.
    """
    if context.invoked_subcommand == "decode":
        return
    read_settings = partial(load, node=node or "", scenario=str(scenario or ""))
    config = context.obj = read_settings()
    context.meta[READ_AGAIN] = read_settings
    if dry_run and not once:
        raise Refuse("--dry-run goes with --once")
    if (from_ is None) != (to is None) or (from_ is not None and not config.agent.scenario):
        raise Refuse("--from and --to go together, and with --scenario FILE")
    if from_ is not None and to is not None:
        _play(config, parse_rfc3339(from_), parse_rfc3339(to))
    elif once:
        _once(config, dry_run, form)
    elif context.invoked_subcommand is None:
        _run(config, read_settings)


@cli.command()
@click.pass_context
def run(context: click.Context) -> None:
    """Sample, spool and ship until SIGTERM or SIGINT (what happens without a command, too).

    SIGHUP reads the settings again; what is wrong with them is logged, and the old ones stay.
    """
    _run(context.obj, context.meta[READ_AGAIN])


@cli.command("decode")
@click.argument("file", type=click.Path(path_type=Path))
@_format
def decode_file(file: Path, form: str) -> None:
    """Show the message in FILE: one report's body, packed or JSON rows."""
    try:
        body = file.read_bytes()
        reports = [unpack(decode(body, ROWS if body[:1] in (b"{", b" ", b"\n") else PACKED))]
    except OSError as error:
        raise Refuse(f"{file} cannot be read: {error.strerror}") from error
    except (Reject, IndexError, ValueError) as error:
        raise Refuse(f"{file} is not a message of ours: {error}") from error
    click.echo(FORMATS[form](reports))


@cli.command()
@_format
@click.pass_obj
def doctor(config: Config, form: str) -> None:
    """What this node's agent needs, what is wrong, and how to mend it.

    Changes nothing, and may run beside the agent. Exit code 1 where something is wrong; a note is not wrong.
    """
    logs.quiet()
    findings = list(examine(config))
    click.echo(ROW_FORMATS[form](findings))
    wrong = [each.check for each in findings if each.state == "wrong"]
    if wrong:
        raise click.ClickException(f"wrong: {', '.join(wrong)}")


@cli.group()
def key() -> None:
    """The key that this node signs its reports with: make it, show its public half, put another in its place."""


@key.command("create")
@click.option("--next", "waiting", is_flag=True, help="Beside the one in use, to take its place later.")
@click.pass_obj
def create_key(config: Config, waiting: bool) -> None:
    """Make a key that never leaves this node, and say how staff enrol it."""
    path = key_file.next_of(config.key_file) if waiting else config.key_file
    _enrolment(config, key_file.create(path), "rotate" if waiting else "enrol")


@key.command("show")
@click.pass_obj
def show_key(config: Config) -> None:
    """The key's id, and how staff enrol it."""
    _enrolment(config, key_file.read(config.key_file), "enrol")


@key.command("use-next")
@click.pass_obj
def use_next_key(config: Config) -> None:
    """Sign with the key of 'create --next' from now on: after staff have run 'cardhour node rotate' with it."""
    used = key_file.use_next(config.key_file)
    click.echo(
        f"This node signs with key {used.public.key_id}; a running agent does so from its next report on.", err=True
    )


@cli.group()
def slurm() -> None:
    """For Slurm's prolog and epilog on this node: note which cards a job has, where assignment makes a card held."""


@slurm.command()
@click.pass_obj
def prolog(config: Config) -> None:
    """Note the cards of the job that is about to start (SLURM_JOB_ID, SLURM_JOB_GPUS)."""
    slurm_notes.note(config.home / config.agent.slurm_notes, os.environ)


@slurm.command()
@click.pass_obj
def epilog(config: Config) -> None:
    """Forget the cards of the job that has ended."""
    slurm_notes.forget(config.home / config.agent.slurm_notes, os.environ)


def _enrolment(config: Config, made: SigningKey, verb: str) -> None:
    click.echo(
        f"Key {made.public.key_id} of node {config.agent.node}. Staff enrol it, where CardHour bills, with", err=True
    )
    click.echo(f"cardhour node {verb} {shlex.quote(config.agent.node)} {made.public}")


def _run(config: Config, read_again: Callable[[], Config]) -> None:
    """Until SIGTERM or SIGINT; with the settings as they then are after each SIGHUP."""
    descriptors.raise_limit()
    running = Running(config, read_again)
    signal.signal(signal.SIGTERM, running.stop)
    signal.signal(signal.SIGINT, running.stop)
    signal.signal(signal.SIGHUP, running.reload)
    running.run()


def _once(config: Config, dry_run: bool, form: str) -> None:
    if dry_run:
        click.echo(FORMATS[form](look_once(config)))
        return
    with exclusive(config.spool), Spool(config.spool, bytes_max=config.agent.spool_bytes_max) as spool:
        reports: list[Report] = look_once(config)
        spool.append([entry_of(each) for each in reports])
    click.echo(f"{len(reports)} report(s) in the spool {config.spool}", err=True)


def _play(config: Config, from_ms: int, to_ms: int) -> None:
    """Simulate a span at full speed into the spool; with Kafka configured, ship it all too."""
    if to_ms <= from_ms:
        raise Refuse("--to is not after --from")
    scenario = read_scenario(Path(config.agent.scenario))
    with exclusive(config.spool):
        done = simulate(
            scenario,
            config.agent.node,
            from_ms,
            to_ms,
            config.spool,
            policy=config.policy,
            spool_bytes_max=config.agent.spool_bytes_max,
        )
        shipper = shipper_of(config)
        left = shipper.drain(DRAIN_S) if shipper else 0
    click.echo(f"{done.reports} reports with {done.usage_records} usage records", err=True)
    if left:
        raise Refuse(f"{left} reports are still in the spool {config.spool}: the broker did not take them in time")


def main() -> None:
    """Entry point: expected errors are one sentence each, and exit codes that scripts can use."""
    logs.configure()
    try:
        cli.main(standalone_mode=True)
    except Refuse as error:
        for problem in error.problems:
            click.echo(f"cardhour-agent: {problem}", err=True)
        sys.exit(2)
    except CardHourError as error:
        click.echo(f"cardhour-agent: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
