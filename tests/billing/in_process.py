"""Commands run in this process, on the test's own store: what a person types, without the second a start takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec import Struct

from cardhour_billing.__main__ import cardhour
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
