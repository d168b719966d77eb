"""Docker and Podman, over a real Unix socket: whom a container works for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cardhour_agent.resolve import door
from cardhour_agent.resolve.answer import Answer, NoAnswer, share_of
from cardhour_agent.resolve.containers import ContainerResolver
from cardhour_agent.resolve.place import Container, User
from tests.agent.daemons import ID, Daemon, unix_daemon

CONTAINER = Container(runtime="docker", container_id=ID)


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "docker.sock"


@pytest.fixture
def daemon(socket: Path) -> Iterator[Daemon]:
    with unix_daemon(socket) as serving:
        yield serving


def docker(socket: Path, name: str = "docker") -> ContainerResolver:
    return ContainerResolver(name, socket, "cardhour.owner", "cardhour.share")


def test_the_label_names_the_owner_and_the_share(socket: Path, daemon: Daemon) -> None:
    daemon.says_container(ID, "trainer", cardhour_owner="acme", cardhour_share="0.25")
    assert docker(socket).find(CONTAINER) == Answer(owner="docker:acme", workload="trainer", share=250)


def test_without_a_label_the_compose_project_owns(socket: Path, daemon: Daemon) -> None:
    daemon.says_container(ID, "shop-llm-1", com_docker_compose_project="shop")
    assert docker(socket).find(CONTAINER) == Answer(owner="docker:shop", workload="shop-llm-1")


def test_a_container_with_nothing_but_a_name_owns_itself(socket: Path, daemon: Daemon) -> None:
    daemon.says_container(ID, "notebook")
    assert docker(socket, "podman").find(CONTAINER) == Answer(owner="podman:notebook", workload="notebook")


def test_a_label_cannot_claim_to_be_the_system(socket: Path, daemon: Daemon) -> None:
    daemon.says_container(ID, "miner", cardhour_owner="system:xorg")
    answer = docker(socket).find(CONTAINER)
    assert answer is not None
    assert answer.owner == "docker:system:xorg"


@pytest.mark.parametrize("name", ["a" * 300, "two\nlines", "\x00"])
def test_a_label_that_is_no_name_is_nobody(socket: Path, daemon: Daemon, name: str) -> None:
    daemon.says_container(ID, "trainer", cardhour_owner=name)
    answer = docker(socket).find(CONTAINER)
    assert answer is not None
    assert answer.owner == "unknown:docker_bad_name"


def test_a_container_that_the_daemon_does_not_have_is_not_found(socket: Path, daemon: Daemon) -> None:
    assert docker(socket).find(CONTAINER) is None
    assert docker(socket).find(User(uid=0)) is None


def reason_of(resolver: ContainerResolver) -> str:
    with pytest.raises(NoAnswer) as raised:
        resolver.find(CONTAINER)
    return raised.value.reason


def test_a_daemon_that_is_not_there_is_unreachable(socket: Path) -> None:
    assert reason_of(docker(socket)) == "unreachable"


@pytest.mark.parametrize(("status", "reason"), [(403, "not_permitted"), (500, "bad_answer"), (301, "bad_answer")])
def test_a_daemon_that_refuses_gives_no_answer(socket: Path, daemon: Daemon, status: int, reason: str) -> None:
    daemon.says_container(ID, "trainer")
    daemon.status = status
    assert reason_of(docker(socket)) == reason


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"Name": 7}', b'{"Name": "/x"}', b"\xff\xfe"])
def test_an_answer_that_is_not_dockers_is_no_answer(socket: Path, daemon: Daemon, body: bytes) -> None:
    daemon.bodies[f"/containers/{ID}/json"] = body
    assert reason_of(docker(socket)) == "bad_answer"


def test_a_daemon_that_hangs_is_given_up(socket: Path, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "TIMEOUT_S", 0.2)
    daemon.may_answer.clear()
    assert reason_of(docker(socket)) == "timeout"
    daemon.may_answer.set()


def test_a_daemon_that_drips_is_given_up_as_well(socket: Path, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "TIMEOUT_S", 0.3)
    daemon.says_container(ID, "trainer", long="x" * 1000)
    daemon.drips = True
    assert reason_of(docker(socket)) == "timeout"


def test_an_answer_beyond_the_limit_is_not_kept(socket: Path, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "BYTES_MAX", 100)
    daemon.says_container(ID, "trainer", long="x" * 1000)
    assert reason_of(docker(socket)) == "bad_answer"


@pytest.mark.parametrize(
    ("text", "permille"),
    [("1", 1000), ("1.000", 1000), ("0.5", 500), (".25", 250), ("0.001", 1), (" 0.46 ", 460), (None, 1000)]
    + [(bad, 1000) for bad in ("0", "0.000", "1.1", "0.0005", "-0.5", "50%", "half", "", "1e-3", "٠.٥")],
)
def test_a_share_is_a_decimal_and_what_is_none_counts_as_undeclared(text: str | None, permille: int) -> None:
    assert share_of(text, "a test") == permille
