"""A portal whose month passes when it is told to: the process, and the way to move its clock and run its scheduler.

``python -m tests.portal.month_server HOME LANGUAGE`` writes the books of ``month_books``, prints its address and then
does one order for each line that it reads. Owns the orders. The mail server is the one that the environment names.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import parse_rfc3339
from tests.portal.server import ROOT

BEGINS = "2026-10-30T10:00:00+08:00"
"""The last working day of October."""
SETTINGS = """
[web]
url = "{address}"
second_factor = ["billing", "admin"]
[webhook]
customers_anywhere = true
"""
"""The walk's own receiver listens on 127.0.0.1, without TLS."""


class MonthPortal:
    """A running portal at ``address``. One order is done before the next is given."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.moment = BEGINS
        self.address = str(self._answer())

    def at(self, moment: str) -> None:
        """It is ``moment`` there, and time goes on from it, slowly. Authenticators stand still at it."""
        self.moment = moment
        self._order("at", moment)

    def tick(self) -> None:
        """The scheduler looks once: at months, budgets, events, reports."""
        self._order("tick")

    def command(self, *words: str) -> str:
        """What a command prints there that a person of the provider types."""
        return str(self._order("command", *words))

    def _order(self, *words: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(shlex.join(words) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the portal has ended with {self._process.wait()}; its stderr says why")
        return json.loads(line)


@contextmanager
def month_portal(home: Path, language: str, mail_port: int) -> Iterator[MonthPortal]:
    """A portal over new books in ``home``, which mails through ``mail_port``; ``language`` is its customers'."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARDHOUR_")}
    ours = {
        "CARDHOUR_HOME": str(home),
        "CARDHOUR_MAIL_HOST": "127.0.0.1",
        "CARDHOUR_MAIL_PORT": str(mail_port),
        "CARDHOUR_MAIL_TLS": "none",
        "CARDHOUR_MAIL_SENDER": "Example Compute <billing@example.com>",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.portal.month_server", str(home), language],
        cwd=ROOT, env={**kept, **ours}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield MonthPortal(process)
        finally:
            process.terminate()


SLOWER = 20
"""How much slower time passes there: pages print minutes, and on a busy machine a walk takes some."""


class MovedClock:
    """What ``SystemClock`` says in this process: the moment that was told, and slowly on from there."""

    def __init__(self, moment: str) -> None:
        self._machine_ms = SystemClock.now_ms
        self.move(moment)

    def move(self, moment: str) -> None:
        self._told_ms, self._since_ms = parse_rfc3339(moment), self._machine_ms(SystemClock())

    def told_s(self) -> float:
        """The moment that was told, for authenticators: they change their code every half minute."""
        return self._told_ms / 1000

    def now_ms(self) -> int:
        return self._told_ms + (self._machine_ms(SystemClock()) - self._since_ms) // SLOWER


def main() -> None:
    home, language = Path(sys.argv[1]), sys.argv[2]
    from cardhour_billing.store import open_store

    config = open_store()
    from django.conf import settings
    from waitress.server import create_server

    from cardhour_billing.config import load_config
    from cardhour_billing.logs import configure
    from cardhour_billing.usage.store import opened_warehouse
    from cardhour_billing.wsgi import application
    from tests.portal import month_books

    configure()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # ours takes half a second on purpose
    server = create_server(application, host="127.0.0.1", port=0, threads=4)
    address = f"http://127.0.0.1:{server.effective_port}"
    (home / "cardhour.toml").write_text(SETTINGS.format(address=address), encoding="utf-8")
    clock = MovedClock(BEGINS)
    # Held to the end: opening the engine anew for each page would cost a second.
    with (
        patch.object(SystemClock, "now_ms", clock.now_ms),
        patch("django_otp.plugins.otp_totp.models.time", SimpleNamespace(time=clock.told_s)),
        opened_warehouse(config) as warehouse,
    ):
        month_books.write(home, warehouse, language)
        threading.Thread(target=server.run, daemon=True).start()
        _print(address)
        _obey(load_config, clock)


def _obey(load: Callable[[], Any], clock: MovedClock) -> None:
    """Do what each line of stdin says, and answer when it is done."""
    from click.testing import CliRunner
    from django.core.cache import cache

    from cardhour_billing.__main__ import cardhour
    from cardhour_billing.hourly import tell_events
    from cardhour_billing.scheduler import run_due
    from cardhour_billing.usage.store import opened_ledger
    from cardhour_billing.usage_report.mailing import mail_reports

    for line in sys.stdin:
        match shlex.split(line):
            case ["at", moment]:
                clock.move(moment)
                cache.clear()  # what was kept for a minute is of another day
                _print(moment)
            case ["tick"]:
                config = load()
                with opened_ledger(config) as ledger:
                    runs = run_due(config, ledger, SystemClock())
                told = tell_events(config, SystemClock())
                mail_reports(config, SystemClock())
                _print([len(runs), len(told)])
            case ["command", *words]:
                done = CliRunner().invoke(cardhour, words, catch_exceptions=False)
                assert done.exit_code == 0, done.output
                _print(done.stdout)


def _print(answer: object) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
