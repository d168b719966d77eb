"""``cardhour retract``: take wrong usage out of the ledger, after seeing what that changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.figures import grouped
from cardhour_billing.money import Money, card_hours
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import console, format_option, notes, print_rows
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import format_rfc3339, parse_rfc3339

if TYPE_CHECKING:
    from cardhour_billing.effects.retraction_cost import Costs
    from cardhour_ingest.warehouse.client import Warehouse
    from cardhour_ingest.warehouse.retraction import Effect, Retraction

FILE = "file"
SCOPES = ("batch", "node", "card", "process", "owner", FILE)
COLUMNS = (
    "kind", "owner", "model", "customer", "month", "invoice", "before_us", "after_us", "currency", "before", "after",
)  # fmt: skip


@click.command()
@click.argument("scope", type=click.Choice(SCOPES))
@click.argument("subject")
@click.option("--from", "from_", metavar="T", default="", help="Start of the wrong time, RFC 3339 with offset.")
@click.option("--to", metavar="T", default="", help="Its end, exclusive, likewise.")
@click.option("--reason", required=True, help="Why: it is kept with the retraction and in the audit log.")
@click.option("--yes", is_flag=True, help="Retract without asking.")
@format_option
def retract(scope: str, subject: str, from_: str, to: str, reason: str, yes: bool, form: str) -> None:
    """Take the time of SUBJECT (a node, card, owner, process, batch or imported file) out of the ledger.

    Shows first what that changes, in usage and in money, then asks. Raw rows stay; only those received before now are
    taken out, so that corrected usage counts. A file is named by its name or SHA-256, and needs no times. Issued
    invoices stay as they are.
    """
    config = open_store()
    from cardhour_billing.audit.log import audit, login_name
    from cardhour_billing.effects.retraction_cost import costs
    from cardhour_billing.usage.ledger import WarehouseLedger
    from cardhour_contract.clock import SystemClock

    with answering(), opened_warehouse(config) as warehouse:
        from cardhour_ingest.warehouse import retraction as facts
        from cardhour_ingest.warehouse.rollup import roll_up

        wrong = _retractions(warehouse, scope, subject, (from_, to), (reason, login_name()))
        roll_up(warehouse)
        effects = facts.preview(warehouse, *wrong)
        _show(effects, costs(WarehouseLedger(warehouse), effects), form)
        if not yes:
            click.confirm(f"Retract {scope} {subject}?", abort=True, err=True)
        # 1. Who decided it and why, before it has any effect.
        audit(SystemClock(), wrong[0].who, "retract", f"{scope} {subject}"[:256], _detail(wrong))
        # 2. The facts, and 3. the pages that follow from them.
        facts.retract(warehouse, *wrong)
        rolled = roll_up(warehouse)
    notes().print(f"Retracted {scope} {subject}; {rolled.pages} pages computed.")
    if rolled.breached or rolled.sealed:
        raise click.ClickException(
            f"{rolled.breached} ledger pages do not add up and {rolled.sealed} are sealed: they were left as they were"
        )


def _retractions(
    warehouse: Warehouse, scope: str, subject: str, span: tuple[str, str], why: tuple[str, str]
) -> list[Retraction]:
    from cardhour_ingest.warehouse.retraction import Retraction, Scope, batches_of

    given = [parse_rfc3339(each) if each else None for each in span]
    reason, who = why
    if scope != FILE:
        if given[0] is None or given[1] is None:
            raise Refuse(f"say which time of {scope} '{subject}' is wrong: --from and --to")
        from_ms, to_ms = given[0], given[1]
        return [Retraction(scope=Scope(scope), subject=subject, from_ms=from_ms, to_ms=to_ms, reason=reason, who=who)]
    found = batches_of(warehouse, subject)
    if not found:
        raise Refuse(f"no file of name or SHA-256 '{subject}' was imported")
    if len(found) > 1:
        raise Refuse(f"{len(found)} files were called '{subject}': name one by its SHA-256: {', '.join(sorted(found))}")
    batches = next(iter(found.values()))
    from_ms = min(each.started_at_ms for each in batches) if given[0] is None else given[0]
    to_ms = max(each.ended_at_ms for each in batches) if given[1] is None else given[1]
    return [
        Retraction(scope=Scope.BATCH, subject=str(each.batch), from_ms=from_ms, to_ms=to_ms, reason=reason, who=who)
        for each in batches
    ]


def _detail(wrong: Sequence[Retraction]) -> dict[str, Any]:
    return {
        "subjects": [each.subject for each in wrong],
        "from": format_rfc3339(wrong[0].from_ms),
        "to": format_rfc3339(wrong[0].to_ms),
        "reason": wrong[0].reason,
    }


def _show(effects: Sequence[Effect], changed: Costs, form: str) -> None:
    usage, money, unassigned = _usage_rows(effects), _money_rows(changed), _unassigned_rows(changed)
    if form != "table":
        print_rows(
            [{name: row.get(name) for name in COLUMNS} for row in usage + money + unassigned], form, columns=COLUMNS
        )
    else:
        out = console()
        if not usage:
            out.print("No billable time would change.")
        for title, rows, names in (
            ("Usage in card-hours", usage, ("owner", "model")),
            ("Money", money, ("customer", "month", "invoice", "currency")),
            ("Nobody's usage, at list price", unassigned, ("owner", "model", "month", "currency")),
        ):
            if rows:
                _print_table(title, rows, names)
    issued = [each for each in changed.customers if each.number]
    if issued:
        named = ", ".join(f"{each.number} ({each.customer}, {each.month})" for each in issued)
        notes().print(f"{named}: issued invoices stay; the difference will appear as an adjustment.")


def _print_table(title: str, rows: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    shown = []
    for row in rows:
        hours = {f"{side} hours": grouped(card_hours(row[f"{side}_us"])) for side in ("before", "after")}
        money = {side: row[side] and grouped(row[side]) for side in ("before", "after") if row.get("currency")}
        shown.append({name: row.get(name) for name in names} | hours | money)
    columns = list(shown[0])
    right = [name for name in columns if name not in names]
    print_rows(shown, "table", columns=columns, right=right, title=title)


def _usage_rows(effects: Sequence[Effect]) -> list[dict[str, Any]]:
    sums: dict[tuple[str, str], list[int]] = {}
    for each in effects:
        found = sums.setdefault((each.owner, each.model), [0, 0])
        found[0] += each.before_us
        found[1] += each.after_us
    return [
        {"kind": "usage", "owner": owner, "model": model, "before_us": before, "after_us": after}
        for (owner, model), (before, after) in sorted(sums.items())
    ]


def _money_rows(changed: Costs) -> list[dict[str, Any]]:
    return [
        {
            "kind": "money",
            "customer": each.customer,
            "month": each.month,
            "invoice": each.number or None,
            "before_us": each.before_us,
            "after_us": each.after_us,
            **_amounts(each.before, each.after),
        }
        for each in changed.customers
    ]


def _unassigned_rows(changed: Costs) -> list[dict[str, Any]]:
    return [
        {
            "kind": "unassigned",
            "owner": each.owner,
            "model": each.model,
            "month": each.month,
            "before_us": each.before_us,
            "after_us": each.after_us,
            **_amounts(each.before, each.after),
        }
        for each in changed.unassigned
    ]


def _amounts(before: Money | None, after: Money | None) -> dict[str, Any]:
    known = before or after
    return {
        "currency": known.currency if known else None,
        "before": str(before) if before else None,
        "after": str(after) if after else None,
    }
