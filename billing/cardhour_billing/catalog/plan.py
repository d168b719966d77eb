"""What applying a catalog file would change, and every reason why it cannot be applied.

Owns asking each noun in turn, and that there is an issuer. What the file does not name stays as it is. Does not own
what a noun changes (the nouns) nor writing (``catalog``).
"""

from __future__ import annotations

from cardhour_billing.catalog.change import Change
from cardhour_billing.catalog.customer import CustomerTable
from cardhour_billing.catalog.issuer import IssuerTable, columns
from cardhour_billing.catalog.noun import CatalogFile, Planning
from cardhour_billing.catalog.nouns import NOUNS
from cardhour_billing.models import Customer, Issuer
from cardhour_contract.errors import Refuse


def plan(file: CatalogFile, *, simulated: bool = False, correct: bool = False) -> tuple[Change, ...]:
    """The changes that ``file`` asks for, in order of writing. Raises Refuse with every problem and its line.

    ``simulated``: what was billed may change, because nothing will be written. ``correct``: it may, because that is
    what is wanted.
    """
    problems = list(file.problems)
    issuer = _issuer(file, problems)
    if issuer is None:
        raise Refuse(*problems)
    customers = {*Customer.objects.values_list("key", flat=True), *(each.table.id for each in file.of(CustomerTable))}
    planning = Planning(
        file=file,
        issuer=issuer,
        customers=customers | file.unreadable,
        problems=problems,
        simulated=simulated,
        correct=correct,
    )
    changes = [change for noun in NOUNS for change in noun.changes(planning)]
    if problems:
        raise Refuse(*problems)
    return tuple(changes)


def _issuer(file: CatalogFile, problems: list[str]) -> Issuer | None:
    """The issuer as it would stand afterwards."""
    stored, wanted = Issuer.objects.first(), next(iter(file.of(IssuerTable)), None)
    if wanted is None:
        if stored is None and not any("[issuer]" in problem for problem in problems):
            problems.append(f"{file.path}: [issuer] is missing: give name, currency and timezone")
        return stored
    if stored and stored.key != wanted.table.id:
        problems.append(f"{wanted.where}: this installation's issuer is '{stored.key}', and it has one issuer")
    return Issuer(key=wanted.table.id, **columns(wanted.table))
