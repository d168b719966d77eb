"""A credit note as its form has it: lines, reason, what it would give back. Crediting itself is ``crediting``'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction
from msgspec import Struct

from cardhour_billing.figures import grouped
from cardhour_billing.frozen.credit_line import CreditLine
from cardhour_billing.invoices.crediting import REASONS, Creditable, draft_credit, issue_credit, void
from cardhour_billing.models import Invoice, Issuer
from cardhour_billing.money import Money, read_amount
from cardhour_billing.receivables.allocating import left_of, locked, open_of
from cardhour_billing.rehearsal import rehearsed
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse


class CreditRow(Struct, frozen=True, kw_only=True):
    """A line of the invoice, and what is asked back of it. Amounts are grouped; ``asked`` is as it was typed."""

    position: int
    what: str
    billed: str
    before: str
    left: str
    rest: str
    """What is left as it is typed."""
    asked: str


class Given(Struct, frozen=True, kw_only=True):
    """What a note gives back, and how its invoice stands after it."""

    net: str
    tax: str
    total: str
    used: str
    """Of it, for what was open of the invoice."""
    free: str
    """What stays with the customer."""
    open_after: str


class DoneAlready(Refuse):
    """The form was sent twice, or somebody else was faster."""


def notes_of(invoice: Invoice) -> int:
    """Credit notes issued so far: a form that was made when there were fewer is not carried out."""
    return invoice.credit_notes.filter(state=Invoice.State.ISSUED).count()


def rows(whole: Creditable, asked: Mapping[int, str]) -> tuple[CreditRow, ...]:
    """Lines to fill in."""
    return tuple(
        CreditRow(
            position=line.position,
            what=line.model or line.description,
            billed=grouped(line.amount),
            before=grouped(str(whole.earlier[line.position])) if whole.earlier[line.position].amount else "",
            left=grouped(str(whole.left(line))),
            rest=str(whole.left(line)),
            asked=asked.get(line.position, ""),
        )
        for line in whole.document.lines
    )


def read_lines(whole: Creditable, asked: Mapping[int, str]) -> tuple[CreditLine, ...]:
    """Lines with an amount. Refuses what is no amount, and a form without any."""
    lines = tuple(
        CreditLine(position=position, amount=read_amount(text, whole.document.currency))
        for position, text in asked.items()
        if text.strip()
    )
    if not lines:
        raise Refuse("give an amount for at least one line")
    return lines


def preview(invoice: Invoice, lines: Sequence[CreditLine], reason: str, *, clock: Clock, who: str) -> Given:
    """What ``issue`` would do, done and taken back."""
    return rehearsed(lambda: _issue(invoice, lines, reason, clock, who), lambda note: _given(note, invoice))


def issue(invoice: Invoice, lines: Sequence[CreditLine], reason: str, *, known: int, clock: Clock, who: str) -> Invoice:
    """Issue the note, unless there are other notes than the ``known`` ones that its form was filled in with."""
    with transaction.atomic():
        _hold(invoice, known)
        return _issue(invoice, lines, reason, clock, who)


def preview_void(invoice: Invoice, *, clock: Clock, who: str) -> Given:
    """What voiding would do, done and taken back."""
    return rehearsed(lambda: void(invoice, clock=clock, who=who), lambda note: _given(note, invoice))


def issue_void(invoice: Invoice, *, because: str, known: int, clock: Clock, who: str) -> Invoice:
    """Void the invoice, unless there are other notes than the ``known`` ones."""
    if not because.strip():
        raise Refuse("say why: it is kept in the audit log")
    with transaction.atomic():
        _hold(invoice, known)
        return void(invoice, because=because.strip(), clock=clock, who=who)


def _hold(invoice: Invoice, known: int) -> None:
    # As every issuing does: first the issuer, then the customer.
    Issuer.objects.select_for_update().get(pk=invoice.issuer_id)
    locked(invoice.customer)
    if notes_of(invoice) != known:
        raise DoneAlready(f"a credit note for {invoice.number} was issued meanwhile: look at what is left")


def _issue(invoice: Invoice, lines: Sequence[CreditLine], reason: str, clock: Clock, who: str) -> Invoice:
    if reason not in REASONS:
        raise Refuse(f"say why: one of {', '.join(REASONS)}")
    note = draft_credit(invoice, lines, reason, clock=clock, who=who)
    return issue_credit(note, clock=clock, who=who)


def _given(note: Invoice, invoice: Invoice) -> Given:
    def text(amount: int) -> str:
        return grouped(str(Money(amount=amount, currency=note.currency)))

    free = left_of(note).amount
    return Given(
        net=text(-note.net),
        tax=text(-note.tax),
        total=text(-note.total),
        used=text(-note.total - free),
        free=text(free),
        open_after=text(open_of(invoice).amount),
    )
