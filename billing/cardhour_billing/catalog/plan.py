"""What applying a catalog file would change, and every reason why it cannot be applied.

Owns asking each noun in turn, and that there is an issuer. What the file does not name stays as it is. Does not own
what a noun changes (the nouns) nor writing (``catalog``).
"""

from __future__ import annotations

from cardhour_billing.catalog.change import Change
from cardhour_billing.catalog.customer import CustomerTable
from cardhour_billing.catalog.issuer import issuers_after
from cardhour_billing.catalog.noun import CatalogFile, Planning
from cardhour_billing.catalog.nouns import NOUNS
from cardhour_billing.models import Customer
from cardhour_contract.errors import Refuse


def plan(file: CatalogFile, *, simulated: bool = False, correct: bool = False) -> tuple[Change, ...]:
    """The changes that ``file`` asks for, in order of writing. Raises Refuse with every problem and its line.

    ``simulated``: what was billed may change, because nothing will be written. ``correct``: it may, because that is
    what is wanted.
    """
    problems = list(file.problems)
    issuers = issuers_after(file)
    if not issuers:
        if not any("[issuer]" in problem for problem in problems):
            problems.append(f"{file.path}: [issuer] is missing: give name, currency and timezone")
        raise Refuse(*problems)
    customers = {*Customer.objects.values_list("key", flat=True), *(each.table.id for each in file.of(CustomerTable))}
    planning = Planning(
        file=file,
        issuers=issuers,
        customers=customers | file.unreadable,
        problems=problems,
        simulated=simulated,
        correct=correct,
    )
    changes = [change for noun in NOUNS for change in noun.changes(planning)]
    if problems:
        raise Refuse(*problems)
    return tuple(changes)
