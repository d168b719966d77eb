"""Lines of bank statements: kept once, and made into payments, each once.

Owns what makes two lines the same, what a line became, and applying suggestions. Does not own reading files
(``file``), the rules of matching (``match``) nor payments (``payments``, ``allocating``).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from django.db import transaction
from django.db.models import Q
from msgspec import Struct

from cardhour_billing.audit.log import audit
from cardhour_billing.bank.file import StatementLine
from cardhour_billing.bank.match import OpenInvoice, Payers, Suggestion, folded, suggest
from cardhour_billing.config import BillingSettings
from cardhour_billing.models import BankLine, BankUse, Customer, Invoice
from cardhour_billing.models.payment import REFERENCE_CHARS_MAX
from cardhour_billing.money import Money
from cardhour_billing.receivables.allocating import Part, allocate, open_of
from cardhour_billing.receivables.credit import top_up
from cardhour_billing.receivables.payments import Receipt, record
from cardhour_billing.receivables.standing import CREDIT_NOTE, with_standing
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse


class Sorted(Struct, frozen=True, kw_only=True):
    """Lines of a statement: those that are new, with their keys, and how many are kept already."""

    new: tuple[tuple[str, StatementLine], ...]
    known: int


class Matched(Struct, frozen=True, kw_only=True):
    """A line with what it may be."""

    line: BankLine
    suggestion: Suggestion


def amount_of(line: BankLine) -> Money:
    """Money in is positive."""
    return Money(amount=line.amount, currency=line.currency)


def sort(lines: Sequence[StatementLine], account: str) -> Sorted:
    """Which lines are new. Equal lines of one day are told apart by their number, so that two payments are two."""
    keyed: list[tuple[str, StatementLine]] = []
    seen: Counter[bytes] = Counter()
    for line in lines:
        says = [account, line.day.isoformat(), line.amount.currency, line.amount.amount, line.payer, line.reference]
        content = msgspec.json.encode([*says, line.bank_id])
        seen[content] += 1
        keyed.append((hashlib.sha256(content + str(seen[content]).encode()).hexdigest(), line))
    known = set(BankLine.objects.filter(key__in=[key for key, _ in keyed]).values_list("key", flat=True))
    new = tuple((key, line) for key, line in keyed if key not in known)
    return Sorted(new=new, known=len(keyed) - len(new))


def keep(found: Sorted, *, account: str, file: str, clock: Clock, who: str) -> int:
    """Keep the new lines, all or none; how many were new. What another process kept meanwhile is left to it."""
    rows = [
        BankLine(
            key=key,
            account=account,
            day=line.day,
            currency=line.amount.currency,
            amount=line.amount.amount,
            payer=line.payer,
            reference=line.reference,
            bank_id=line.bank_id,
            file=file[-256:],
            row=line.row,
            imported_at_ms=clock.now_ms(),
            who=who,
        )
        for key, line in found.new
    ]
    with transaction.atomic():
        before = BankLine.objects.count()
        BankLine.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
        kept = BankLine.objects.count() - before
        if kept:
            audit(clock, who, "bank.import", file, {"lines": kept, "account": account})
    return kept


def find_line(code: str) -> BankLine:
    """The line that ``cardhour bank list`` calls so."""
    digits = code.removeprefix("B")
    found = BankLine.objects.filter(pk=int(digits)).first() if digits.isdecimal() else None
    if found is None:
        raise Refuse(f"there is no line '{code}': cardhour bank list shows those there are")
    return found


def unused() -> list[BankLine]:
    """Lines with money in that nobody has said what they are, oldest first."""
    return list(BankLine.objects.filter(use__isnull=True, amount__gt=0))


def matched(lines: Iterable[BankLine]) -> list[Matched]:
    """Each line with what it may be. Of two lines that would pay the same invoice, the first gets it."""
    invoices = {each.number: each for each in _open_invoices()}
    payers = _payers()
    found: list[Matched] = []
    for line in lines:
        suggestion = suggest(amount_of(line), line.payer, line.reference, list(invoices.values()), payers)
        found.append(Matched(line=line, suggestion=suggestion))
        for number, amount in suggestion.parts:
            left = invoices[number].open - amount
            if left.amount:
                invoices[number] = msgspec.structs.replace(invoices[number], open=left)
            else:
                del invoices[number]
    return found


def apply(match: Matched, *, settings: BillingSettings, clock: Clock, who: str) -> BankUse:
    """Record what a suggestion says: a payment with its invoices, or a top-up. All of it, or none."""
    line, suggestion = match.line, match.suggestion
    if not suggestion.customer:
        raise Refuse(f"{line.code}: nobody knows whose it is; name it with --to")
    customer = Customer.objects.get(key=suggestion.customer)
    reference = f"{line.code} {line.bank_id or line.reference}".strip()[:REFERENCE_CHARS_MAX]
    amount, nothing = amount_of(line), Money(amount=0, currency=line.currency)
    with transaction.atomic():
        _check_unused(line)
        if suggestion.top_up:
            use = BankUse(line=line, top_up=top_up(customer, amount, reference, clock=clock, who=who))
        else:
            receipt = Receipt(
                customer=customer,
                amount=amount,
                day=line.day,
                reference=reference,
                fee=nothing,
                write_off=nothing,
                note=line.payer,
            )
            payment = record(receipt, write_off_max=settings.write_off_max, clock=clock, who=who)
            parts = [Part(invoice=Invoice.objects.get(number=number), amount=part) for number, part in suggestion.parts]
            allocate(payment, parts, clock=clock, who=who)
            use = BankUse(line=line, payment=payment)
        use.at_ms, use.who = clock.now_ms(), who
        use.save(force_insert=True)
    return use


def set_aside(line: BankLine, note: str, *, clock: Clock, who: str) -> BankUse:
    """Say that a line is nothing of ours, and what it is."""
    with transaction.atomic():
        _check_unused(line)
        use = BankUse.objects.create(line=line, note=note, at_ms=clock.now_ms(), who=who)
        audit(clock, who, "bank.set-aside", line.code, {"note": note})
    return use


def assigned(line: BankLine, to: Sequence[str]) -> Suggestion:
    """What a person says that a line is: invoices by number, paid in that order, or a customer by id."""
    customers = {each.key for each in Customer.objects.filter(key__in=to)}
    if len(to) == 1 and customers:
        return Suggestion(confidence="certain", why="assigned", customer=to[0])
    amount, parts, whose = amount_of(line), list[tuple[str, Money]](), set[str]()
    for number in to:
        invoice = Invoice.objects.select_related("customer").filter(number=number).first()
        if invoice is None:
            raise Refuse(f"'{number}' is neither an invoice's number nor, alone, a customer's id")
        whose.add(invoice.customer.key)
        part = min(amount.amount, open_of(invoice).amount)
        if part <= 0:
            raise Refuse(f"nothing of {line.code} would go to {number}: it is paid, or the line is used up before it")
        parts.append((number, Money(amount=part, currency=amount.currency)))
        amount = amount - parts[-1][1]
    if len(whose) > 1:
        raise Refuse(f"{', '.join(to)} are invoices of several customers: one payment is of one")
    return Suggestion(confidence="certain", why="assigned", customer=whose.pop(), parts=tuple(parts))


def _check_unused(line: BankLine) -> None:
    BankLine.objects.select_for_update().get(pk=line.pk)
    if BankUse.objects.filter(line=line).exists():
        raise Refuse(f"{line.code} was used already: cardhour bank list shows for what")
    if line.amount <= 0:
        raise Refuse(f"{line.code} is money that went out: only what came in is a payment")


def _open_invoices() -> list[OpenInvoice]:
    issued = Invoice.objects.filter(state=Invoice.State.ISSUED, total__gt=0).exclude(kind=CREDIT_NOTE)
    found = []
    for each in with_standing(issued).filter(Q(voided=False)).select_related("customer"):
        left = each.total - int(vars(each)["settled"])
        if left > 0 and each.due_date is not None:
            found.append(
                OpenInvoice(
                    number=str(each.number),
                    customer=each.customer.key,
                    open=Money(amount=left, currency=each.currency),
                    due=each.due_date,
                )
            )
    return found


def _payers() -> Payers:
    names: dict[str, set[str]] = {}
    ahead = set[str]()
    for each in Customer.objects.all():
        for name in {each.name, each.legal_name} - {""}:
            names.setdefault(folded(name), set()).add(each.key)
        if each.prepaid:
            ahead.add(each.key)
    paid = BankUse.objects.exclude(line__payer="")
    for payer, payment_of, top_up_of in paid.values_list(
        "line__payer", "payment__customer__key", "top_up__customer__key"
    ).distinct():
        if customer := payment_of or top_up_of:
            names.setdefault(folded(payer), set()).add(customer)
    return Payers(customers={name: frozenset(keys) for name, keys in names.items()}, ahead=frozenset(ahead))
