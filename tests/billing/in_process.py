"""Commands run in this process: what a person types, without the second that a start takes.

A ``Desk`` types on a test's own store. An ``Installation`` has a home, a store and usage of its own, and its commands
end as the program does, with an exit code and sentences.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import structlog
from click.testing import CliRunner
from msgspec import Struct

from cardhour_billing.__main__ import cardhour, main
from cardhour_contract.errors import CardHourError


class Store(Struct, frozen=True, kw_only=True):
    """A money store: ``url`` as ``[store] url`` takes it, ``home`` for what lies beside it."""

    vendor: str
    url: str
    home: Path


class Desk:
    """Types commands on a store."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CARDHOUR_HOME", str(store.home))
        monkeypatch.setenv("CARDHOUR_STORE_URL", store.url)

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """What a command prints as JSON; its exit code must be 0."""
        rows: list[dict[str, Any]] = json.loads(self._run(*arguments, "--format", "json")[0])
        return rows

    def text(self, *arguments: str, answer: str = "") -> str:
        """All that a command prints."""
        return "".join(self._run(*arguments, answer=answer))

    def refusal(self, *arguments: str, answer: str = "") -> str:
        """Why a command fails."""
        result = CliRunner().invoke(cardhour, arguments, input=answer)
        assert result.exit_code, result.output
        if isinstance(result.exception, CardHourError):
            return str(result.exception)
        assert isinstance(result.exception, SystemExit), result.exception
        return result.output

    def _run(self, *arguments: str, answer: str = "") -> tuple[str, str]:
        result = CliRunner().invoke(cardhour, arguments, input=answer, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout, result.stderr


class Done(Struct, frozen=True, kw_only=True):
    """What a command left: its exit code and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


class Installation:
    """``folder``, where commands are typed, ``home`` in it, their CARDHOUR_HOME, and the database of its usage."""

    def __init__(self, folder: Path, database: str, connected: Callable[[str], AbstractContextManager[None]]) -> None:
        self.folder, self.home, self.database = folder, folder / "home", database
        self._connected = connected

    def run(self, *arguments: str, answer: str = "") -> Done:
        """A command from its start to its end."""
        code, configured, elsewhere = 0, structlog.get_config(), Path.cwd()
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CARDHOUR_")}
        with (
            patch.dict(os.environ, {**environ, "CARDHOUR_HOME": str(self.home)}, clear=True),
            patch.object(sys, "argv", ["cardhour", *arguments]),
            self._connected(str(self.home / "billing.db")),
            CliRunner().isolation(input=answer) as (out, errors, _),
        ):
            os.chdir(self.folder)
            try:
                main()
            except SystemExit as left:
                code = int(left.code or 0)
            finally:
                sys.stdout.flush()  # as a program does at its end
                os.chdir(elsewhere)
                structlog.configure(**configured)
        return Done(returncode=code, stdout=out.getvalue().decode(), stderr=errors.getvalue().decode())

    def rows(self, *arguments: str) -> Any:
        """What a command that succeeds prints as JSON."""
        done = self.run(*arguments, "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
