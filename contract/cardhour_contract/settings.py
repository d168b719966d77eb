"""Settings: one TOML file and ``CARDHOUR_…`` environment variables, read once, all problems reported together.

Each service declares frozen msgspec Structs, one a section, and asks for the sections it needs; sections of other
services in the same file are left alone. The environment wins over the file: section ``stream``, key ``topic`` is
``CARDHOUR_STREAM_TOPIC``. Owns finding, reading and checking. Does not own what any setting means.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from cardhour_contract.errors import Refuse

T = TypeVar("T", bound=msgspec.Struct)

FILE_NAME = "cardhour.toml"


class Secret:
    """A value that must not be printed. ``reveal()`` where it is used, and nowhere else."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret('…')" if self._value else "Secret('')"


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[stream]``: how reports travel from agents to ingest."""

    kind: str = "spool"
    """``spool`` (one machine: ingest reads the agent's spool) or ``kafka``."""
    bootstrap_servers: tuple[str, ...] = ()
    """Kafka brokers, ``host:port``."""
    topic: str = "cardhour.usage.v1"
    dead_letter_topic: str = "cardhour.usage.dead.v1"
    group: str = "cardhour-ingest"
    """Consumer group of the ingest processes."""
    security_protocol: str = "PLAINTEXT"
    """``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT`` or ``SASL_SSL``."""
    sasl_mechanism: str = ""
    username: str = ""
    password: Secret = msgspec.field(default_factory=lambda: Secret(""))
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""


def home_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """``CARDHOUR_HOME``, or ``~/.local/share/cardhour``."""
    named = environ.get("CARDHOUR_HOME")
    return Path(named).expanduser() if named else Path.home() / ".local" / "share" / "cardhour"


def read_file(path: Path) -> dict[str, Any]:
    """The tables of a settings file; none where there is no file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refuse(f"{path}: {error}") from error


class Loader:
    """Collects the problems of several sections; ``finish`` raises them all at once."""

    def __init__(self, path: Path, environ: Mapping[str, str] = os.environ) -> None:
        self.path = path
        self._environ = environ
        self._tables = read_file(path)
        self._problems: list[str] = []

    def section(self, name: str, kind: type[T]) -> T:
        """Section ``name`` as ``kind``. On a problem, remembers it and returns the defaults."""
        values = dict(self._tables.get(name, {}))
        hints = _hints(kind)
        for field in msgspec.structs.fields(kind):
            text = self._environ.get(f"CARDHOUR_{name}_{field.name}".upper())
            if text is not None:
                values[field.name] = text.split(",") if _is_list(hints[field.name]) else text
        try:
            return msgspec.convert(values, kind, strict=False, dec_hook=_decode)
        except msgspec.ValidationError as error:
            self._problems.append(f"[{name}] in {self.path} or CARDHOUR_{name.upper()}_…: {error}")
            return kind()

    def finish(self) -> None:
        """Raise Refuse with every problem found so far."""
        if self._problems:
            raise Refuse(*self._problems)


@cache
def _hints(kind: type[msgspec.Struct]) -> Mapping[str, Any]:
    """Types by field. A page reads the settings again, and looking them up takes longer than all else of it."""
    return get_type_hints(kind)


def _is_list(hint: Any) -> bool:
    return bool(get_args(hint)) and getattr(hint, "__origin__", None) in (tuple, list)


def _decode(kind: type[Any], value: Any) -> Any:
    if kind is Path:
        return Path(value).expanduser()
    if kind is Secret:
        return Secret(value)
    raise NotImplementedError(kind)
