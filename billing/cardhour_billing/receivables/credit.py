"""Customer credit: money paid ahead and allowances, moved between accounts that can never be overdrawn.

Owns what may happen to credit and what it is called. Prepaid is payment: applied after tax, refundable. A grant is an
allowance before tax: for a category of lines, with a priority and perhaps an end, never refundable. Does not own how
much an invoice takes (``charges.grants``, ``issuing``) nor what is left after unbilled usage (``provisional``). The
store keeps every balance (``models.credit``); what is checked here first is checked to be said in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction
from django.db.models import Q
from msgspec import Struct

from cardhour_billing.audit.log import audit
from cardhour_billing.models import CreditAccount, CreditEntry, CreditGrant, CreditMovement, Customer, Invoice
from cardhour_billing.money import Money
from cardhour_billing.month import billing_period, local_day, month_of
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import DAY_MS

UNBILLED_DAYS = 60
"""Days after a month for which a grant waits for its invoice, before it expires without one."""

Account = CreditAccount.Kind
Entry = CreditEntry.Kind


class GrantTerms(Struct, frozen=True, kw_only=True):
    """What a grant is for and how long it lasts."""

    reason: str
    category: str = CreditGrant.Category.EVERYTHING
    model: str = ""
    priority: int = 100
    from_ms: int
    expires_at_ms: int | None = None


class Move(Struct, frozen=True, kw_only=True):
    """One movement that an entry is to have."""

    source: CreditAccount
    target: CreditAccount
    amount: Money


def customer_of(key: str) -> Customer:
    """The customer of that id."""
    found = Customer.objects.filter(key=key).first()
    if found is None:
        raise Refuse(f"there is no customer '{key}'")
    return found


def prepaid_of(customer: Customer, currency: str) -> Money:
    """What the customer has paid ahead and not used."""
    return Money(amount=_balance(customer, currency, Account.PREPAID), currency=currency)


def granted_in(customers: Iterable[Customer], from_ms: int, to_ms: int) -> list[CreditGrant]:
    """Grants with something left that hold for a moment of ``[from_ms, to_ms)``, in the order of spending."""
    lasting = Q(expires_at_ms__isnull=True) | Q(expires_at_ms__gt=from_ms)
    found = CreditGrant.objects.filter(lasting, account__balance__gt=0, valid_from_ms__lt=to_ms)
    # Picked out here: grants are few, customers may be more than a statement takes as parameters.
    asked = {each.pk for each in customers}
    return sorted((each for each in found.select_related("account") if each.customer_id in asked), key=spending_order)


def spending_order(grant: CreditGrant) -> tuple[int, bool, int, int]:
    """Priority, then what ends first, then the older one."""
    return grant.priority, grant.expires_at_ms is None, grant.expires_at_ms or 0, grant.pk


def top_up(customer: Customer, amount: Money, reference: str, *, clock: Clock, who: str) -> CreditEntry:
    """Money received ahead. Refuses a reference that was entered before: a transfer is credited once."""
    _above_zero(amount, "a top-up")
    with transaction.atomic():
        _lock(customer)
        move = _move(customer, Account.CASH, Account.PREPAID, amount)
        entry = _enter(customer, Entry.TOP_UP, f"top-up:{reference}", reference, [move], clock, who)
        audit(clock, who, "credit.top-up", customer.key, {"amount": str(amount), "currency": amount.currency,
                                                          "reference": reference})  # fmt: skip
    return entry


def refund(customer: Customer, amount: Money, reference: str, *, clock: Clock, who: str) -> CreditEntry:
    """Give prepaid money back. Grants are not refundable."""
    _above_zero(amount, "a refund")
    with transaction.atomic():
        _lock(customer)
        left = prepaid_of(customer, amount.currency)
        if amount.amount > left.amount:
            raise Refuse(
                f"{customer.key} has {left} {left.currency} prepaid, so {amount} cannot be refunded; "
                "grants are not refundable"
            )
        move = _move(customer, Account.PREPAID, Account.CASH, amount)
        entry = _enter(customer, Entry.REFUND, f"refund:{reference}", reference, [move], clock, who)
        audit(clock, who, "credit.refund", customer.key, {"amount": str(amount), "currency": amount.currency,
                                                          "reference": reference})  # fmt: skip
    return entry


def grant(customer: Customer, amount: Money, terms: GrantTerms, *, clock: Clock, who: str) -> CreditGrant:
    """Allow ``amount`` before tax."""
    _above_zero(amount, "a grant")
    if terms.expires_at_ms is not None and terms.expires_at_ms <= terms.from_ms:
        raise Refuse("a grant must end after it begins")
    with transaction.atomic():
        _lock(customer)
        granted = CreditGrant.objects.create(
            customer=customer,
            currency=amount.currency,
            category=terms.category,
            model=terms.model,
            priority=terms.priority,
            valid_from_ms=terms.from_ms,
            expires_at_ms=terms.expires_at_ms,
            reason=terms.reason,
        )
        account = CreditAccount.objects.create(
            customer=customer, currency=amount.currency, kind=Account.GRANT, grant=granted
        )
        source = account_of(customer, amount.currency, Account.ALLOWANCE)
        moves = [Move(source=source, target=account, amount=amount)]
        _enter(customer, Entry.GRANT, f"grant:{granted.pk}", terms.reason, moves, clock, who)
        audit(clock, who, "credit.grant", customer.key, {"amount": str(amount), "currency": amount.currency,
                                                         "grant": granted.pk, "reason": terms.reason})  # fmt: skip
    return granted


def expired(at_ms: int) -> list[CreditGrant]:
    """Grants whose time is over, and whose last month is billed, although something is left of them; oldest first."""
    over = CreditGrant.objects.filter(account__balance__gt=0, expires_at_ms__lte=at_ms)
    return [each for each in over.select_related("account", "customer") if _last_month_is_over(each, at_ms)]


def _last_month_is_over(granted: CreditGrant, at_ms: int) -> bool:
    """Whether the last month that a grant may pay for is issued, or is so long past that it will not be."""
    zone = granted.customer.timezone
    period = billing_period(month_of(local_day((granted.expires_at_ms or 0) - 1, zone)), zone)
    issued = Invoice.objects.filter(customer=granted.customer, period=str(period.month), state=Invoice.State.ISSUED)
    return issued.exists() or at_ms >= period.end_ms + UNBILLED_DAYS * DAY_MS


def expire(granted: CreditGrant, *, clock: Clock, who: str) -> Money:
    """Take back what is left of a grant; how much that was. Twice takes nothing more."""
    with transaction.atomic():
        _lock(granted.customer)
        account = CreditAccount.objects.get(grant=granted)
        left = Money(amount=account.balance, currency=account.currency)
        if left.amount:
            target = account_of(granted.customer, account.currency, Account.ALLOWANCE)
            moves = [Move(source=account, target=target, amount=left)]
            # What came back to an expired grant, from an invoice that was voided, expires once more.
            times = CreditEntry.objects.filter(key__startswith=f"expire:{granted.pk}:").count()
            key = f"expire:{granted.pk}:{times}"
            _enter(granted.customer, Entry.EXPIRE, key, granted.reason, moves, clock, who)
            audit(clock, who, "credit.expire", granted.customer.key, {"amount": str(left), "currency": left.currency,
                                                                      "grant": granted.pk})  # fmt: skip
    return left


def payable_from_prepaid(customer: Customer, due: Money) -> Money:
    """How much of ``due`` is paid ahead; nothing of a credit note."""
    there = prepaid_of(customer, due.currency).amount
    return Money(amount=max(0, min(due.amount, there)), currency=due.currency)


def apply_prepaid(customer: Customer, due: Money, number: str, *, clock: Clock, who: str) -> Money:
    """Pay invoice ``number`` from prepaid as far as it goes; how much. Within the transaction that issues it."""
    _lock(customer)
    amount = payable_from_prepaid(customer, due)
    if not amount.amount:
        return amount
    move = _move(customer, Account.PREPAID, Account.CLEARING, amount)
    _enter(customer, Entry.APPLY, f"apply:{number}", number, [move], clock, who)
    return amount


def use_grants(customer: Customer, taken: Mapping[int, Money], number: str, *, clock: Clock, who: str) -> None:
    """Take what the lines of invoice ``number`` took, by grant. Within the transaction that issues it."""
    if not taken:
        return
    _lock(customer)
    accounts = {each.grant_id: each for each in CreditAccount.objects.filter(grant__in=taken)}
    moves = [
        Move(source=accounts[pk], target=account_of(customer, amount.currency, Account.SPENT), amount=amount)
        for pk, amount in sorted(taken.items())
    ]
    _enter(customer, Entry.USE, f"use:{number}", number, moves, clock, who)


def give_back(customer: Customer, number: str, because: str, *, clock: Clock, who: str) -> None:
    """Put back what invoice ``number`` took of prepaid and grants, as when it is voided. Twice puts nothing more."""
    _lock(customer)
    for kind, back in ((Entry.APPLY, Entry.RELEASE), (Entry.USE, Entry.RESTORE)):
        key = f"{back}:{number}"
        entry = CreditEntry.objects.filter(key=f"{kind}:{number}", customer=customer).first()
        if entry is None or CreditEntry.objects.filter(key=key).exists():
            continue
        moves = [
            Move(
                source=each.target, target=each.source, amount=Money(amount=each.amount, currency=each.source.currency)
            )
            for each in entry.movements.select_related("source", "target")
        ]
        _enter(customer, back, key, because, moves, clock, who)


def account_of(customer: Customer, currency: str, kind: CreditAccount.Kind) -> CreditAccount:
    """The one account of that kind, made when first needed."""
    return CreditAccount.objects.get_or_create(customer=customer, currency=currency, kind=kind, grant=None)[0]


def _move(customer: Customer, source: CreditAccount.Kind, target: CreditAccount.Kind, amount: Money) -> Move:
    return Move(
        source=account_of(customer, amount.currency, source),
        target=account_of(customer, amount.currency, target),
        amount=amount,
    )


def _enter(
    customer: Customer,
    kind: CreditEntry.Kind,
    key: str,
    reference: str,
    moves: Sequence[Move],
    clock: Clock,
    who: str,
) -> CreditEntry:
    known = CreditEntry.objects.filter(key=key).first()
    if known is not None:
        raise Refuse(
            f"a {kind} with the reference '{reference}' was entered already, for {known.customer.key}: "
            "cardhour credit list shows it"
        )
    entry = CreditEntry.objects.create(
        customer=customer, kind=kind, key=key, reference=reference, at_ms=clock.now_ms(), who=who
    )
    for each in moves:
        CreditMovement.objects.create(entry=entry, source=each.source, target=each.target, amount=each.amount.amount)
    return entry


def _lock(customer: Customer) -> None:
    """One entry of a customer at a time, so that what is read is what is drawn on."""
    Customer.objects.select_for_update().get(pk=customer.pk)


def _balance(customer: Customer, currency: str, kind: CreditAccount.Kind) -> int:
    found = CreditAccount.objects.filter(customer=customer, currency=currency, kind=kind)
    return found.values_list("balance", flat=True).first() or 0


def _above_zero(amount: Money, what: str) -> None:
    if amount.amount <= 0:
        raise Refuse(f"{what} is above zero, and {amount} {amount.currency} is not")
