"""The compose file, the Dockerfile and the systemd units, as far as they can be checked without a container engine."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from tests.repository.tree import COMMANDS, ROOT, commands, settings

Service = dict[str, Any]

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Service] = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")

each_service = pytest.mark.parametrize(
    ("name", "service"), [pytest.param(*item, id=item[0]) for item in SERVICES.items()]
)


def once(service: Service) -> bool:
    """Runs to its end and is waited for, rather than kept up."""
    return bool(service["restart"] == "no")


def stages() -> dict[str, str]:
    """Each stage of the Dockerfile by name, with its text."""
    parts = re.split(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)[1:]
    return {name: f"FROM {base}\n{text}" for base, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}


def schema_errors(path: Path) -> str:
    """What the compose specification's own schema says of a file; empty where it has nothing to say."""
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    run = subprocess.run(check, check=False, capture_output=True, text=True)
    return run.stdout + run.stderr if run.returncode else ""


def test_the_compose_file_is_one(tmp_path: Path) -> None:
    assert schema_errors(ROOT / "docker-compose.yml") == ""
    broken = tmp_path / "docker-compose.yml"
    broken.write_text("services: { web: { image: web:1.0, depends: [store] } }")
    assert "depends" in schema_errors(broken)


def test_every_part_of_the_pipeline_is_there() -> None:
    wanted = {"kafka", "clickhouse", "postgres", "ingest", "web", "scheduler", "agent"}
    assert wanted <= SERVICES.keys()
    assert SERVICES["agent"]["profiles"] == ["gpu"], "most machines that run the servers have no GPU"


@each_service
def test_a_service_is_built_here_or_pinned(name: str, service: Service) -> None:
    assert re.search(r":\d+\.\d+", service["image"]), "an image without a version changes under us"
    if "build" in service:
        assert service["build"]["target"] in stages()
        assert (ROOT / service["build"]["dockerfile"]).is_file()


@each_service
def test_a_service_says_whether_it_is_well(name: str, service: Service) -> None:
    assert once(service) or service["healthcheck"]["test"]
    assert service["restart"] in ("no", "unless-stopped")


@each_service
def test_no_service_can_be_reached_from_another_machine(name: str, service: Service) -> None:
    assert [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")] == []


@each_service
def test_what_a_service_keeps_is_in_a_declared_volume(name: str, service: Service) -> None:
    kept = [volume.split(":")[0] for volume in service.get("volumes", ())]
    assert set(kept) <= COMPOSE["volumes"].keys()


@each_service
def test_a_service_waits_until_what_it_needs_is_ready(name: str, service: Service) -> None:
    for needed, how in service.get("depends_on", {}).items():
        ended = once(SERVICES[needed])
        assert how["condition"] == ("service_completed_successfully" if ended else "service_healthy")


@each_service
def test_a_password_has_no_default(name: str, service: Service) -> None:
    for variable, value in service.get("environment", {}).items():
        assert not re.search(r"://[^/@]*:[^/@]*@", str(value)), f"{variable} carries a password in a URL"
        if re.search(r"PASSWORD|SECRET|TOKEN", variable):
            assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{variable} must be given, or compose must refuse"


def test_every_variable_that_compose_asks_for_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    example = (ROOT / "deploy" / "compose.env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == asked


@each_service
def test_our_variables_are_settings(name: str, service: Service) -> None:
    known = {each.variable for each in settings()} | {"CARDHOUR_HOME"}
    ours = {variable for variable in service.get("environment", {}) if variable.startswith("CARDHOUR_")}
    assert ours <= known


def entrypoint(target: str) -> str:
    found = re.search(r'^ENTRYPOINT \["(\S+)"\]$', stages()[target], re.MULTILINE)
    assert found
    return found[1]


@each_service
def test_our_services_run_commands_that_exist(name: str, service: Service) -> None:
    if "build" not in service:
        return
    known = dict(commands())
    lines = [[entrypoint(service["build"]["target"]), *service["command"]]]
    if not once(service) and service["healthcheck"]["test"][1] in COMMANDS:
        lines.append(service["healthcheck"]["test"][1:])
    for line in lines:
        command = shlex.join(line[: 1 + sum(not word.startswith("-") for word in line[1:2])])
        assert command in known
        assert not isinstance(known[command], click.Group), f"{command} does nothing by itself"
        options = {option for each in known[command].params for option in each.opts}
        assert {word for word in line if word.startswith("--")} <= options


def test_the_images_start_from_a_pinned_python_and_do_not_run_as_root() -> None:
    bases = {text.split("\n")[0].removeprefix("FROM ") for text in stages().values()} - stages().keys()
    assert [base for base in bases if not re.search(r":\d+\.\d+\.\d+", base)] == []
    for target in ("agent", "ingest", "billing"):
        assert re.search(r"^USER (?!root)\w+$", stages()[target], re.MULTILINE)


def test_the_images_copy_what_is_there_and_the_build_context_has_it() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ") and "--from=" not in line]
    for source in copied:
        assert (ROOT / source).exists()
        assert f"!{source}" in ignored
    stages_copied = {found[1] for found in re.finditer(r"--from=(\S+)", DOCKERFILE)}
    assert stages_copied <= stages().keys()


@pytest.mark.parametrize("unit", sorted(path.name for path in (ROOT / "deploy" / "systemd").glob("*.service")))
def test_a_unit_starts_a_command_that_exists_and_not_as_root(unit: str) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # the documented way to keep names' case
    parser.read(ROOT / "deploy" / "systemd" / unit)
    program, *words = shlex.split(parser["Service"]["ExecStart"])
    assert " ".join([Path(program).name, *words[:1]]) in dict(commands())
    assert parser["Service"]["User"] == "cardhour"
    assert parser["Install"]["WantedBy"] == "multi-user.target"
