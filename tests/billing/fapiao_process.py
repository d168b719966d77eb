"""A process that asks for the same fapiao beside others, for ``test_fapiao``. Argument: the invoice's number."""

from __future__ import annotations

import sys

from cardhour_billing.store import set_up


def main(number: str) -> None:
    """Ask for a hundred yuan of line 1 until nothing is left; print how often that went well."""
    set_up()
    from cardhour_billing.fapiao.requests import Item, Wanted, request
    from cardhour_billing.money import Money
    from cardhour_contract.clock import SystemClock
    from cardhour_contract.errors import Refuse

    wanted = [Wanted(number=number, position=1, gross=Money(amount=10000, currency="CNY"))]
    item = Item(name="*信息技术服务*算力服务", code="3040203000000000000")
    print("ready", flush=True)
    sys.stdin.readline()
    made = 0
    while made < 100:
        try:
            request(wanted, item, special=True, remark="", clock=SystemClock(), who=f"process {sys.argv[1]}")
        except Refuse:
            break
        made += 1
    print(made)


if __name__ == "__main__":
    main(sys.argv[1])
