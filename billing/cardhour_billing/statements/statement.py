"""Statements: drawn up, sent, confirmed, or disputed line by line.

Owns what may become of one. A statement is a snapshot: what is known later needs another revision, and one that was
sent stays as its reader saw it. Does not own its figures (``sources``).
"""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.db.models import Max

from cardhour_billing.audit.log import audit
from cardhour_billing.models import Customer, Statement, StatementEvent
from cardhour_billing.money import parse_amount
from cardhour_billing.month import local_day
from cardhour_billing.statements.document import StatementDocument, decode, encode
from cardhour_billing.statements.sources import compose
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse

DAYS_MAX = 400
"""A year and a bit: the longest range that anyone reconciles at once, and what fits a document for reading."""

Kind = StatementEvent.Kind


def draw_up(customer: Customer, first: date, last: date, *, clock: Clock, who: str) -> Statement:
    """A new statement of what is known now, as the next revision of its range."""
    if last < first:
        raise Refuse(f"a statement from {first} to {last} has no day in it")
    if (last - first).days >= DAYS_MAX:
        raise Refuse(f"a statement covers at most {DAYS_MAX} days, and {first} to {last} is longer")
    with transaction.atomic():
        Customer.objects.select_for_update().get(pk=customer.pk)
        earlier = Statement.objects.filter(customer=customer, first_day=first, last_day=last)
        revision = (earlier.aggregate(last=Max("revision"))["last"] or 0) + 1
        drawn = local_day(clock.now_ms(), customer.issuer.timezone)
        document = compose(customer, first, last, drawn=drawn, revision=revision)
        made = Statement.objects.create(
            customer=customer,
            first_day=first,
            last_day=last,
            revision=revision,
            currency=document.currency,
            opening=parse_amount(document.opening, document.currency).amount,
            closing=parse_amount(document.closing, document.currency).amount,
            frozen=encode(document),
            drawn_at_ms=clock.now_ms(),
            who=who,
        )
        span = f"{customer.key} {first} to {last}"
        audit(clock, who, "statement.draw-up", span, {"statement": made.pk, "closing": document.closing})
        return made


def mark_sent(statement: Statement, to: str, *, clock: Clock, who: str) -> None:
    """It was sent to ``to``, by whatever way. May be said again for another reader."""
    _event(statement, Kind.SENT, None, to, clock, who)


def confirm(statement: Statement, by: str, *, clock: Clock, who: str) -> None:
    """Its reader agreed to it, disputed lines and all."""
    if state(statement) not in ("sent", "disputed"):
        raise Refuse(f"statement {statement.pk} is {state(statement)}: only one that was sent is confirmed")
    _event(statement, Kind.CONFIRMED, None, by, clock, who)


def dispute(statement: Statement, lines: tuple[int, ...], reason: str, *, clock: Clock, who: str) -> None:
    """Its reader does not agree to ``lines``; each keeps the reason."""
    if state(statement) not in ("sent", "disputed"):
        raise Refuse(f"statement {statement.pk} is {state(statement)}: only one that was sent is disputed")
    known = {line.position for line in document_of(statement).lines}
    unknown = sorted(set(lines) - known)
    if unknown or not lines:
        raise Refuse(
            f"statement {statement.pk} has lines 1 to {len(known)}: name one of them with --line, not {unknown}"
        )
    with transaction.atomic():
        for line in lines:
            _event(statement, Kind.DISPUTED, line, reason, clock, who)


def state(statement: Statement) -> str:
    """``draft`` until it is sent; then ``sent``, ``disputed`` or ``confirmed``, whatever was said last."""
    last = statement.events.order_by("id").last()
    return last.kind if last else "draft"


def document_of(statement: Statement) -> StatementDocument:
    """What the statement says."""
    return decode(bytes(statement.frozen))


def find_statement(key: int) -> Statement:
    """The statement of that number in the list."""
    found = Statement.objects.select_related("customer__issuer").filter(pk=key).first()
    if found is None:
        raise Refuse(f"there is no statement {key}: cardhour statement list shows those there are")
    return found


def _event(statement: Statement, kind: str, line: int | None, note: str, clock: Clock, who: str) -> None:
    with transaction.atomic():
        StatementEvent.objects.create(
            statement=statement, kind=kind, line=line, note=note, at_ms=clock.now_ms(), who=who
        )
        audit(clock, who, f"statement.{kind}", str(statement.pk), {"line": line, "note": note})
