"""The tables of a catalog: one noun a line, in the order in which their changes are written.

Owns that list alone. To add one, write ``catalog_<noun>`` after the pattern of ``catalog_noun`` and name it here.
"""

from __future__ import annotations

from typing import Any

from cardhour_billing.catalog_addon import ADD_ON
from cardhour_billing.catalog_binding import BINDING
from cardhour_billing.catalog_commitment import COMMITMENT
from cardhour_billing.catalog_contract import CONTRACT
from cardhour_billing.catalog_cost import COST
from cardhour_billing.catalog_customer import CUSTOMER
from cardhour_billing.catalog_issuer import ISSUER
from cardhour_billing.catalog_lease import LEASE
from cardhour_billing.catalog_noun import Noun
from cardhour_billing.catalog_price import PRICE
from cardhour_billing.catalog_tax import TAX

NOUNS: tuple[Noun[Any], ...] = (ISSUER, CUSTOMER, BINDING, CONTRACT, COMMITMENT, PRICE, TAX, LEASE, ADD_ON, COST)
