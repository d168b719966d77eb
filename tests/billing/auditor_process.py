"""A process that writes audit entries beside others, for ``test_audit_chain``. Arguments: its name, how many entries.

About a third are rolled back, as a crash would.
"""

from __future__ import annotations

import random
import sys

from cardhour_billing.store import set_up


class CrashError(Exception):
    """Stands for whatever may go wrong after an entry was written."""


def main(name: str, count: int) -> None:
    """Write ``count`` entries."""
    set_up()
    from django.db import transaction

    from cardhour_billing.audit.log import audit
    from cardhour_contract.clock import SystemClock

    chance, clock = random.Random(name), SystemClock()
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(count):
        try:
            with transaction.atomic():
                audit(clock, name, "note.add", f"{name}{number}", {"number": number})
                if chance.random() < 0.3:
                    raise CrashError
        except CrashError:
            continue


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
