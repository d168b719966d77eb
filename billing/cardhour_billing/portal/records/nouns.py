"""All lists, by the name that stands in their address. Owns that list alone."""

from __future__ import annotations

from cardhour_billing.portal.records.catalog_lists import BINDINGS, COMMITMENTS, CONTRACTS, CUSTOMERS, PRICES, TAXES
from cardhour_billing.portal.records.fleet_lists import LETTERS, NODES
from cardhour_billing.portal.records.money_lists import ADD_ONS, COSTS, GRANTS, LEASES, PAYMENTS, PREPAID

NOUNS = {
    noun.slug: noun
    for noun in (
        CUSTOMERS, BINDINGS, PRICES, CONTRACTS, COMMITMENTS, TAXES, LEASES, ADD_ONS, PREPAID, GRANTS, PAYMENTS, COSTS,
        NODES, LETTERS,
    )
}  # fmt: skip
"""In the order of the side bar."""
