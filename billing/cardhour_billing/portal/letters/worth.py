"""What one dead letter is worth: the card-hours that it speaks of, at list price, or why nobody can say.

Owns the estimate of each letter of a page. Does not own reading them (``cardhour_ingest``) nor list prices. It is an
upper bound, as every estimate of letters is: what a letter says may have arrived in another copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from msgspec import Struct

from cardhour_billing.catalog.current import current_prices
from cardhour_billing.closing.list_value import list_value
from cardhour_billing.figures import grouped
from cardhour_billing.models import Issuer
from cardhour_billing.money import card_hours
from cardhour_billing.month import BillingPeriod, billing_period, local_day, month_of
from cardhour_billing.rating.price import Prices

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.client import Warehouse
    from cardhour_ingest.warehouse.letters import StoredLetter

HOURS_DECIMALS = 4
"""A letter speaks of a minute or so: of some cards, hundredths of an hour."""


class Worth(Struct, frozen=True, kw_only=True):
    """Grouped texts, empty where nobody can say; ``why`` then says why not."""

    hours: str = ""
    amount: str = ""
    currency: str = ""
    why: str = ""


NONE = Worth()


def worth_of(warehouse: Warehouse, letters: Sequence[StoredLetter], now_ms: int) -> Mapping[str, Worth]:
    """The worth of those that wait, by the name of each, at the list prices of the running month."""
    from cardhour_ingest.warehouse.unread import said_by_each

    waiting = [each.letter for each in letters if not each.replayed]
    issuer = Issuer.objects.first()
    if issuer is None or not waiting:
        return {}
    said = said_by_each(warehouse, waiting)
    period = billing_period(month_of(local_day(now_ms, issuer.timezone)), issuer.timezone)
    prices = Prices(current_prices())
    return {f"{each:016x}": _worth(said.get(each), period, issuer.currency, prices) for each in waiting}


def _worth(held_us: Mapping[str, int] | None, period: BillingPeriod, currency: str, prices: Prices) -> Worth:
    if held_us is None:
        return Worth(why=_("no usage can be read in it"))
    if not held_us:
        return Worth(why=_("it speaks of no time"))
    hours = grouped(card_hours(sum(held_us.values()), decimals=HOURS_DECIMALS))
    value, unpriced = list_value(held_us, period, currency, prices)
    why = _unpriced(held_us) if value is None else _("some of it without a list price") if unpriced else ""
    amount = grouped(str(value)) if value else ""
    return Worth(hours=hours, amount=amount, currency=currency if value else "", why=why)


def _unpriced(held_us: Mapping[str, int]) -> str:
    named = sorted(filter(None, held_us))
    if not named:
        return _("the model of its card is not known")
    return _("no list price of %(models)s") % {"models": ", ".join(named)}
