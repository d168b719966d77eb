"""Owners in records: processes in /proc, a daemon on a socket, and what the node's reports say in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from cardhour_agent.config import AgentSettings, load
from cardhour_agent.device import CardReading, NodeReading, ProcessReading
from cardhour_agent.exits import Exits
from cardhour_agent.observer import NodeName, Observer
from cardhour_agent.proc_identities import ProcIdentities
from cardhour_agent.resolve import owners
from cardhour_agent.resolve.asker import UNUSED_MAX_MS
from cardhour_agent.resolve.enabled import enabled_owners
from cardhour_agent.resolve.owners import SAMPLE_WAIT_MS
from cardhour_agent.sampler import Policy, Sampler
from cardhour_agent.timeline import Timeline
from cardhour_contract.clock import VirtualClock
from cardhour_contract.errors import Refuse
from cardhour_contract.record import Attribution, Report, ScannedCard, UsageRecord
from tests.agent.daemons import ID, Daemon, unix_daemon
from tests.agent.test_procfs import write_process
from tests.agent.test_resolve_owners import wait_for_answers
from tests.agent.watch import CARD, T0

PID = 4_999_999


class NoExits(Exits):
    """Nothing to watch: the kernel knows no process of a /proc that is written by hand."""

    def watch(self, wanted: Mapping[int, int]) -> None:
        pass


class Node:
    """A node with one card; tests say which pids hold it, time passes ten seconds a sample."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.clock = folder / "proc", VirtualClock(T0)
        self.pids: tuple[int, ...] = ()
        self.exits = NoExits(self.clock)
        self.owners = enabled_owners(AgentSettings(docker_socket=folder / "docker.sock"), self.clock)
        identities = ProcIdentities("node-1", "boot", self.clock, self.exits, self.owners, (), self.proc)
        name = NodeName(node="node-1", cluster="lab", boot_id="boot")
        self.observer = Observer(name, self, identities, Sampler(Policy()), Timeline(self.clock))
        self.reports: list[Report] = []

    def read(self) -> NodeReading:
        processes = tuple(ProcessReading(pid=each, memory_bytes=1, sm=0) for each in self.pids)
        return NodeReading(
            cards=(ScannedCard(card=CARD, model="A100"),), readings=(CardReading(card=CARD, processes=processes),)
        )

    def close(self) -> None:
        self.owners.close()
        self.exits.close()

    def sample(self, count: int = 1) -> None:
        for _ in range(count):
            self.reports += self.observer.observe()
            self.clock.sleep_ms(10_000)

    def sample_until(self, owner: str) -> None:
        """Sample until a process of this owner is on the card; the daemon answers on a thread of its own, and time
        does not pass meanwhile."""
        while owner not in {each.owner for each in self.attributions} and owner not in self.held:
            self.sample()
            for each in self.owners._askers.values():
                wait_for_answers(each)

    @property
    def held(self) -> dict[str, int]:
        """Seconds held so far, by owner."""
        seconds: dict[str, int] = {}
        for each in self.usage:
            seconds[each.owner] = seconds.get(each.owner, 0) + (each.ended_at_ms - each.started_at_ms) // 1000
        return seconds

    @property
    def usage(self) -> list[UsageRecord]:
        return [each for report in self.reports for each in report.usage]

    @property
    def attributions(self) -> list[Attribution]:
        return [each for report in self.reports for each in report.attributions]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample waits as it does on a node, for tests in which the daemon does not answer."""
    monkeypatch.setattr(owners, "SAMPLE_WAIT_MS", SAMPLE_WAIT_MS)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.close()


@pytest.fixture
def docker(tmp_path: Path, node: Node) -> Iterator[Daemon]:
    with unix_daemon(tmp_path / "docker.sock") as serving:
        yield serving
        serving.may_answer.set()
        node.owners.close()


def test_a_container_is_its_owners_from_its_first_sample_with_its_declared_share(node: Node, docker: Daemon) -> None:
    docker.says_container(ID, "trainer", cardhour_owner="acme", cardhour_share="0.46")
    write_process(node.proc, PID, cgroup=f"/docker/{ID}")
    node.pids = (PID,)
    node.sample(7)
    assert node.attributions == []
    record = node.usage[-1]
    assert (record.owner, record.workload, record.share) == ("docker:acme", "trainer", 460)


@pytest.mark.usefixtures("impatient")
def test_a_daemon_that_is_slow_delays_no_sample_and_is_believed_later(node: Node, docker: Daemon) -> None:
    docker.says_container(ID, "trainer", cardhour_owner="acme")
    docker.may_answer.clear()
    write_process(node.proc, PID, cgroup=f"/docker/{ID}")
    node.pids = (PID,)
    node.sample(7)
    assert node.held == {"unknown:pending": 60}
    docker.may_answer.set()
    node.sample_until("docker:acme")
    assert [(each.owner, each.workload) for each in node.attributions] == [("docker:acme", "trainer")]
    assert node.attributions[0].process == node.usage[0].process


@pytest.mark.usefixtures("impatient")
def test_a_process_that_is_gone_before_the_answer_came_is_attributed_all_the_same(node: Node, docker: Daemon) -> None:
    docker.says_container(ID, "trainer", cardhour_owner="acme")
    docker.may_answer.clear()
    write_process(node.proc, PID, cgroup=f"/docker/{ID}")
    node.pids = (PID,)
    node.sample(2)
    node.pids = ()
    node.sample(5)
    assert node.held == {"unknown:pending": 10}
    docker.may_answer.set()
    node.sample_until("docker:acme")
    assert [each.process for each in node.attributions] == [node.usage[0].process]
    assert node.held == {"unknown:pending": 10}


def test_a_second_process_of_a_known_container_needs_no_daemon(node: Node, docker: Daemon) -> None:
    docker.says_container(ID, "trainer", cardhour_owner="acme")
    write_process(node.proc, PID, cgroup=f"/docker/{ID}")
    node.pids = (PID,)
    node.sample_until("docker:acme")
    docker.may_answer.clear()  # from here on, what is known is all there is
    write_process(node.proc, PID - 1, cgroup=f"/docker/{ID}")
    before = len(node.usage)
    node.pids = (PID - 1,)
    node.sample(8)
    second = {each.owner for each in node.usage[before:] if each.process != node.usage[0].process}
    assert second == {"docker:acme"}


def test_an_edited_label_starts_a_new_record_at_that_time(node: Node, docker: Daemon) -> None:
    docker.says_container(ID, "trainer", cardhour_owner="acme")
    write_process(node.proc, PID, cgroup=f"/docker/{ID}")
    node.pids = (PID,)
    node.sample_until("docker:acme")
    docker.says_container(ID, "trainer", cardhour_owner="globex", cardhour_share="0.5")
    node.sample_until("docker:globex")
    records = node.usage
    first = next(each for each in records if each.owner == "docker:globex")
    assert first.share == 500
    assert [each.owner for each in records if each.ended_at_ms == first.started_at_ms] == ["docker:acme"]
    assert all(a.ended_at_ms == b.started_at_ms for a, b in pairwise(records))
    assert "docker:globex" not in {each.owner for each in node.attributions}


def test_a_daemon_that_goes_away_takes_no_owner_with_it(node: Node, docker: Daemon) -> None:
    docker.says_container(ID, "trainer", cardhour_owner="acme")
    write_process(node.proc, PID, cgroup=f"/docker/{ID}")
    node.pids = (PID,)
    node.sample_until("docker:acme")
    docker.status = 500
    node.reports.clear()
    node.sample(30)
    assert set(node.held) == {"docker:acme"}


def test_a_machine_that_slept_keeps_the_owners_of_its_processes(node: Node, docker: Daemon) -> None:
    docker.says_container(ID, "trainer", cardhour_owner="acme")
    write_process(node.proc, PID, cgroup=f"/docker/{ID}")
    node.pids = (PID,)
    node.sample_until("docker:acme")
    node.sample(7)
    docker.status = 500
    node.clock.sleep_ms(UNUSED_MAX_MS + 1)
    node.reports.clear()
    node.sample(8)
    assert set(node.held) == {"docker:acme"}


def test_a_process_that_moves_into_a_container_is_the_containers_from_then_on(node: Node, docker: Daemon) -> None:
    docker.says_container(ID, "trainer", cardhour_owner="acme")
    write_process(node.proc, PID)
    node.pids = (PID,)
    node.sample_until("user:4000000")
    write_process(node.proc, PID, cgroup=f"/docker/{ID}")
    node.sample_until("docker:acme")
    assert {"user:4000000", "docker:acme"} <= node.held.keys() | {each.owner for each in node.attributions}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"RESOLVERS": "user,nomad"}, "nomad"),
        ({"RESOLVE_EVERY_S": "1"}, "resolve_every_s"),
        ({"KUBERNETES_URL": "unix:///run/kubelet.sock"}, "kubernetes_url"),
        ({"KUBERNETES_REPLICAS": "nvidia.com/gpu.shared"}, "kubernetes_replicas"),
        ({"KUBERNETES_REPLICAS": "nvidia.com/gpu.shared=0"}, "kubernetes_replicas"),
        ({"SLURM_OWNER": "qos"}, "slurm_owner"),
    ],
)
def test_settings_that_ask_nobody_are_refused(tmp_path: Path, settings: dict[str, str], problem: str) -> None:
    given = {f"CARDHOUR_AGENT_{key}": value for key, value in settings.items()}
    with pytest.raises(Refuse, match=problem):
        load({"CARDHOUR_HOME": str(tmp_path), "CARDHOUR_AGENT_NODE": "node-1", **given})


def test_resolvers_and_replicas_are_given_as_lists(tmp_path: Path) -> None:
    given = {"CARDHOUR_AGENT_RESOLVERS": "user,slurm", "CARDHOUR_AGENT_KUBERNETES_REPLICAS": "nvidia.com/gpu.shared=4"}
    agent = load({"CARDHOUR_HOME": str(tmp_path), "CARDHOUR_AGENT_NODE": "node-1", **given}).agent
    assert agent.resolvers == ("user", "slurm")
    assert agent.replicas == {"nvidia.com/gpu.shared": 4}
