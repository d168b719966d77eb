"""The tables of a catalog: one noun a line, in the order in which their changes are written.

Owns that list alone. To add one, write ``<noun>`` after the pattern of ``noun`` and name it here.
"""

from __future__ import annotations

from typing import Any

from cardhour_billing.catalog.addon import ADD_ON
from cardhour_billing.catalog.binding import BINDING
from cardhour_billing.catalog.commitment import COMMITMENT
from cardhour_billing.catalog.contract import CONTRACT
from cardhour_billing.catalog.cost import COST
from cardhour_billing.catalog.customer import CUSTOMER
from cardhour_billing.catalog.issuer import ISSUER
from cardhour_billing.catalog.lease import LEASE
from cardhour_billing.catalog.noun import Noun
from cardhour_billing.catalog.price import PRICE
from cardhour_billing.catalog.tax import TAX

NOUNS: tuple[Noun[Any], ...] = (ISSUER, CUSTOMER, BINDING, CONTRACT, COMMITMENT, PRICE, TAX, LEASE, ADD_ON, COST)
