"""A process that takes money out of acme's prepaid, beside others, for ``test_credit``. Arguments: name, attempts.

It goes round the code that looks first, so that only the store stands between the processes and an overdrawn account.
"""

from __future__ import annotations

import sys

from cardhour_billing.store import set_up


def main(name: str, attempts: int) -> None:
    """Try to draw 1.00 as often as asked; print how often it was given."""
    set_up()
    from django.db import IntegrityError, transaction

    from cardhour_billing.models import CreditEntry, CreditMovement, Customer
    from cardhour_billing.receivables.credit import Account, account_of

    customer = Customer.objects.get(key="acme")
    prepaid, cash = account_of(customer, "USD", Account.PREPAID), account_of(customer, "USD", Account.CASH)
    print("ready", flush=True)
    sys.stdin.readline()
    given = 0
    for attempt in range(attempts):
        try:
            with transaction.atomic():
                entry = CreditEntry.objects.create(
                    customer=customer, kind="refund", key=f"{name}-{attempt}", at_ms=1, who=name
                )
                CreditMovement.objects.create(entry=entry, source=prepaid, target=cash, amount=100)
        except IntegrityError:
            continue
        given += 1
    print(given)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
