"""A process that issues January for everyone, for ``test_numbering``: two of them must not issue anything twice."""

from __future__ import annotations

import sys

from cardhour_billing.store import set_up


def main() -> None:
    """Wait for the word, then close; print the numbers this process issued."""
    set_up()
    from tests.billing.books import close
    from tests.billing.memory_ledger import MemoryLedger

    ledger = MemoryLedger()
    for number in range(20):
        ledger.hold(f"k8s:c{number}", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z", card=f"GPU-{number}")
    print("ready", flush=True)
    sys.stdin.readline()
    report = close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=True)
    print(*(each.document.number for each in report.invoices))


if __name__ == "__main__":
    main()
