"""The node's signing key: made here, readable by nobody else, and switched while the agent runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cardhour_agent.__main__ import cli
from cardhour_agent.key_file import KeyFile, create, next_of, read, use_next
from cardhour_contract.errors import Refuse
from cardhour_contract.signing import PublicKey


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.key"


def test_a_key_is_its_owners_alone_and_no_two_are_alike(path: Path) -> None:
    made = create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read(path).public.key_id == made.public.key_id != create(next_of(path)).public.key_id


def test_a_key_is_never_overwritten(path: Path) -> None:
    made = create(path)
    with pytest.raises(Refuse, match=r"there is a key at .+ already"):
        create(path)
    assert read(path).public.key_id == made.public.key_id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_may_use_is_refused(path: Path, mode: int) -> None:
    create(path)
    path.chmod(mode)
    with pytest.raises(Refuse, match=f"mode 0{mode:o}.*chmod 600"):
        read(path)


@pytest.mark.parametrize("text", ["", "ed25519-secret:QUJD\n", "ed25519-secret:!\n", "-----BEGIN PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused_without_showing_it(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(Refuse) as caught:
        read(path)
    assert "is not a key" in str(caught.value)
    assert "QUJD" not in str(caught.value)


def test_a_running_agent_signs_with_the_key_that_took_the_place_of_the_old_one(path: Path) -> None:
    old = create(path)
    current = KeyFile(path)
    waiting = create(next_of(path))
    assert _id(current) == old.public.key_id
    use_next(path)
    assert _id(current) == waiting.public.key_id
    assert not next_of(path).exists()


def test_a_slip_while_switching_leaves_the_old_key_in_use(path: Path) -> None:
    old = create(path)
    current = KeyFile(path)
    path.write_text("nothing of use")
    assert _id(current) == old.public.key_id
    path.unlink()
    assert _id(current) == old.public.key_id
    new = create(path)
    assert _id(current) == new.public.key_id


def test_a_node_without_a_key_does_not_sign_until_it_has_one(path: Path) -> None:
    current = KeyFile(path)
    assert current() is None
    assert _id_after_creating(current, path) == read(path).public.key_id


def test_an_agent_does_not_start_with_a_key_that_others_can_read(path: Path) -> None:
    create(path)
    path.chmod(0o644)
    with pytest.raises(Refuse, match="chmod 600"):
        KeyFile(path)


def test_the_commands_print_what_staff_type(tmp_path: Path) -> None:
    def key(*arguments: str) -> str:
        environment = {"CARDHOUR_HOME": str(tmp_path), "CARDHOUR_AGENT_NODE": "rack 1/n01"}
        done = CliRunner().invoke(cli, ["key", *arguments], env=environment, catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    made = key("create")
    assert key("show") == made
    found = re.fullmatch(r"cardhour node enrol 'rack 1/n01' (\S+)\n", made)
    assert found
    assert PublicKey.parse(found[1]).key_id == read(tmp_path / "node.key").public.key_id
    waiting = key("create", "--next")
    assert waiting.startswith("cardhour node rotate 'rack 1/n01' ed25519:")
    assert key("use-next") == ""
    assert key("show").split()[-1] == waiting.split()[-1]


def _id(current: KeyFile) -> str:
    key = current()
    assert key is not None
    return key.public.key_id


def _id_after_creating(current: KeyFile, path: Path) -> str:
    create(path)
    return _id(current)
