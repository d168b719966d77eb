"""What the repository holds, as the other modules here look at it: tracked files, distributions, settings, commands.

Owns finding. Does not own what must hold of what is found.
"""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

ROOT = Path(__file__).parents[2]

DISTRIBUTIONS = {
    "contract": "cardhour_contract",
    "agent": "cardhour_agent",
    "ingest": "cardhour_ingest",
    "billing": "cardhour_billing",
}
"""Folder of each distribution → the one package it installs."""

COMMANDS = ("cardhour", "cardhour-agent", "cardhour-ingest")


class Setting(NamedTuple):
    """One key of ``cardhour.toml``."""

    section: str
    key: str
    default: Any

    @property
    def variable(self) -> str:
        return f"CARDHOUR_{self.section}_{self.key}".upper()


@cache
def tracked() -> tuple[Path, ...]:
    """Every tracked file that is still there."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(path for name in names.split("\0") if name and (path := ROOT / name).is_file())


def texts() -> Iterator[tuple[Path, str]]:
    """Tracked text files, by their path in the repository."""
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            yield path.relative_to(ROOT), content.decode()


def sources() -> Iterator[tuple[Path, str]]:
    """Tracked Python files; Django's generated migrations are nobody's writing."""
    for path, text in texts():
        if path.suffix == ".py" and not ("migrations" in path.parts and path.name[0].isdigit()):
            yield path, text


def modules(folder: str) -> Iterator[tuple[Path, ast.Module]]:
    """Those of a folder, parsed: all together that takes seconds, so nothing that runs on import asks for it."""
    return ((path, ast.parse(text)) for path, text in sources() if path.parts[0] == folder)


def pyproject(folder: str) -> dict[str, Any]:
    """The ``pyproject.toml`` of a distribution, or of the repository (``.``)."""
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def sections() -> dict[str, type[msgspec.Struct]]:
    """Every section of ``cardhour.toml`` that some service reads, found where it is asked for.

    That is a call ``….section("name", Kind)`` in one of the four packages.
    """
    asked = [
        (name, path, kind)
        for path, text in sources()
        if path.parts[0] in DISTRIBUTIONS and ".section(" in text
        for node in ast.walk(ast.parse(text))
        for name, kind in _section_asked_for(node)
    ]
    found = {name: kind for name, path, word in asked if (kind := _named(path, word))}
    unknown = {name for name, _, _ in asked} - found.keys()
    assert not unknown, f"imported inside a function everywhere: {unknown}"
    return found


def _section_asked_for(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Call(func=ast.Attribute(attr="section"), args=[ast.Constant(value=str(name)), ast.Name(id=kind)]):
            yield name, kind


def _named(path: Path, word: str) -> type[msgspec.Struct] | None:
    module = import_module(".".join(path.with_suffix("").parts[1:]))
    return getattr(module, word, None)


def settings() -> list[Setting]:
    """Every setting there is."""
    return [
        Setting(section, field.name, field.default_factory() if callable(field.default_factory) else field.default)
        for section, kind in sections().items()
        for field in msgspec.structs.fields(kind)
    ]


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command a person can type, such as ``cardhour catalog apply``, hidden ones left out."""
    for point in entry_points(group="console_scripts"):
        if point.name in COMMANDS:
            groups = [each for each in vars(import_module(point.module)).values() if isinstance(each, click.Group)]
            yield from _under(point.name, groups[0])


def _under(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            each = command.get_command(context, word)
            if each is not None and not each.hidden:
                yield from _under(f"{name} {word}", each)
