"""``cardhour node``: the keys by which nodes sign what they report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.config import load_config
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import HOUR_MS, format_rfc3339, parse_rfc3339

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.client import Warehouse
    from cardhour_ingest.warehouse.node_keys import KeyFact, NodeKey

COLUMNS = ("node", "key_id", "state", "enrolled_at", "enrolled_by", "revoked_from", "reason", "public_key")


@click.group()
def node() -> None:
    """The keys by which nodes sign what they report: enrol, rotate, revoke, list.

    A key is made on its node, by 'cardhour-agent key create', and only its public half leaves it. Every change is
    audited.
    """


@node.command()
@click.argument("node", metavar="NODE")
@click.argument("public_key", metavar="KEY")
def enrol(node: str, public_key: str) -> None:
    """Take messages signed with KEY for messages of NODE.

    KEY is what 'cardhour-agent key show' prints on the node. Dead letters that came before are accepted by
    'cardhour dead-letters replay --reason unknown_key'.
    """
    from cardhour_contract.signing import PublicKey

    key = PublicKey.parse(public_key)
    config = open_store()
    with answering(), opened_warehouse(config) as warehouse:
        from cardhour_ingest.warehouse.node_keys import enrolment

        facts = enrolment(warehouse, node, key)
        _record(warehouse, "node enrol", node, facts)
    notes().print(f"Key {key.key_id} is {'' if facts else 'already '}enrolled for node {node}.")


@node.command()
@click.argument("node", metavar="NODE")
@click.argument("public_key", metavar="KEY")
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, 24 * 90),
    default=48,
    show_default=True,
    help="How long the keys that it has now stay good: time to switch on the node, and to send what is spooled.",
)
def rotate(node: str, public_key: str, overlap_hours: int) -> None:
    """Enrol KEY for NODE, and let its other keys end after the overlap.

    First run 'cardhour-agent key create --next' on the node; after this, 'cardhour-agent key use-next'.
    """
    from cardhour_contract.signing import PublicKey

    key = PublicKey.parse(public_key)
    until_ms = SystemClock().now_ms() + overlap_hours * HOUR_MS
    config = open_store()
    with answering(), opened_warehouse(config) as warehouse:
        from cardhour_ingest.warehouse.node_keys import rotation

        _record(warehouse, "node rotate", node, rotation(warehouse, node, key, until_ms))
    notes().print(
        f"Key {key.key_id} is enrolled for node {node}; its other keys are good until {format_rfc3339(until_ms)}."
    )


@node.command()
@click.argument("node", metavar="NODE")
@click.argument("key_ids", metavar="[KEY_ID]...", nargs=-1)
@click.option("--from", "from_", metavar="T", default="", help="From when, RFC 3339 with offset; now, if left out.")
@click.option("--reason", required=True, help="Why: it is kept with the revocation and in the audit log.")
@click.option("--yes", is_flag=True, help="Revoke without asking.")
def revoke(node: str, key_ids: tuple[str, ...], from_: str, reason: str, yes: bool) -> None:
    """Refuse what NODE signs with a key, or with any of its keys, and arrives from a time on.

    It cannot be taken back: enrol a new key instead. What had arrived before is kept; where the key was in wrong
    hands by then, take it out with 'cardhour retract node'.
    """
    now_ms = SystemClock().now_ms()
    from_ms = parse_rfc3339(from_) if from_ else now_ms
    config = open_store()
    with answering(), opened_warehouse(config) as warehouse:
        from cardhour_ingest.warehouse.node_keys import reports_since, revocation

        facts = revocation(warehouse, node, key_ids, from_ms, reason)
        if not facts:
            notes().print("Nothing to revoke: no later than that those keys are revoked already.")
            return
        since = format_rfc3339(from_ms)
        if not yes:
            named = ", ".join(each.key.key_id for each in facts)
            click.confirm(f"Revoke {named} of node {node} from {since}, for good?", abort=True, err=True)
        _record(warehouse, "node revoke", node, facts)
        stored = reports_since(warehouse, node, from_ms)
    notes().print(f"Revoked {len(facts)} keys of node {node} from {since}.")
    if stored:
        notes().print(
            f"{stored} reports of this node have arrived since then and count: cardhour retract node {node}"
            f" --from {since} --to {format_rfc3339(now_ms)} shows what they amount to, and takes them out."
        )


@node.command("list")
@click.argument("node", metavar="[NODE]", required=False, default="")
@format_option
def list_keys(node: str, form: str) -> None:
    """Every key that was ever enrolled, or those of NODE, and whether it is good now."""
    now_ms = SystemClock().now_ms()
    with opened_warehouse(load_config()) as warehouse:
        from cardhour_ingest.warehouse.node_keys import node_keys

        found = node_keys(warehouse, node)
    print_rows([_row(each, now_ms) for each in found], form, columns=COLUMNS)


def _record(warehouse: Warehouse, action: str, node: str, facts: Sequence[KeyFact]) -> None:
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.audit.node_trust import record_keys

    record_keys(warehouse, action, node, facts, clock=SystemClock(), who=login_name())


def _row(key: NodeKey, now_ms: int) -> dict[str, Any]:
    ended = key.revoked_from_ms
    state = "good" if ended is None else "ending" if ended > now_ms else "revoked"
    return {
        "node": key.node,
        "key_id": key.key_id,
        "state": state,
        "enrolled_at": format_rfc3339(key.enrolled_at_ms),
        "enrolled_by": key.enrolled_by,
        "revoked_from": None if ended is None else format_rfc3339(ended),
        "reason": key.reason,
        "public_key": str(key.public),
    }
