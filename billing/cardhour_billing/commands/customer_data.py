"""``cardhour customer-data``: hand a customer its usage, or erase what need not be kept of it."""

from __future__ import annotations

from pathlib import Path

import click

from cardhour_billing.store import answering, open_store
from cardhour_billing.table import notes
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS, floor_to, format_rfc3339, parse_rfc3339

KEPT = (
    "Kept: what issued invoices bill and the pages of the ledger, by owner and card and without names of workloads or "
    "processes, because books must be kept and figures must not move."
)


@click.group("customer-data")
def customer_data() -> None:
    """Hand a customer its usage, or erase what need not be kept of it."""


@customer_data.command()
@click.argument("customer")
@click.option("--from", "from_", metavar="T", required=True, help="Start, RFC 3339 with offset, on the hour.")
@click.option("--to", metavar="T", required=True, help="Its end, exclusive, likewise.")
@click.option("--into", metavar="DIR", type=click.Path(path_type=Path), required=True, help="A folder to make.")
def export(customer: str, from_: str, to: str, into: Path) -> None:
    """Write everything that is stored of CUSTOMER's usage into a new folder: ledger.csv and records.csv.

    The ledger by quarter hour, card and workload; and each raw record with what is known of its process. Audited.
    """
    from_ms, to_ms = parse_rfc3339(from_), parse_rfc3339(to)
    config = open_store()
    from cardhour_billing.audit.log import audit, login_name
    from cardhour_billing.usage import customer_data as data
    from cardhour_contract.clock import SystemClock

    with answering(), opened_warehouse(config) as warehouse:
        from cardhour_ingest.warehouse.compare import whole_hours
        from cardhour_ingest.warehouse.rollup import roll_up

        whole_hours(from_ms, to_ms)
        data.the_customer(customer)
        roll_up(warehouse)
        counts = data.export(warehouse, customer, into, from_ms, to_ms)
        span = {"from": format_rfc3339(from_ms), "to": format_rfc3339(to_ms)}
        audit(SystemClock(), login_name(), "customer-data export", customer, span | counts)
    for name, count in counts.items():
        notes().print(f"{into / name}: {count} rows")


@customer_data.command()
@click.argument("customer")
@click.option("--before", metavar="T", default="", help="Until when; the end of the last issued invoice, if left out.")
@click.option("--yes", is_flag=True, help="Erase without asking.")
def erase(customer: str, before: str, yes: bool) -> None:
    """Erase raw usage, process descriptions, workload names and dead letters of CUSTOMER, after showing how much.

    Figures do not move: pages and issued documents stay. It cannot be taken back, and it is audited.
    """
    asked_ms = parse_rfc3339(before) if before else None
    config = open_store()
    from cardhour_billing.audit.log import audit, login_name
    from cardhour_billing.usage import customer_data as data
    from cardhour_contract.clock import SystemClock

    with answering(), opened_warehouse(config) as warehouse:
        from cardhour_ingest.warehouse import customer_data as stored
        from cardhour_ingest.warehouse.rollup import roll_up

        found = data.the_customer(customer)
        roll_up(warehouse)
        clock = SystemClock()
        owners = data.owners_of(warehouse, customer, floor_to(clock.now_ms(), HOUR_MS))
        before_ms = data.erasable_until_ms(warehouse, found, asked_ms, owners.own)
        if not owners.own:
            raise Refuse(f"no usage is '{customer}' alone: nothing to erase")
        wanted = stored.Erasure(customer=customer, owners=owners.own, before_ms=before_ms, who=login_name())
        amount = stored.held(warehouse, wanted)
        notes().print(
            f"{customer} before {format_rfc3339(before_ms)}, as {', '.join(owners.own)}: {amount.usage_rows} raw rows, "
            f"{amount.processes} processes, {amount.workloads} workload names, {amount.letters} dead letters."
        )
        notes().print(KEPT)
        if owners.shared:
            notes().print(f"Left as they are, since they are not {customer}'s alone: {', '.join(owners.shared)}.")
        if not yes:
            click.confirm("Erase them for good?", abort=True, err=True)
        # 1. Who decided it, before it has any effect. 2. The erasure, which keeps a fact of its own.
        detail = {"before": format_rfc3339(before_ms), "owners": len(owners.own), "usage_rows": amount.usage_rows}
        audit(clock, wanted.who, "customer-data erase", customer, detail)
        stored.erase(warehouse, wanted)
    notes().print("Erased.")
