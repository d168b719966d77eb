"""The documentation agrees with what it documents: links lead somewhere, examples load, nothing is left out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from cardhour_billing.catalog import file as catalog_file
from cardhour_billing.catalog.noun import Noun
from cardhour_billing.catalog.nouns import NOUNS
from cardhour_contract import lengths, signing, wire
from cardhour_contract.settings import Loader, Secret
from tests.repository.tree import ROOT, Setting, commands, sections, settings, texts

DOCS = ROOT / "docs"
PAGES = [path for path, _ in texts() if path.suffix == ".md"]


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    found = re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    local = [link for link in found if not link.startswith(("http://", "https://"))]
    broken = [link for link in local if not _leads_somewhere(page, link)]
    assert not broken


def _leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = ROOT / page.parent / name if name else ROOT / page
    if not target.exists():
        return False
    headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
    return not anchor or anchor in {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_pages_that_the_code_names_are_there() -> None:
    named = {
        (path, found[1])
        for path, content in texts()
        if path.suffix in {".py", ".sql", ".typ", ".toml", ".yml"}
        for found in re.finditer(r"\b([\w/-]+\.md)\b", content)
        if path.parts[:2] != ("tests", "repository")
    }
    missing = [f"{path}: {name}" for path, name in named if not ((ROOT / name).exists() or (DOCS / name).exists())]
    assert not missing


def test_paths_that_the_docs_name_are_there() -> None:
    folders = "agent|billing|contract|deploy|ingest|tests"
    named = {
        (page, found)
        for page in PAGES
        for found in re.findall(rf"`((?:{folders})/[\w/.-]*)`", (ROOT / page).read_text(encoding="utf-8"))
    }
    assert not [f"{page}: {path}" for page, path in named if not (ROOT / path).exists()]


def test_tests_that_the_docs_name_are_there() -> None:
    named = {
        (page, path, test)
        for page in PAGES
        for path, test in re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / page).read_text(encoding="utf-8"))
    }
    assert named
    assert not [each for each in named if f"\ndef {each[2]}(" not in (ROOT / each[1]).read_text(encoding="utf-8")]


def test_every_make_target_that_is_documented_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    documented = {word for page in PAGES for word in _make_words((ROOT / page).read_text(encoding="utf-8"))}
    assert documented <= targets
    assert set(re.findall(r"^#   make (\w+)", makefile, re.MULTILINE)) == targets - {"help", "install"}


def _make_words(content: str) -> list[str]:
    return re.findall(r"^    make (\w+)$", content, re.MULTILINE) + re.findall(r"`make (\w+)`", content)


# configuration


@pytest.mark.parametrize("setting", settings(), ids=lambda each: f"{each.section}.{each.key}")
def test_a_setting_is_documented_with_its_default(setting: Setting) -> None:
    parts = text("configuration.md").split(f"\n## `[{setting.section}]`", maxsplit=1)
    assert len(parts) == 2, f"docs/configuration.md has no section [{setting.section}]"
    row = re.search(rf"^\| `{setting.key}` \| (.*?) \|", parts[1].split("\n## ")[0], re.MULTILINE)
    assert row, f"docs/configuration.md does not have {setting.key} in [{setting.section}]"
    assert row[1] == shown(setting.default)


def shown(default: object) -> str:
    """A default as configuration.md writes it: in TOML, or in words where it is nothing."""
    match default:
        case Secret():
            return "empty"
        case "" | () | None:
            return "empty"
        case bool():
            return f"`{str(default).lower()}`"
        case tuple():
            return "`" + str(list(default)).replace("'", '"') + "`"
        case int():
            return f"`{default}`"
    return f'`"{default}"`'


def test_no_setting_is_documented_that_does_not_exist() -> None:
    known = {(each.section, each.key) for each in settings()}
    documented = {
        (part.split("]`")[0], key)
        for part in text("configuration.md").split("\n## `[")[1:]
        for key in re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)
    }
    assert documented <= known


@pytest.mark.parametrize("section", sections())
def test_the_example_settings_load_and_show_every_default(section: str) -> None:
    example = ROOT / "deploy" / "cardhour.toml"
    kind = sections()[section]
    loader = Loader(example, {})
    loaded = loader.section(section, kind)
    loader.finish()
    for field in msgspec.structs.fields(kind):
        value, default = getattr(loaded, field.name), getattr(kind(), field.name)
        assert value.reveal() == "" if isinstance(value, Secret) else value == default, field.name
    given = tomllib.loads(example.read_text(encoding="utf-8"))[section]
    optional = {each.key for each in settings() if each.section == section and each.default is None}
    assert given.keys() | optional == {field.name for field in msgspec.structs.fields(kind)}


# commands


@pytest.mark.parametrize(("name", "command"), [pytest.param(*each, id=each[0]) for each in commands()])
def test_a_command_is_documented_with_its_options(name: str, command: click.Command) -> None:
    assert command.help, "--help has nothing to say"
    parts = re.split(rf"^##+ `{re.escape(name)}(?: [A-Z[][^`]*)?`$", text("commands.md"), flags=re.MULTILINE)
    assert len(parts) == 2, f"docs/commands.md has no section for {name}"
    section = re.split(r"^##", parts[1], flags=re.MULTILINE)[0]
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{name} {parameter.opts[0]} has no help"
            assert any(f"`{option}" in section for option in parameter.opts), f"{name} {parameter.opts[0]}"


def test_no_command_is_documented_that_does_not_exist() -> None:
    known = {name for name, _ in commands()}
    documented = re.findall(
        r"^##+ `(cardhour[\w-]*(?: [a-z-]+)*)(?: [A-Z[][^`]*)?`$", text("commands.md"), re.MULTILINE
    )
    assert set(documented) <= known
    assert len(documented) == len(set(documented))


# examples


def test_the_catalog_example_is_a_catalog(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", text("catalog.md"), re.DOTALL)
    assert example
    file = tmp_path / "catalog.toml"
    file.write_text(example[1], encoding="utf-8")
    read = catalog_file.read_catalog(file)
    assert read.problems == []
    assert {noun.name: len(read.of(noun.table)) for noun in NOUNS if read.of(noun.table)} == {
        "issuer": 1, "customer": 1, "binding": 1, "price": 1,
    }  # fmt: skip


def test_every_catalog_example_is_a_catalog_beside_the_first(tmp_path: Path) -> None:
    first, *others = re.findall(r"```toml\n(.*?)```", text("catalog.md"), re.DOTALL)
    assert others
    for at, other in enumerate(others):
        file = tmp_path / f"{at}.toml"
        file.write_text(f"{first}\n{other}", encoding="utf-8")
        assert catalog_file.read_catalog(file).problems == []


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.name)
def test_every_key_of_a_catalog_table_is_documented(noun: Noun[Any]) -> None:
    heading = f"`[{noun.name}]`" if noun.alone else f"`[[{noun.name}]]`"
    section = text("catalog.md").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    documented = {
        key for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)
    }
    assert documented == {field.encode_name for field in msgspec.structs.fields(noun.table)}


def test_the_example_report_is_one() -> None:
    example = re.search(r"```json\n(.*?)```", text("wire.md"), re.DOTALL)
    assert example
    report = wire.decode(example[1].encode(), wire.ROWS)
    assert (report.node, report.usage_rows, report.card_rows) == ("n01", 1, 1)


def test_the_wire_page_has_every_column_with_its_width() -> None:
    for kind, columns in (("usage", wire.USAGE_COLUMNS), ("cards", wire.CARD_COLUMNS)):
        table = text("wire.md").split(f"| `{kind}` column | bytes | value |")[1].split("\n\n")[0]
        rows = dict(re.findall(r"^\| `(\w+)` \| (\d) \|", table, re.MULTILINE))
        assert rows == {column: str(lengths.WIDTH[code]) for column, code in columns.items()}


def test_the_wire_page_has_every_header_and_name() -> None:
    page = text("wire.md")
    envelope = wire.Envelope(id="id", source="/nodes/n01", sent_at_ms=0)
    signed = signing.SigningKey(bytes(32)).sign(wire.envelope_headers(envelope), b"")
    for name, _ in signed:
        assert f"| `{name}` |" in page
    for word in (wire.PACKED, wire.ROWS, wire.REPORT_TYPE):
        assert f"`{word}`" in page


def test_the_quickstart_gives_the_figures_that_it_says(tmp_path: Path) -> None:
    page = text("quickstart.md")
    for name, kind in (("usage.csv", "csv"), ("catalog.toml", "toml")):
        block = re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL)
        assert block
        (tmp_path / name).write_text(block[1], encoding="utf-8")
    script = re.search(r"```sh\n(.*?)```", page, re.DOTALL)
    assert script
    bin_folder = Path(sys.executable).parent
    environment = {"PATH": f"{bin_folder}:/usr/bin:/bin", "CARDHOUR_HOME": str(tmp_path / "home"), "LC_ALL": "C.UTF-8"}
    command = ["bash", "-euc", script[1] + "cardhour close 2026-06 --format json"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    invoices = json.loads(run.stdout[run.stdout.index("\n[") :])
    assert {each["customer"]: (each["state"], each["total"]) for each in invoices} == {
        "blue": ("issued", "0.40"),
        "red": ("issued", "0.80"),
    }
    assert "0.40 USD" in page
    assert "0.80 USD" in page
