"""Fapiao requests (开票申请) and what became of them: asked for, issued, red-lettered, withdrawn.

Owns the promise that no more is ever asked for of a line than was invoiced, whoever asks at the same time: what was
asked for and neither withdrawn nor red-lettered is counted under a lock on the customer. Does not issue fapiao; the
tax bureau's system does. Does not own how a request is sent there (``export``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from django.db import transaction
from django.db.models import QuerySet, Sum
from msgspec import Struct
from msgspec.structs import replace

from cardhour_billing.audit.log import audit
from cardhour_billing.fapiao.amounts import Amounts, LineAmounts, of_lines, part
from cardhour_billing.frozen.document import decode
from cardhour_billing.models import Customer, FapiaoEvent, FapiaoRequest, FapiaoRequestLine, Invoice, InvoiceLine
from cardhour_billing.money import Money
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse

CURRENCY = "CNY"
_NUMBER = re.compile(r"\d{20}")
_CODE = re.compile(r"\d{19}")
_BUYER_ID = re.compile(r"[0-9A-Z]{15,20}")
"""统一社会信用代码 has 18 characters; older tax registrations have 15 to 20."""

GONE = (FapiaoEvent.Kind.WITHDRAWN, FapiaoEvent.Kind.RED_LETTERED)
"""What gives the amounts of a request back to its lines."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What is asked for of an invoice: everything, or one line, or a part of it."""

    number: str
    position: int | None = None
    gross: Money | None = None


class Item(Struct, frozen=True, kw_only=True):
    """What a fapiao calls the goods, and their 19-digit code."""

    name: str
    code: str


class Asked(Struct, frozen=True, kw_only=True):
    """One line of a request to be."""

    invoice: str
    line: InvoiceLine
    of: LineAmounts
    amounts: Amounts


class Plan(Struct, frozen=True, kw_only=True):
    """A request to be, for a look before it is made."""

    customer: Customer
    asked: tuple[Asked, ...]
    item: Item

    @property
    def total(self) -> Amounts:
        return sum((each.amounts for each in self.asked), Amounts())


def plan(wanted: Sequence[Wanted], item: Item) -> Plan:
    """What a request for ``wanted`` would ask for now. Raises Refuse where it cannot be made."""
    invoices = [_invoice(number) for number in dict.fromkeys(each.number for each in wanted)]
    if not invoices:
        raise Refuse("name what the fapiao is for: --invoice NUMBER, or --line NUMBER/POSITION")
    customers = {invoice.customer_id for invoice in invoices}
    if len(customers) > 1:
        raise Refuse(
            f"one fapiao has one buyer, and {', '.join(str(each) for each in invoices)} are of several customers"
        )
    customer = invoices[0].customer
    _check_parties(customer, item)
    lines = {str(each): _lines(each) for each in invoices}
    asked = [found for each in wanted for found in _asked(each, lines[each.number])]
    twice = [each for each in asked if sum(each.line == other.line for other in asked) > 1]
    if twice:
        raise Refuse(f"line {twice[0].line.position} of {twice[0].invoice} is asked for twice")
    result = Plan(customer=customer, asked=tuple(asked), item=item)
    if result.total.gross <= 0:
        raise Refuse("nothing is left to ask a fapiao for: cardhour fapiao list shows what was asked for already")
    return result


def request(
    wanted: Sequence[Wanted], item: Item, *, special: bool, remark: str, clock: Clock, who: str
) -> FapiaoRequest:
    """Make the request. Whoever asks for the same line at the same time waits, and then sees what is left."""
    with transaction.atomic():
        for key in {_invoice(each.number).customer_id for each in wanted}:
            Customer.objects.select_for_update().get(pk=key)
        planned = plan(wanted, item)
        numbers = dict.fromkeys(each.invoice for each in planned.asked)
        made = FapiaoRequest.objects.create(
            customer=planned.customer,
            buyer_name=planned.customer.legal_name or planned.customer.name,
            buyer_tax_id=planned.customer.tax_id,
            special=special,
            remark=" ".join([*numbers, *((remark,) if remark else ())]),
            requested_at_ms=clock.now_ms(),
            who=who,
        )
        FapiaoRequestLine.objects.bulk_create(
            FapiaoRequestLine(
                request=made, line=each.line, item=item.name, code=item.code, rate_percent=each.of.rate_percent,
                net=each.amounts.net, tax=each.amounts.tax, gross=each.amounts.gross,
            )
            for each in planned.asked
        )  # fmt: skip
        audit(clock, who, "fapiao.request", str(made.pk), {"for": list(numbers), "gross": planned.total.gross})
        return made


def record(made: FapiaoRequest, number: str, day: date, *, clock: Clock, who: str) -> FapiaoEvent:
    """The fapiao of a request came back, with its number."""
    return _event(made, FapiaoEvent.Kind.ISSUED, number, day, "", clock, who)


def red_letter(made: FapiaoRequest, number: str, day: date, reason: str, *, clock: Clock, who: str) -> FapiaoEvent:
    """An issued fapiao was taken back by one in red letters, ``number``; its lines can be asked for again."""
    return _event(made, FapiaoEvent.Kind.RED_LETTERED, number, day, reason, clock, who)


def withdraw(made: FapiaoRequest, day: date, reason: str, *, clock: Clock, who: str) -> FapiaoEvent:
    """A request that no fapiao came of is taken back."""
    return _event(made, FapiaoEvent.Kind.WITHDRAWN, None, day, reason, clock, who)


def state(made: FapiaoRequest) -> str:
    """``requested``, or the last thing that became of it."""
    last = made.events.order_by("id").last()
    return last.kind if last else "requested"


def find_request(key: int) -> FapiaoRequest:
    """The request of that number."""
    found = FapiaoRequest.objects.select_related("customer").filter(pk=key).first()
    if found is None:
        raise Refuse(f"there is no fapiao request {key}: cardhour fapiao list shows those there are")
    return found


def open_lines() -> QuerySet[FapiaoRequestLine]:
    """Lines of requests that stand: asked for, and not given back."""
    return FapiaoRequestLine.objects.exclude(request__events__kind__in=GONE)


_FOLLOWS = {
    FapiaoEvent.Kind.ISSUED: "requested",
    FapiaoEvent.Kind.WITHDRAWN: "requested",
    FapiaoEvent.Kind.RED_LETTERED: FapiaoEvent.Kind.ISSUED,
}
"""What a request must be for this to become of it."""


def _event(
    made: FapiaoRequest, kind: FapiaoEvent.Kind, number: str | None, day: date, reason: str, clock: Clock, who: str
) -> FapiaoEvent:
    if number is not None and not _NUMBER.fullmatch(number):
        raise Refuse(f"'{number}' is not the number of a fapiao: 20 digits")
    with transaction.atomic():
        Customer.objects.select_for_update().get(pk=made.customer_id)
        now = state(made)
        if now != _FOLLOWS[kind]:
            raise Refuse(f"request {made.pk} is {now}, and only one that is {_FOLLOWS[kind]} can be {kind}")
        if number and (other := FapiaoEvent.objects.filter(number=number).first()):
            raise Refuse(f"{number} is the fapiao of request {other.request_id} already")
        event = FapiaoEvent(
            request=made, kind=kind, number=number, day=day, reason=reason, at_ms=clock.now_ms(), who=who
        )
        event.save()
        audit(clock, who, f"fapiao.{kind}", str(made.pk), {"number": number, "day": day.isoformat(), "reason": reason})
        return event


def _invoice(number: str) -> Invoice:
    found = Invoice.objects.select_related("customer", "issuer").filter(number=number).first()
    if found is None:
        raise Refuse(f"there is no invoice '{number}': cardhour invoice list shows those there are")
    if found.currency != CURRENCY:
        raise Refuse(f"{number} is in {found.currency}, and a fapiao is in {CURRENCY}")
    return found


def _check_parties(customer: Customer, item: Item) -> None:
    problems = []
    if not _BUYER_ID.fullmatch(customer.tax_id):
        problems.append(
            f"customer '{customer.key}' has no 统一社会信用代码: give its [[customer]] tax_id in the catalog"
        )
    if not _CODE.fullmatch(item.code):
        problems.append("give the 19-digit 商品和服务税收分类编码: [issuer] fapiao_code in the catalog, or --code")
    if not item.name:
        problems.append("give what the fapiao calls the goods: [issuer] fapiao_item in the catalog, or --item")
    if problems:
        raise Refuse(*problems)


def _lines(invoice: Invoice) -> Mapping[int, Asked]:
    """What is left of each line of an invoice, by position: less what credit notes gave back and what was asked for."""
    taken = {
        row["line__position"]: Amounts(net=row["nets"], tax=row["taxes"])
        for row in open_lines()
        .filter(line__invoice=invoice)
        .values("line__position")
        .annotate(nets=Sum("net"), taxes=Sum("tax"))
    }
    credited = _credited(invoice)
    rows = {line.position: line for line in invoice.lines.all()}
    found = {}
    for position, line in of_lines(decode(bytes(invoice.frozen))).items():
        whole = line.whole + credited.get(position, Amounts())
        left = whole - taken.get(position, Amounts())
        found[position] = Asked(
            invoice=str(invoice.number), line=rows[position], of=replace(line, whole=whole), amounts=left
        )
    return found


def _credited(invoice: Invoice) -> dict[int, Amounts]:
    """What credit notes gave back, negative, by the line whose name stands in each credit's source."""
    found: dict[int, Amounts] = {}
    for note in invoice.credit_notes.filter(state=Invoice.State.ISSUED):
        for each in of_lines(decode(bytes(note.frozen))).values():
            position = int(each.line.source.rpartition(":")[2])
            found[position] = found.get(position, Amounts()) + each.whole
    return found


def _asked(wanted: Wanted, left: Mapping[int, Asked]) -> Iterable[Asked]:
    if wanted.position is None:
        # A line of which a credit note gave back more than is still unasked has nothing left, rather than less.
        return [each for each in left.values() if each.amounts.gross * each.of.whole.gross > 0]
    found = left.get(wanted.position)
    if found is None:
        raise Refuse(f"{wanted.number} has no line {wanted.position} under a tax rule, and a fapiao states a rate")
    if wanted.gross is None:
        return [found]
    gross, rest = wanted.gross.amount, found.amounts.gross
    if not (0 < gross <= rest or rest <= gross < 0):
        left_text = Money(amount=rest, currency=CURRENCY)
        raise Refuse(
            f"{wanted.gross} is asked for of line {wanted.position} of {wanted.number}, and {left_text} is left"
        )
    taken = found.of.whole - found.amounts
    amounts = found.amounts if gross == rest else part(found.of.whole, taken, gross)
    return [Asked(invoice=found.invoice, line=found.line, of=found.of, amounts=amounts)]


def item_of(wanted: Sequence[Wanted], *, name: str, code: str) -> Item:
    """What the goods are called: as given, or else as the issuer's catalog has it."""
    issuer = _invoice(wanted[0].number).issuer if wanted else None
    return Item(
        name=name or (issuer.fapiao_item if issuer else ""), code=code or (issuer.fapiao_code if issuer else "")
    )
