"""The lists of what is charged by time and of money: leases, add-ons, costs, prepaid accounts, grants, payments.

Owns what each shows. Does not own what a row means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from cardhour_billing.catalog.addon import ADD_ON
from cardhour_billing.catalog.cost import COST
from cardhour_billing.catalog.current_terms import add_on_row, cost_row, lease_row
from cardhour_billing.catalog.lease import LEASE
from cardhour_billing.models import AddOn, Cost, CreditAccount, CreditGrant, Lease, Payment
from cardhour_billing.money import percent_text
from cardhour_billing.portal.records.catalog_lists import by_customer, of_customer, plain, recorded, validity
from cardhour_billing.portal.records.noun import Column, Fact, Filter, Look, Noun, Part, Words
from cardhour_billing.portal.records.texts import amount, instant, price, rfc3339, unit_words
from cardhour_billing.printed import nano_text
from cardhour_billing.receivables.credit_view import bookings

BOOKED_MAX = 500
"""Movements on a page, newest first."""


def _cards(row: Lease, _look: Look) -> str:
    names = [*row.cards, *row.nodes]
    shown = ", ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")
    return f"{row.count} × {row.model}" + (f", {shown}" if shown else "")


def _kind(row: Lease, _look: Look) -> str:
    return "named" if row.cards or row.nodes else "pool"


def _lease_price(row: Lease | AddOn, _look: Look) -> str:
    return price(row.unit_nano, row.currency)


def _unit(row: Lease | AddOn, _look: Look) -> str:
    return f"{row.currency} / {unit_words(row.per)}"


def _whole_price(row: Lease | AddOn, look: Look) -> str:
    return f"{_lease_price(row, look)} {_unit(row, look)}"


def _per() -> tuple[Column, ...]:
    return (
        Column(key="price", head=_("Price"), text=_lease_price, raw=lambda row, look: _lease_price(row, look)
               .replace(",", ""), narrow=_unit, order=("unit_nano",), number=True),
        Column(key="currency", head=_("Currency"), text=plain("currency"), order=("currency",), wide=True),
        Column(key="per", head=_("Per"), text=plain("per"), order=("per",), pill=True, wide=True),
    )  # fmt: skip


def _balance(row: CreditAccount, _look: Look) -> str:
    return amount(row.balance, row.currency)


def _left(row: CreditGrant, _look: Look) -> str:
    return amount(row.account.balance, row.currency)


def _booked(row: CreditAccount | CreditGrant, look: Look) -> Iterator[Sequence[str]]:
    """Every movement of the account, newest first, with the balance after it."""
    account = row.account if isinstance(row, CreditGrant) else row
    found = [each for each in bookings(row.customer) if each.account.pk == account.pk]
    for each in found[::-1][:BOOKED_MAX]:
        signed = amount(each.amount.amount, each.amount.currency)
        yield (
            instant(each.entry.at_ms, look), each.entry.kind, each.entry.reference, each.entry.who,
            signed if each.amount.amount < 0 else f"+{signed}", amount(each.balance.amount, each.balance.currency),
        )  # fmt: skip


BOOKED = Part(
    title=_("Movements"), heads=(_("When"), _("Kind"), _("Reference"), _("Who"), _("Amount"), _("Balance")),
    rows=_booked, numbers=frozenset({4, 5}), wide=frozenset({3, 5}),
)  # fmt: skip


def _allocated(row: Payment, look: Look) -> Iterator[Sequence[str]]:
    for each in row.allocations.select_related("invoice").order_by("pk"):
        number = each.invoice.number or ""
        yield number, instant(each.at_ms, look), each.who, amount(each.amount, row.currency)


def _payment_kinds() -> Sequence[tuple[str, Words]]:
    return [("receipt", _("Receipt")), ("reversal", _("Reversal")), ("refund", _("Refund"))]


LEASES = Noun(
    slug="leases", group="catalog", title=_("Leases"), one=_("Lease"), changes="lease",
    help=_("Cards that a customer pays for by time, whether it uses them or not."),
    empty=_("No leases yet. Apply a catalog, or add one."),
    rows=lambda: Lease.objects.select_related("customer"),
    search=("key", "model", "customer__name", "customer__key", "cards", "nodes"), order="lease",
    columns=(
        Column(key="lease", head=_("Lease"), text=plain("key"), small=_cards,
               narrow=lambda row, _look: row.customer.name, order=("key",)),
        of_customer(wide=True),
        Column(key="kind", head=_("Kind"), text=_kind, pill=True, wide=True),
        Column(key="model", head=_("Model"), text=plain("model"), order=("model",), wide=True),
        Column(key="count", head=_("Cards"), text=plain("count"), raw=lambda row, _look: row.count, order=("count",),
               number=True, wide=True),
        *_per(), *validity(),
    ),
    filters=(by_customer(),), same=lambda row: Q(key=row.key),
    audited=lambda row: f"lease {LEASE.text(lease_row(row))[0]}",
    facts=(
        Fact(name=_("Customer"), text=lambda row, _look: row.customer.name),
        Fact(name=_("Cards"), text=_cards),
        Fact(name=_("Price"), text=_whole_price),
        Fact(name=_("Billing months"), text=plain("cycle"), pill=True),
        Fact(name=_("Billed in"), text=plain("billing"), pill=True),
        Fact(name=_("SLA credit, %"), text=lambda row, _look: percent_text(row.sla_ppm) if row.sla_ppm else ""),
        *recorded(),
    ),
)  # fmt: skip

ADD_ONS = Noun(
    slug="add-ons", group="catalog", title=_("Add-ons"), one=_("Add-on"), changes="add-on",
    help=_("Storage, network, software: each month or once."),
    empty=_("No add-ons yet. Add one, or apply a catalog."),
    rows=lambda: AddOn.objects.select_related("customer"),
    search=("key", "name", "customer__name", "customer__key"), order="add-on",
    columns=(
        Column(key="add-on", head=_("Add-on"), text=plain("name"), small=plain("key"),
               narrow=lambda row, _look: row.customer.name, order=("name",)),
        of_customer(wide=True),
        Column(key="quantity", head=_("Quantity"), text=lambda row, _look: nano_text(row.quantity_nano), number=True,
               wide=True),
        *_per(), *validity(),
    ),
    filters=(by_customer(),), same=lambda row: Q(key=row.key),
    audited=lambda row: f"add-on {ADD_ON.text(add_on_row(row))[0]}",
    facts=(
        Fact(name=_("Customer"), text=lambda row, _look: row.customer.name),
        Fact(name=_("Price"), text=_whole_price),
        *recorded(),
    ),
)  # fmt: skip

COSTS = Noun(
    slug="costs", group="fleet", title=_("Costs"), one=_("Cost"),
    help=_("What a server of a model costs its owner. For margin; no document shows it."),
    empty=_("No costs yet, so no margin can be reckoned. Describe them in a catalog file."),
    rows=Cost.objects.all, search=("model",), order="model",
    columns=(
        Column(key="model", head=_("Model"), text=plain("model"), order=("model",)),
        Column(key="cards", head=_("Cards a server"), text=plain("cards_per_server"), order=("cards_per_server",),
               number=True, wide=True),
        Column(key="purchase", head=_("Purchase"), text=lambda row, _look: price(row.purchase_nano, row.currency),
               order=("purchase_nano",), number=True),
        Column(key="months", head=_("Months"), text=plain("depreciation_months"), order=("depreciation_months",),
               number=True, wide=True),
        Column(key="hosting", head=_("Hosting"), text=lambda row, _look: price(row.hosting_nano, row.currency),
               order=("hosting_nano",), number=True, wide=True),
        Column(key="power", head=_("Power"), text=lambda row, _look: price(row.power_nano, row.currency),
               order=("power_nano",), number=True, wide=True),
        Column(key="currency", head=_("Currency"), text=plain("currency"), order=("currency",), wide=True),
        *validity(),
    ),
    same=lambda row: Q(model=row.model), audited=lambda row: f"cost {COST.text(cost_row(row))[0]}", facts=recorded(),
)  # fmt: skip

PREPAID = Noun(
    slug="prepaid", group="money", title=_("Prepaid accounts"), one=_("Prepaid account"),
    help=_("What customers have paid ahead and not used. It pays invoices after tax, and can be given back."),
    empty=_("Nobody has paid ahead yet. Record a top-up with cardhour credit top-up."),
    rows=lambda: CreditAccount.objects.filter(kind=CreditAccount.Kind.PREPAID).select_related("customer"),
    search=("customer__name", "customer__key", "currency"), order="customer",
    columns=(
        of_customer(),
        Column(key="balance", head=_("Balance"), text=_balance, raw=lambda row, look: _balance(row, look)
               .replace(",", ""), order=("balance",), number=True),
        Column(key="currency", head=_("Currency"), text=plain("currency"), order=("currency",)),
    ),
    filters=(by_customer(),), parts=(BOOKED,),
    facts=(Fact(name=_("Balance"), text=lambda row, look: f"{_balance(row, look)} {row.currency}"),),
)  # fmt: skip

GRANTS = Noun(
    slug="grants", group="money", title=_("Grants"), one=_("Grant"),
    help=_("Allowances before tax, spent by priority, not given back."),
    empty=_("Nothing was granted yet. Grant with cardhour credit grant."),
    rows=lambda: CreditGrant.objects.select_related("customer", "account"),
    search=("reason", "customer__name", "customer__key", "model"), order="customer",
    columns=(
        Column(key="reason", head=_("Reason"), text=plain("reason"), order=("reason",)), of_customer(),
        Column(key="left", head=_("Left"), text=_left, raw=lambda row, look: _left(row, look).replace(",", ""),
               order=("account__balance",), number=True),
        Column(key="currency", head=_("Currency"), text=plain("currency"), order=("currency",)),
        Column(key="pays_for", head=_("Pays for"), text=plain("category"), order=("category",), pill=True, wide=True),
        Column(key="priority", head=_("Priority"), text=plain("priority"), raw=lambda row, _look: row.priority,
               order=("priority",), number=True, wide=True),
        Column(key="expires", head=_("Expires"), text=lambda row, look: instant(row.expires_at_ms, look),
               raw=lambda row, _look: rfc3339(row.expires_at_ms), order=("expires_at_ms",), wide=True),
    ),
    filters=(by_customer(),), parts=(BOOKED,),
    facts=(
        Fact(name=_("Customer"), text=lambda row, _look: row.customer.name),
        Fact(name=_("Left"), text=lambda row, look: f"{_left(row, look)} {row.currency}"),
        Fact(name=_("Expires"), text=lambda row, look: instant(row.expires_at_ms, look)),
    ),
)  # fmt: skip

PAYMENTS = Noun(
    slug="payments", group="money", title=_("Payments"), one=_("Payment"),
    help=_("Money received and given back. A payment is never edited: what bounces is reversed."),
    empty=_("No payments yet. Record one from an invoice’s page, or import the bank’s statement with cardhour bank."),
    rows=lambda: Payment.objects.select_related("customer", "of"),
    search=("reference", "customer__name", "customer__key", "note"), order="-day",
    columns=(
        Column(key="payment", head=_("Payment"), text=plain("code"), narrow=plain("reference"), order=("pk",)),
        of_customer(),
        Column(key="day", head=_("Value date"), text=lambda row, _look: row.day.isoformat(), order=("day",)),
        Column(key="kind", head=_("Kind"), text=plain("kind"), order=("kind",), pill=True, wide=True),
        Column(key="reference", head=_("Reference"), text=plain("reference"), order=("reference",), wide=True),
        Column(key="amount", head=_("Amount"), text=lambda row, _look: amount(row.amount, row.currency),
               raw=lambda row, _look: amount(row.amount, row.currency).replace(",", "").replace("\u2212", "-"),
               order=("amount",), number=True),
        Column(key="currency", head=_("Currency"), text=plain("currency"), order=("currency",), wide=True),
    ),
    filters=(
        by_customer(),
        Filter(key="kind", label=_("Kind"), choices=_payment_kinds, match=lambda value: Q(kind=value)),
    ),
    audited=lambda row: row.code,
    parts=(
        Part(title=_("What it paid"), heads=(_("Invoice"), _("When"), _("Who"), _("Amount")), rows=_allocated,
             numbers=frozenset({3})),
    ),
    facts=(
        Fact(name=_("Customer"), text=lambda row, _look: row.customer.name),
        Fact(name=_("Kind"), text=plain("kind"), pill=True),
        Fact(name=_("Reverses or pays back"), text=lambda row, _look: row.of.code if row.of else ""),
        Fact(name=_("Taken back by"), text=lambda row, _look: ", ".join(each.code for each in row.takings.all())),
        Fact(name=_("Reference"), text=plain("reference")),
        Fact(name=_("Amount"), text=lambda row, _look: f"{amount(row.amount, row.currency)} {row.currency}"),
        Fact(name=_("Bank fee"), text=lambda row, _look: amount(row.fee, row.currency) if row.fee else ""),
        Fact(name=_("Written off"), text=lambda row, _look: amount(row.write_off, row.currency)
             if row.write_off else ""),
        Fact(name=_("Note"), text=plain("note")), Fact(name=_("Who"), text=plain("who")),
        Fact(name=_("Recorded"), text=lambda row, look: instant(row.recorded_at_ms, look)),
    ),
)  # fmt: skip
