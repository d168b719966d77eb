"""A process that opens a store nobody has opened before, for ``test_store``."""

from __future__ import annotations

import sys

from cardhour_billing.store import open_store, pending

if __name__ == "__main__":
    print("ready", flush=True)
    sys.stdin.readline()
    open_store()
    print(len(pending()))
