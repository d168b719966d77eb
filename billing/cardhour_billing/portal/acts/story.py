"""What became of an issued invoice, for staff: what paid it, what was credited, whether it was mailed. Reads only."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Sum
from django.utils.translation import gettext as _
from msgspec import Struct

from cardhour_billing.figures import grouped
from cardhour_billing.models import Invoice, Payment
from cardhour_billing.money import Money
from cardhour_billing.receivables.allocating import open_of, payers_of
from cardhour_billing.sending.invoice_mail import key_of
from cardhour_billing.sending.mailing import Fate, fate_of


class Settled(Struct, frozen=True, kw_only=True):
    """What was used for an invoice, and by what. ``note`` and ``payment`` are the key of that, for its link."""

    what: str
    amount: str
    note: int | None = None
    payment: int | None = None


class Story(Struct, frozen=True, kw_only=True):
    """An issued invoice since then: ``settled`` and ``left`` come to its total."""

    settled: tuple[Settled, ...]
    left: str
    mail: Fate


def story_of(invoice: Invoice) -> Story | None:
    """The story of an issued invoice; a draft has none, and a credit note another."""
    if invoice.state != Invoice.State.ISSUED or invoice.kind != Invoice.Kind.INVOICE:
        return None
    return Story(
        settled=tuple(_settled(invoice)), left=grouped(str(open_of(invoice))), mail=fate_of(key_of(str(invoice.number)))
    )


def _settled(invoice: Invoice) -> Iterable[Settled]:
    paid = invoice.allocations.filter(prepaid__isnull=False).aggregate(sum=Sum("amount"))["sum"] or 0
    if paid:
        yield Settled(what=_("Paid ahead"), amount=grouped(str(Money(amount=paid, currency=invoice.currency))))
    for source, amount in payers_of(invoice):
        text = grouped(str(amount))
        if isinstance(source, Payment):
            what = f"{source.code}, {source.day.isoformat()}, {source.reference}"
            yield Settled(what=what, amount=text, payment=source.pk)
        else:
            yield Settled(what=str(source.number), amount=text, note=source.pk)
