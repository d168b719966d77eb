"""Forms of what is agreed beside prices: contracts, commitments, tax rules, add-ons. Owns their fields."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from cardhour_billing.models import AddOn, Commitment, Contract
from cardhour_billing.models import TaxRule as RecordedTax
from cardhour_billing.money import UnitPrice, percent_text
from cardhour_billing.portal.catalog.fields import FROM, TO, VALID, Field, Form, minor, times
from cardhour_billing.printed import nano_text
from cardhour_billing.rating.price import LIST_BOOK
from cardhour_billing.rating.rate_scheme import hours_text

CATEGORIES = ("standard", "reduced", "zero", "exempt", "reverse-charge")


def _contract(row: Contract, timezone: str) -> dict[str, str]:
    return {
        "id": row.key, "customer": row.customer.key, "book": "" if row.book.key == LIST_BOOK else row.book.key,
        "discount": percent_text(row.discount_ppm) if row.discount_ppm else "", **times(row, timezone),
    }  # fmt: skip


def _commitment(row: Commitment, timezone: str) -> dict[str, str]:
    return {
        "id": row.key, "contract": row.contract, "term": row.term, "models": "\n".join(row.covers),
        "card_hours": hours_text(row.quantity_us) if row.quantity_us is not None else "",
        "amount": minor(row.amount, row.currency) if row.amount is not None else "", "currency": row.currency,
        "true_up": _unit(row.true_up_nano, row.currency), "overage": _unit(row.overage_nano, row.currency),
        "includes_tax": "yes" if row.includes_tax else "", "less_faults": "yes" if row.less_faults else "",
        **times(row, timezone),
    }  # fmt: skip


def _tax(row: RecordedTax, timezone: str) -> dict[str, str]:
    return {
        "category": row.category, "rate": percent_text(row.rate_ppm) if row.rate_ppm else "", "model": row.model,
        "customer": row.customer.key if row.customer else "", "note": row.note, **times(row, timezone),
    }  # fmt: skip


def _add_on(row: AddOn, timezone: str) -> dict[str, str]:
    return {
        "id": row.key, "customer": row.customer.key, "name": row.name, "per": row.per, "unit": row.unit,
        "quantity": nano_text(row.quantity_nano), "amount": _unit(row.unit_nano, row.currency),
        "includes_tax": "yes" if row.includes_tax else "", "period": row.cycle, "billed": row.billing,
        "non_refundable": "yes" if row.non_refundable else "", **times(row, timezone),
    }  # fmt: skip


def _unit(nano: int | None, currency: str) -> str:
    return str(UnitPrice(nano=nano, currency=currency)) if nano is not None else ""


TERMS = (
    Form(
        name="contract", slug="contracts", values=_contract,
        fields=(
            Field(key="id", label=_("Id"), required=True, fixed=True, help=_("New terms are a new contract.")),
            Field(key="customer", label=_("Customer"), kind="customer", required=True),
            Field(key="book", label=_("Price book"), help=_("Empty: the list price.")),
            Field(key="discount", label=_("Discount, %"), help=_("Off every price of the book.")), FROM, TO,
        ),
    ),
    Form(
        name="commitment", slug="commitments", values=_commitment,
        fields=(
            Field(key="id", label=_("Id"), required=True, fixed=True),
            Field(key="contract", label=_("Contract"), required=True, fixed=True, help=_("Its id.")),
            Field(key="term", label=_("Term"), kind="choice", choices=("month", "quarter", "contract"), required=True,
                  help=_("What is promised is counted anew in each.")),
            Field(key="card_hours", label=_("Card-hours"), help=_("Either card-hours or an amount of money.")),
            Field(key="true_up", label=_("Price of a missing card-hour"),
                  help=_("Needed with card-hours; not with money.")),
            Field(key="overage", label=_("Price of a card-hour beyond"), help=_("Empty: as any other.")),
            Field(key="amount", label=_("Amount of money")),
            Field(key="currency", label=_("Currency"), help=_("Empty: the issuer’s.")),
            Field(key="models", label=_("Models"), kind="lines", help=_("One a line. None: every model.")),
            Field(key="includes_tax", label=_("With tax"), kind="flag"),
            Field(key="less_faults", label=_("Less what was faulted"), kind="flag"), FROM, TO,
        ),
    ),
    Form(
        name="tax", slug="taxes", values=_tax, divided=True,
        fields=(
            Field(key="category", label=_("Category"), kind="choice", choices=CATEGORIES, required=True),
            Field(key="rate", label=_("Rate, %"), help=_("Only standard and reduced have one.")),
            Field(key="customer", label=_("Customer"), kind="customer", fixed=True, help=_("Empty: everybody.")),
            Field(key="model", label=_("Model"), fixed=True, help=_("Empty: everything that is sold.")),
            Field(key="note", label=_("Note"), help=_("Printed on documents; an exemption must say why.")), *VALID,
        ),
    ),
    Form(
        name="add-on", slug="add-ons", values=_add_on,
        fields=(
            Field(key="id", label=_("Id"), required=True, fixed=True),
            Field(key="customer", label=_("Customer"), kind="customer", required=True),
            Field(key="name", label=_("Name"), required=True, help=_("As it stands on documents.")),
            Field(key="per", label=_("Per"), kind="choice", choices=("month", "once"), required=True),
            Field(key="amount", label=_("Price"), required=True), Field(key="quantity", label=_("Quantity")),
            Field(key="unit", label=_("Unit"), help=_("Such as TB; empty: pieces.")),
            Field(key="includes_tax", label=_("With tax"), kind="flag"),
            Field(key="period", label=_("Billing months"), kind="choice", choices=("calendar", "anniversary")),
            Field(key="billed", label=_("Billed in"), kind="choice", choices=("arrears", "advance")),
            Field(key="non_refundable", label=_("Not refundable"), kind="flag"), FROM, TO,
        ),
    ),
)  # fmt: skip
