"""The demonstration's month: played, billed, written to files, and summed up for a newcomer.

Owns the order of the steps and the summary. Each step is what a real installation runs.
"""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from cardhour_billing.allinone.fleet import SERVERS, catalog, fleet
from cardhour_billing.allinone.play import Played, play
from cardhour_billing.allinone.play import Progress as Told
from cardhour_billing.config import BillingConfig
from cardhour_billing.figures import grouped
from cardhour_billing.money import card_hours
from cardhour_billing.month import billing_period, parse_month
from cardhour_billing.table import console, notes, print_rows
from cardhour_contract.clock import SystemClock
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.usage import Balance, balance

if TYPE_CHECKING:
    from cardhour_billing.closing.close import CloseReport
    from cardhour_billing.margin.margin import Margin
    from cardhour_billing.rating.rate import Unassigned

ZONE = "Asia/Shanghai"
STAFF, CUSTOMER = "staff", "qinghe"
PASSWORD = "card-hour-demo"  # noqa: S105 - printed on purpose: it guards simulated invoices on 127.0.0.1
WHO = "demo"
DOCUMENTS = "documents"
CATALOG_FILE = "catalog.toml"


class Billed(Struct, frozen=True, kw_only=True):
    """A month from samples to documents."""

    month: str
    played: Played
    balance: Balance
    report: CloseReport
    margins: tuple[Margin, ...]
    """What each model of card earned and cost."""
    documents: tuple[Path, ...]
    seconds: float


def last_month(today: date) -> str:
    """The last calendar month that has ended everywhere."""
    return f"{(today - timedelta(days=1)).replace(day=1) - timedelta(days=1):%Y-%m}"


def bill_month(config: BillingConfig, warehouse: Warehouse, month: str) -> Billed:
    """Play ``month``, apply the catalog, issue the invoices and write their documents."""
    began = time.monotonic()
    period = billing_period(parse_month(month), ZONE)
    with _progress_bar() as bar:
        told = _told(bar)
        scenario = fleet(month, period.start_ms, period.end_ms)
        played = play(scenario, period.start_ms, period.end_ms, config.home, warehouse, told)
        _apply_catalog(config.home / CATALOG_FILE, period.start_ms)
        report = _issue(config, warehouse, month, told)
        documents = _write_documents(config.home / DOCUMENTS, report, told)
        margins = _margins(warehouse, month)
    return Billed(
        month=month,
        played=played,
        balance=balance(warehouse, period.start_ms, period.end_ms),
        report=report,
        margins=margins,
        documents=tuple(documents),
        seconds=time.monotonic() - began,
    )


def summarise(billed: Billed, home: Path) -> None:
    """What happened, in the words of the product, so that a newcomer can follow a sample to an invoice."""
    out, played = console(), billed.played
    _print_invoices(billed)
    _print_ledger(billed.balance)
    _print_margin(billed.margins)
    for each in billed.report.unassigned:
        hours = grouped(card_hours(each.quantity_us, decimals=2))
        out.print(f"No binding covers {each.owner}: {hours} card-hours of {each.model}, {_value(each)}.")
    out.print(
        f"{grouped(str(played.samples))} samples of {len(SERVERS)} servers → {grouped(str(played.reports))} reports → "
        f"{grouped(str(played.usage_rows))} usage records → {grouped(str(played.pages))} ledger pages → "
        f"{len(billed.report.invoices)} invoices, in {billed.seconds:.0f} s."
    )
    for document in billed.documents:
        out.print(f"  {document}", soft_wrap=True)
    out.print(f"Catalog: {home / CATALOG_FILE}", soft_wrap=True)


def _print_invoices(billed: Billed) -> None:
    rows = [
        {
            "customer": each.document.customer.name,
            "invoice": each.document.number,
            "card-hours": grouped(card_hours(sum(line.quantity_us for line in each.document.lines), decimals=2)),
            "total": f"{grouped(each.document.total)} {each.document.currency}",
        }
        for each in billed.report.invoices
    ]
    print_rows(rows, "table", right=("card-hours", "total"), title=f"Invoices of {billed.month}")


def _print_ledger(sums: Balance) -> None:
    terms = {
        "billable": sums.billable_us,
        "idle": sums.idle_us,
        "faulted": sums.faulted_us,
        "unobserved": sums.unobserved_us,
        "rounding": sums.rounding_us,
        f"all {sums.cards} cards": sums.span_us,
    }
    rows = [
        {"where every card-hour went": name, "card-hours": grouped(card_hours(quantity_us, decimals=9))}
        for name, quantity_us in terms.items()
    ]
    print_rows(rows, "table", right=("card-hours",), title="The ledger")


def _print_margin(margins: tuple[Margin, ...]) -> None:
    from cardhour_billing.margin.rows import figures

    columns = (
        "utilisation_percent",
        "revenue",
        "rent",
        "cost",
        "gross_margin",
        "gross_margin_percent",
        "break_even_percent",
    )
    rows = [
        {"what the cards earned": each.name}
        | {name.replace("_percent", " %").replace("_", " "): grouped(figures(each, None)[name]) for name in columns}
        for each in margins
    ]
    print_rows(rows, "table", right=tuple(rows[0])[1:], title="Margin, CNY")
    console().print(
        "Rent is the part of the revenue that leases earn, pools too, whether their cards were used or not."
    )


def _value(unassigned: Unassigned) -> str:
    worth = unassigned.list_value
    return f"worth {grouped(str(worth))} {worth.currency} at list price" if worth else "no list price"


def _apply_catalog(file: Path, from_ms: int) -> None:
    from cardhour_billing.catalog.applying import apply_catalog
    from cardhour_billing.catalog.file import read_catalog
    from cardhour_billing.catalog.plan import plan
    from cardhour_billing.logins.users import ADMIN, add_user

    file.write_text(catalog(from_ms), encoding="utf-8")
    read = read_catalog(file)
    clock = SystemClock()
    apply_catalog(read, plan(read), clock=clock, who=WHO)
    add_user(STAFF, PASSWORD, customer=None, role=ADMIN, clock=clock, who=WHO)
    add_user(CUSTOMER, PASSWORD, customer=CUSTOMER, role=ADMIN, clock=clock, who=WHO)


def _issue(config: BillingConfig, warehouse: Warehouse, month: str, told: Told) -> CloseReport:
    from cardhour_billing.closing.close import CloseOrder, close_month
    from cardhour_billing.closing.run import keep_report
    from cardhour_billing.usage.ledger import WarehouseLedger

    order = CloseOrder(month=parse_month(month), who=WHO, issue=True, within_grace=True)
    report = close_month(
        order,
        ledger=WarehouseLedger(warehouse),
        clock=SystemClock(),
        settings=config.billing,
        progress=lambda _what, done, of: told("Rate and issue", done, of),
    )
    keep_report(order, report, clock=SystemClock())
    return report


def _margins(warehouse: Warehouse, month: str) -> tuple[Margin, ...]:
    from cardhour_billing.margin.month import month_margin
    from cardhour_billing.usage.ledger import WarehouseLedger

    ledger = WarehouseLedger(warehouse)
    ledger.settle()
    return month_margin(parse_month(month), ledger, SystemClock()).margins


def _write_documents(folder: Path, report: CloseReport, told: Told) -> list[Path]:
    from cardhour_billing.documents.invoice_files import save_files
    from cardhour_billing.models import Invoice

    written: list[Path] = []
    for done, each in enumerate(report.invoices, start=1):
        invoice = Invoice.objects.get(number=each.document.number)
        written += save_files(invoice, folder, SystemClock(), who=WHO)
        told("Documents", done, len(report.invoices))
    return written


def _progress_bar() -> Progress:
    columns = (TextColumn("{task.description:<18}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    return Progress(*columns, console=notes())


def _told(bar: Progress) -> Told:
    tasks: dict[str, TaskID] = {}

    def told(step: str, done: int, of: int) -> None:
        if step not in tasks:
            tasks[step] = bar.add_task(step)
        bar.update(tasks[step], completed=done, total=of)

    return told
