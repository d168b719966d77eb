"""The portal in a process of its own, over a new store with sample books, as ``waitress`` serves it in production.

``python -m tests.portal.server HOME`` prints its address and serves until it is stopped. Owns starting, stopping and
what day it is there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import structlog

from cardhour_contract.clock import SystemClock, VirtualClock
from cardhour_contract.moment import parse_rfc3339

STARTS_WITH = "serving "
ROOT = Path(__file__).parents[2]
SETTINGS = """
[web]
url = "https://portal.example.com"
[mail]
host = "127.0.0.1"
port = 9
tls = "none"
sender = "Example Compute <billing@example.com>"
"""
"""A mail server that nobody has: pages offer what needs one, and no test sends."""

STATEMENT_LINK = "statement.link"
"""The file of a home that has the address at which the sample's statement is answered without a login."""

BEGINS = "2026-11-26T12:00:00Z"
"""When the portal starts, by its own clock, which then goes as any other: the books know the months around this day."""


@contextmanager
def running_portal(home: Path) -> Iterator[str]:
    """The address of a portal whose store lies in ``home``, such as ``http://127.0.0.1:43121``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARDHOUR_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.portal.server", str(home)],
        cwd=ROOT,
        env={**kept, "CARDHOUR_HOME": str(home), "DJANGO_SETTINGS_MODULE": "cardhour_billing.settings"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        if not said.startswith(STARTS_WITH):
            raise RuntimeError(f"the portal did not start: it said {said!r} and left with {process.poll()}")
        yield said.removeprefix(STARTS_WITH)
    finally:
        process.terminate()
        process.wait(timeout=180)
        if process.stdout is not None:
            process.stdout.close()


def main() -> None:
    import django

    (Path(sys.argv[1]) / "cardhour.toml").write_text(SETTINGS, encoding="utf-8")
    django.setup()
    from django.conf import settings

    # Ours takes half a second on purpose, for each of a dozen logins.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Its own words go to stdout, where the address is read.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    from django.core.management import call_command
    from django.urls import reverse
    from waitress.server import create_server

    from cardhour_billing.models import Statement
    from cardhour_billing.statements.mail import link_token
    from cardhour_billing.wsgi import application
    from tests.portal import books, facts, letters, usage_books

    call_command("migrate", verbosity=0)
    books.write()
    usage_books.write()
    facts.write(Path(sys.argv[1]))
    letters.write()
    clock = VirtualClock(parse_rfc3339(BEGINS))
    link = reverse("statement-answer", args=(link_token(Statement.objects.get(), clock),))
    (Path(sys.argv[1]) / STATEMENT_LINK).write_text(link, encoding="utf-8")
    ahead_ms, machine_ms = parse_rfc3339(BEGINS) - SystemClock().now_ms(), SystemClock.now_ms
    server = create_server(application, host="127.0.0.1", port=0, threads=4)
    with patch.object(SystemClock, "now_ms", lambda clock: machine_ms(clock) + ahead_ms):
        print(f"{STARTS_WITH}http://127.0.0.1:{server.effective_port}", flush=True)
        server.run()


if __name__ == "__main__":
    main()
