"""``cardhour fapiao``: what fapiao were asked for, issued, taken back; and the file to ask with."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.figures import grouped
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_contract.errors import Refuse

if TYPE_CHECKING:
    from cardhour_billing.fapiao.requests import Plan, Wanted
    from cardhour_billing.models import FapiaoRequest

PLAN_COLUMNS = ("invoice", "line", "rate", "net", "tax", "gross")
COLUMNS = ("request", "customer", "state", "fapiao", "red_letter", "net", "tax", "gross", "for")
SUMS = ("net", "tax", "gross")

day_option = click.option(
    "--day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="开票日期, as printed on the fapiao."
)


@click.group()
def fapiao() -> None:
    """Fapiao (发票): ask for them, record what came back, take back. The tax bureau's system issues them, not we."""


@fapiao.command()
@click.option("--invoice", "invoices", multiple=True, metavar="NUMBER", help="All that is left of this invoice.")
@click.option(
    "--line", "lines", multiple=True, metavar="NUMBER/POSITION[=GROSS]",
    help="What is left of one line, or so much of it with tax.",
)  # fmt: skip
@click.option("--ordinary", is_flag=True, help="普通发票, not 增值税专用发票.")
@click.option("--item", default="", help="项目名称; the catalog's [issuer] fapiao_item.")
@click.option("--code", default="", help="商品和服务税收分类编码; the catalog's [issuer] fapiao_code.")
@click.option("--remark", default="", help="Goes into 备注, after the invoice numbers.")
@click.option("--yes", is_flag=True, help="Ask without asking back.")
@format_option
def request(
    invoices: tuple[str, ...], lines: tuple[str, ...], ordinary: bool, item: str, code: str, remark: str, yes: bool,
    form: str,
) -> None:  # fmt: skip
    """Ask for one fapiao over lines of a customer's invoices. Shows what for, then asks.

    Never more than was invoiced: what was asked for before and not taken back is left out.
    """
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.fapiao import requests
    from cardhour_contract.clock import SystemClock

    with answering():
        wanted = [*_whole(invoices), *map(_line, lines)]
        named = requests.item_of(wanted, name=item, code=code)
        planned = requests.plan(wanted, named)
        print_rows(_plan_rows(planned, grouping=form == "table"), form, columns=PLAN_COLUMNS, right=SUMS)
        if not yes:
            click.confirm(f"Ask for a fapiao of {_money(planned.total.gross)} CNY?", abort=True, err=True)
        made = requests.request(
            wanted, named, special=not ordinary, remark=remark, clock=SystemClock(), who=login_name()
        )
    notes().print(f"Request {made.pk}: cardhour fapiao export {made.pk} writes the file to ask with.")


@fapiao.command()
@click.argument("key", metavar="REQUEST", type=int)
@click.option("--number", required=True, help="20 digits.")
@day_option
def record(key: int, number: str, day: datetime) -> None:
    """The fapiao of a request was issued: keep its number."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.fapiao import requests
    from cardhour_contract.clock import SystemClock

    with answering():
        found = requests.find_request(key)
        requests.record(found, number, day.date(), clock=SystemClock(), who=login_name())
    notes().print(f"Request {key} is issued as {number}.")


@fapiao.command("red-letter")
@click.argument("key", metavar="REQUEST", type=int)
@click.option("--number", required=True, help="20 digits, of the fapiao in red letters.")
@day_option
@click.option("--reason", required=True, help="Why: it is kept with the record.")
@click.option("--yes", is_flag=True, help="Record without asking back.")
def red_letter(key: int, number: str, day: datetime, reason: str, yes: bool) -> None:
    """An issued fapiao was taken back whole by one in red letters (红冲): its lines can be asked for again."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.fapiao import requests
    from cardhour_contract.clock import SystemClock

    with answering():
        found = requests.find_request(key)
        if not yes:
            click.confirm(f"Record that the fapiao of request {key} was taken back?", abort=True, err=True)
        requests.red_letter(found, number, day.date(), reason, clock=SystemClock(), who=login_name())
    notes().print(f"Request {key} is red-lettered; its lines can be asked for again.")


@fapiao.command()
@click.argument("key", metavar="REQUEST", type=int)
@click.option("--reason", required=True, help="Why: it is kept with the record.")
@click.option("--yes", is_flag=True, help="Withdraw without asking back.")
def withdraw(key: int, reason: str, yes: bool) -> None:
    """Take back a request that no fapiao came of: its lines can be asked for again."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.fapiao import requests
    from cardhour_billing.month import local_day
    from cardhour_contract.clock import SystemClock

    clock = SystemClock()
    with answering():
        found = requests.find_request(key)
        if not yes:
            click.confirm(f"Withdraw request {key}?", abort=True, err=True)
        today = local_day(clock.now_ms(), found.customer.issuer.timezone)
        requests.withdraw(found, today, reason, clock=clock, who=login_name())
    notes().print(f"Request {key} is withdrawn; its lines can be asked for again.")


@fapiao.command("list")
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
@click.option("--state", type=click.Choice(["requested", "issued", "red-lettered", "withdrawn"]), help="Only these.")
@format_option
def list_(customer: str, state: str | None, form: str) -> None:
    """Requests with their state, oldest first."""
    open_store()
    from cardhour_billing.models import FapiaoRequest

    with answering():
        found = FapiaoRequest.objects.select_related("customer").prefetch_related("lines", "events")
        found = found.filter(customer__key=customer) if customer else found
        rows = [row for row in map(_row, found) if state in (None, row["state"])]
    print_rows(rows, form, columns=COLUMNS, right=SUMS)


@fapiao.command()
@click.argument("keys", metavar="REQUEST", type=int, nargs=-1)
@click.option("--to", "file", metavar="FILE", type=click.Path(path_type=Path), help="Write here, not to the output.")
@click.option(
    "--format", "form", type=click.Choice(["csv", "xlsx", "json"]), default="csv", show_default=True,
    help="Of the file.",
)  # fmt: skip
def export(keys: tuple[int, ...], file: Path | None, form: str) -> None:
    """The file to ask for fapiao with (开票申请): the requests named, or all that wait to be issued."""
    open_store()
    from cardhour_billing.fapiao import requests
    from cardhour_billing.fapiao.export import FORMS, rows
    from cardhour_billing.models import FapiaoRequest

    with answering():
        found = (
            [requests.find_request(key) for key in keys]
            if keys
            else list(FapiaoRequest.objects.filter(events__isnull=True).prefetch_related("lines"))
        )
        content = FORMS[form](rows(found))
    if file is None:
        sys.stdout.buffer.write(content)
        return
    try:
        file.write_bytes(content)
    except OSError as error:
        raise Refuse(f"{file} cannot be written: {error.strerror}") from error
    notes().print(f"{file}: {len(found)} requests.")


def _whole(numbers: tuple[str, ...]) -> list[Wanted]:
    from cardhour_billing.fapiao.requests import Wanted

    return [Wanted(number=number) for number in numbers]


def _line(text: str) -> Wanted:
    """``EC-2026-0001/2`` or ``EC-2026-0001/2=106.00``."""
    from cardhour_billing.fapiao.requests import CURRENCY, Wanted
    from cardhour_billing.money import Money, parse_price

    number, slash, rest = text.rpartition("/")
    position, equals, gross = rest.partition("=")
    if not slash or not position.isdigit():
        raise Refuse(f"'{text}' is not a line such as EC-2026-0001/2 or EC-2026-0001/2=106.00")
    if not equals:
        return Wanted(number=number, position=int(position))
    minor = parse_price(gross, CURRENCY).minor
    if minor.denominator != 1:
        raise Refuse(f"'{gross}' has more than two decimals")
    return Wanted(number=number, position=int(position), gross=Money(amount=minor.numerator, currency=CURRENCY))


def _plan_rows(planned: Plan, *, grouping: bool) -> list[dict[str, Any]]:
    return [
        {
            "invoice": each.invoice,
            "line": each.of.line.position,
            "rate": f"{each.of.rate_percent}%",
            **{name: _shown(getattr(each.amounts, name), grouping=grouping) for name in SUMS},
        }
        for each in planned.asked
    ]


def _row(each: FapiaoRequest) -> dict[str, Any]:
    events = {event.kind: event for event in each.events.all()}
    lines = list(each.lines.all())
    return {
        "request": each.pk,
        "customer": each.customer.key,
        "state": list(events)[-1] if events else "requested",
        "fapiao": events["issued"].number if "issued" in events else None,
        "red_letter": events["red-lettered"].number if "red-lettered" in events else None,
        **{name: _money(sum(getattr(line, name) for line in lines)) for name in SUMS},
        "for": each.remark,
    }


def _shown(minor: int, *, grouping: bool) -> str:
    return grouped(_money(minor)) if grouping else _money(minor)


def _money(minor: int) -> str:
    from cardhour_billing.fapiao.requests import CURRENCY
    from cardhour_billing.money import Money

    return str(Money(amount=minor, currency=CURRENCY))
