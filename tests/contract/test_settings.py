"""Settings: one file, the environment over it, every problem at once, no secret in sight."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import Struct, field

from cardhour_contract.errors import Refuse
from cardhour_contract.settings import FILE_NAME, Loader, Secret, StreamSettings, home_directory


class Depot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    folder: Path = Path("here")
    bays: int = 4
    heated: bool = False
    key: Secret = field(default_factory=lambda: Secret(""))


def write(home: Path, text: str) -> Path:
    path = home / FILE_NAME
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_hold_where_nothing_is_said(tmp_path: Path) -> None:
    loader = Loader(tmp_path / FILE_NAME, {})
    assert loader.section("stream", StreamSettings).topic == "cardhour.usage.v1"
    loader.finish()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, '[depot]\nbays = 5\nfolder = "~/there"\n')
    environ = {"CARDHOUR_DEPOT_BAYS": "6", "CARDHOUR_DEPOT_HEATED": "true", "CARDHOUR_DEPOT_KEY": "s3cret"}
    depot = Loader(path, environ).section("depot", Depot)
    assert (depot.bays, depot.heated, depot.folder) == (6, True, Path.home() / "there")
    assert depot.key.reveal() == "s3cret"


def test_a_list_in_the_environment_is_separated_by_commas(tmp_path: Path) -> None:
    environ = {"CARDHOUR_STREAM_BOOTSTRAP_SERVERS": "one:9092,two:9092"}
    stream = Loader(tmp_path / FILE_NAME, environ).section("stream", StreamSettings)
    assert stream.bootstrap_servers == ("one:9092", "two:9092")


def test_all_problems_are_reported_together_with_their_sections(tmp_path: Path) -> None:
    path = write(tmp_path, '[depot]\nbays = "many"\n[stream]\ntopik = "x"\n[other]\nanything = 1\n')
    loader = Loader(path, {})
    loader.section("depot", Depot)
    loader.section("stream", StreamSettings)
    with pytest.raises(Refuse) as found:
        loader.finish()
    assert len(found.value.problems) == 2
    assert "[depot]" in found.value.problems[0]
    assert "$.bays" in found.value.problems[0]
    assert "topik" in found.value.problems[1]


def test_a_file_that_is_not_toml_is_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, "[depot\n")
    with pytest.raises(Refuse, match=FILE_NAME):
        Loader(path, {})


def test_a_secret_is_never_printed() -> None:
    depot = Depot(key=Secret("s3cret"))
    assert "s3cret" not in repr(depot)
    assert "s3cret" not in f"{depot.key!s} {depot.key!r}"
    assert bool(depot.key)
    assert not Secret("")


def test_home_is_where_cardhour_home_says(tmp_path: Path) -> None:
    assert home_directory({"CARDHOUR_HOME": str(tmp_path)}) == tmp_path
    assert home_directory({}) == Path.home() / ".local" / "share" / "cardhour"
