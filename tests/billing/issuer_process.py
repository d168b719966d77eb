"""A process that issues documents beside others, for ``test_numbering``: real processes, real rollbacks.

Arguments: name of this process, how many attempts, which kind of document. Some attempts
fail after the number was taken, as a crash would.
"""

from __future__ import annotations

import random
import sys

from cardhour_billing.store import set_up


class CrashError(Exception):
    """Stands for whatever may go wrong after a number was taken."""


def main(name: str, attempts: int, kind: str) -> None:
    """Issue ``attempts`` documents, of which about a third are rolled back."""
    set_up()
    from django.db import transaction

    from cardhour_billing.invoices.numbering import take_number
    from cardhour_billing.models import Customer, Invoice
    from cardhour_billing.month import local_day
    from cardhour_contract.clock import SystemClock

    chance = random.Random(name)
    customer = Customer.objects.select_related("issuer").get(key="acme")
    today = local_day(SystemClock().now_ms(), "UTC")
    print("ready", flush=True)
    sys.stdin.readline()
    for attempt in range(attempts):
        try:
            with transaction.atomic():
                series, sequence, number, issue_date = take_number(customer.issuer, kind, today)
                Invoice.objects.create(
                    issuer=customer.issuer, customer=customer, kind=kind, period=f"{name}-{attempt}"[:7],
                    period_start_ms=0, period_end_ms=1, state=Invoice.State.ISSUED, series=series, sequence=sequence,
                    number=number, issue_date=issue_date, due_date=issue_date, issued_at_ms=1, currency="USD", net=0,
                    total=0, frozen=b"", computed_at_ms=0,
                )  # fmt: skip
                if chance.random() < 0.3:
                    raise CrashError
        except CrashError:
            continue


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
