"""The four distributions: installable side by side, honest about what they import, pinned as a whole."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.repository.tree import DISTRIBUTIONS, ROOT, modules, pyproject

DEV: list[str] = pyproject(".")["dependency-groups"]["dev"]


def declared(folder: str, *, extras: bool = True) -> list[Requirement]:
    """What a distribution says it needs."""
    project = pyproject(folder)["project"]
    optional = project.get("optional-dependencies", {}).values() if extras else ()
    return [Requirement(each) for each in [*project["dependencies"], *(each for group in optional for each in group)]]


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(each.name) for each in requirements}


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(name): Version(version) for name, version in (line.split("==") for line in lines)}


def test_each_distribution_installs_one_package_under_a_name_of_its_own() -> None:
    packages = [pyproject(folder)["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] for folder in DISTRIBUTIONS]
    assert packages == [[package] for package in DISTRIBUTIONS.values()]
    for folder, package in DISTRIBUTIONS.items():
        assert (ROOT / folder / package / "__init__.py").is_file()
        assert (ROOT / folder / package / "py.typed").is_file(), "its types are checked by whoever imports it"


def test_the_four_are_released_together() -> None:
    projects = [pyproject(folder)["project"] for folder in DISTRIBUTIONS]
    assert [each["name"] for each in projects] == [name.replace("_", "-") for name in DISTRIBUTIONS.values()]
    assert len({(each["version"], each["requires-python"]) for each in projects}) == 1
    commands = [command for each in projects for command in each.get("scripts", {})]
    assert sorted(commands) == ["cardhour", "cardhour-agent", "cardhour-ingest"]


def test_constraints_are_exact_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.+]*", line)] == []
    assert len(pins()) == len(lines)


def test_constraints_pin_every_dependency_down_to_the_last() -> None:
    pinned, ours = pins(), {canonicalize_name(package) for package in DISTRIBUTIONS.values()}
    wanted = [Requirement(each) for each in DEV]
    for folder in DISTRIBUTIONS:
        wanted += declared(folder)
        wanted += [Requirement(each) for each in pyproject(folder)["build-system"]["requires"]]
    missing, seen = set(), set()
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        if (name, *requirement.extras) in seen or name in ours:
            continue
        seen.add((name, *requirement.extras))
        if name not in pinned:
            missing.add(name)
        else:
            assert requirement.specifier.contains(pinned[name], prereleases=True), (
                f"{requirement} against {pinned[name]}"
            )
        wanted += needs(requirement)
    assert not missing, "run `make upgrade`"


def needs(requirement: Requirement) -> list[Requirement]:
    """What an installed distribution needs in turn on this machine, with the extras that were asked for."""
    try:
        found = [Requirement(each) for each in requires(requirement.name) or ()]
    except PackageNotFoundError:  # needed to build only
        return []
    asked = ["", *requirement.extras]
    return [
        each for each in found if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in asked)
    ]


def imported(tree: ast.Module) -> set[str]:
    """Top-level names of the foreign packages that a module imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"tests", "bench"}


@pytest.mark.parametrize("folder", [*DISTRIBUTIONS, "tests"])
def test_what_a_distribution_imports_it_declares(folder: str) -> None:
    """A GPU node installs the agent alone: what only another distribution brings is not there."""
    if folder == "tests":
        known = names([Requirement(each) for each in DEV]).union(*(names(declared(each)) for each in DISTRIBUTIONS))
        known |= {canonicalize_name(package) for package in DISTRIBUTIONS.values()}
        own = set[str]()
    else:
        known, own = names(declared(folder)), {DISTRIBUTIONS[folder]}
    providers = {**packages_distributions(), **{package: [package] for package in DISTRIBUTIONS.values()}}
    undeclared = {
        f"{path}: {package}"
        for path, tree in modules(folder)
        for package in imported(tree) - own
        if known.isdisjoint(canonicalize_name(each) for each in providers.get(package, ()))
    }
    assert not undeclared


def test_every_door_named_by_the_import_rules_exists() -> None:
    """A renamed module would leave its rule behind, allowing what nobody meant."""
    rules = pyproject(".")["tool"]["importlinter"]["contracts"]
    doors = {line.split(" -> ")[0] for rule in rules for line in rule.get("ignore_imports", ())}
    folders = {package: folder for folder, package in DISTRIBUTIONS.items()}
    for door in sorted(door for door in doors if "*" not in door):
        module = Path(folders[door.split(".")[0]], *door.split("."))
        assert (ROOT / module.with_suffix(".py")).is_file() or (ROOT / module / "__init__.py").is_file(), door
