"""All lists, by the name that stands in their address. Owns that list alone."""

from __future__ import annotations

from cardhour_billing.portal.records.catalog_lists import BINDINGS, COMMITMENTS, CONTRACTS, CUSTOMERS, PRICES, TAXES
from cardhour_billing.portal.records.fleet_lists import LETTERS, NODES
from cardhour_billing.portal.records.money_lists import ADD_ONS, COSTS, GRANTS, LEASES, PAYMENTS, PREPAID
from cardhour_billing.portal.records.statement_list import STATEMENTS

NOUNS = {
    noun.slug: noun
    for noun in (
        STATEMENTS, PAYMENTS, CUSTOMERS, BINDINGS, PRICES, CONTRACTS, COMMITMENTS, LEASES, ADD_ONS, TAXES, PREPAID,
        GRANTS, COSTS, NODES, LETTERS,
    )
}  # fmt: skip
"""In the order of the side bar."""
