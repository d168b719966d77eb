"""Who assigns cards on a node: a kubelet over gRPC, HAMi by annotation, and a Slurm prolog with its notes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import msgspec
import pytest

from cardhour_agent.resolve import grpc_door
from cardhour_agent.resolve.answer import NoAnswer
from cardhour_agent.resolve.assigned import HAMI_DEVICES, Assigned, JobAssigner, PodAssigner, SlurmNote
from cardhour_agent.resolve.kubernetes import KubernetesResolver, KubernetesSettings
from cardhour_agent.slurm_notes import forget, note
from cardhour_contract.clock import VirtualClock
from cardhour_contract.errors import Refuse
from tests.agent.daemons import Daemon, tcp_daemon
from tests.agent.daemons import pod as listed_pod
from tests.agent.kubelet import Kubelet, claiming, container, pod, running_kubelet
from tests.services.waiting import PATIENCE_S

GPU, OTHER = "GPU-0fc3eda5-e98b-a25b-5b0d-cf5c855d1448", "MIG-41b3eda5-e98b-a25b-5b0d-cf5c855d1448"
CARDS = frozenset({GPU, OTHER})
NVIDIA = "nvidia.com/gpu"


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[Kubelet]:
    with running_kubelet(tmp_path / "pod-resources" / "kubelet.sock") as running:
        yield running


@pytest.fixture
def pods() -> Iterator[Daemon]:
    with tcp_daemon() as serving:
        yield serving


def asking(kubelet: Kubelet, pods: Daemon | None = None, **settings: object) -> PodAssigner:
    url = pods.url if pods else "http://127.0.0.1:1/pods"
    given = KubernetesSettings(url=url, **settings)  # type: ignore[arg-type]
    return PodAssigner(kubelet.socket, KubernetesResolver(given, VirtualClock(0)), given.replicas)


def shares(found: list[Assigned]) -> list[tuple[str, str, str, int]]:
    return sorted((each.card, each.answer.owner, each.answer.workload, each.answer.share) for each in found)


def test_a_pods_devices_are_cards_of_its_namespace(kubelet: Kubelet) -> None:
    kubelet.answer = pod("team-a", "train-0", container("main", NVIDIA, GPU), container("side", NVIDIA, OTHER)) + pod(
        "team-b", "web", container("nginx", "example.com/nic", "eth7")
    )
    assert shares(asking(kubelet).find(CARDS)) == [
        (GPU, "k8s:team-a", "train-0", 1000),
        (OTHER, "k8s:team-a", "train-0", 1000),
    ]


def test_a_claims_gpus_are_those_of_their_device_files(kubelet: Kubelet, tmp_path: Path) -> None:
    """Dynamic resource allocation: the kubelet tells the driver's names, and not the cards' UUIDs."""
    for bus, minor, card in (("0000:01:00.0", 3, GPU), ("0000:41:00.0", 0, "GPU-of-another-driver")):
        folder = tmp_path / "driver/nvidia/gpus" / bus
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Model: \t A100\nGPU UUID: \t {card}\nDevice Minor: \t {minor}\n")
    kubelet.answer = pod("team-a", "train-0", claiming("main", "gpu.nvidia.com", "gpu-3", "gpu-7")) + pod(
        "team-b",
        "web",
        claiming("main", "nic.example.com", "gpu-3"),
        claiming("side", "gpu.nvidia.com", "gpu-0-mig-9-0-4"),
    )
    pods = KubernetesResolver(KubernetesSettings(url="http://127.0.0.1:1/pods"), VirtualClock(0))
    found = PodAssigner(kubelet.socket, pods, {}, proc=tmp_path).find(CARDS)
    assert shares(found) == [(GPU, "k8s:team-a", "train-0", 1000)]


def test_replicas_of_a_divided_card_are_shares_of_it(kubelet: Kubelet) -> None:
    """As MPS and time-slicing number them."""
    resource = "nvidia.com/gpu.shared"
    kubelet.answer = pod("team-a", "small", container("main", resource, f"{GPU}::0")) + pod(
        "team-b", "large", container("main", resource, f"{GPU}::1", f"{GPU}::3")
    )
    assert shares(asking(kubelet, replicas={resource: 4}).find(CARDS)) == [
        (GPU, "k8s:team-a", "small", 250),
        (GPU, "k8s:team-b", "large", 500),
    ]


def test_hami_says_in_an_annotation_which_cards_they_really_are(kubelet: Kubelet, pods: Daemon) -> None:
    told = f"{OTHER},NVIDIA,3000,30:;{GPU},NVIDIA,5000,0:{OTHER},NVIDIA,1000,20:;"
    described = listed_pod("train-0")
    described["metadata"]["annotations"] = {HAMI_DEVICES: told}
    pods.say("/pods", {"items": [described]})
    kubelet.answer = pod("team-a", "train-0", container("main", NVIDIA, f"{GPU}-3", f"{GPU}-7"))
    assert shares(asking(kubelet, pods).find(CARDS)) == [
        (GPU, "k8s:team-a", "train-0", 1000),
        (OTHER, "k8s:team-a", "train-0", 500),
    ]
    described["metadata"]["annotations"] = {}
    pods.say("/pods", {"items": [described]})
    with pytest.raises(NoAnswer, match="no annotation"):
        asking(kubelet, pods).find(CARDS)


def test_an_owner_may_be_named_by_a_label(kubelet: Kubelet, pods: Daemon) -> None:
    described = listed_pod("train-0")
    described["metadata"]["labels"] = {"billing/customer": "acme"}
    pods.say("/pods", {"items": [described]})
    kubelet.answer = pod("team-a", "train-0", container("main", NVIDIA, GPU))
    assert shares(asking(kubelet, pods, owner_label="billing/customer").find(CARDS)) == [
        (GPU, "k8s:acme", "train-0", 1000)
    ]


def test_a_node_without_a_kubelet_assigns_nothing_and_a_kubelet_that_restarts_says_nothing(kubelet: Kubelet) -> None:
    asker = asking(kubelet)
    assert asker.find(CARDS) == []
    kubelet.socket.unlink()
    with pytest.raises(NoAnswer, match="unreachable"):
        asker.find(CARDS)
    kubelet.socket.parent.rmdir()
    assert asker.find(CARDS) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [(grpc.StatusCode.UNIMPLEMENTED, "bad_answer"), (grpc.StatusCode.PERMISSION_DENIED, "not_permitted")],
)
def test_a_refusal_is_told_with_what_it_says(kubelet: Kubelet, code: grpc.StatusCode, reason: str) -> None:
    kubelet.code = code
    with pytest.raises(NoAnswer, match="as it was told to") as raised:
        asking(kubelet).find(CARDS)
    assert raised.value.reason == reason


@pytest.mark.parametrize("answer", [b"\x0a\xff\xff", b"\x0a\x05ab", b"\x0b", b"\xff" * 11, pod("a", "b") + b"\x0a"])
def test_an_answer_that_is_none_is_no_answer(kubelet: Kubelet, answer: bytes) -> None:
    kubelet.answer = answer
    with pytest.raises(NoAnswer, match="bad_answer"):
        asking(kubelet).find(CARDS)


def test_a_long_answer_comes_whole(kubelet: Kubelet) -> None:
    """Beyond the first window of the protocol: flow control has to go on."""
    kubelet.answer = b"".join(pod("ns", f"p{number}", container("c", NVIDIA, "x" * 500)) for number in range(1_000))
    kubelet.answer += pod("team-a", "train-0", container("main", NVIDIA, GPU))
    assert [each.card for each in asking(kubelet).find(CARDS)] == [GPU]


def test_a_server_that_says_nothing_and_one_that_speaks_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_door, "TIMEOUT_S", 0.2)
    path = tmp_path / "kubelet.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with pytest.raises(NoAnswer, match="timeout"):
            grpc_door.call_unix(path, "/a/b", b"")

        monkeypatch.setattr(grpc_door, "TIMEOUT_S", PATIENCE_S)

        def answer() -> None:
            listening.accept()[0].close()  # the one that had gone
            connected, _address = listening.accept()
            with connected:
                connected.recv(100)
                connected.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NoAnswer, match=r"bad_answer|unreachable"):
            grpc_door.call_unix(path, "/a/b", b"")
        thread.join()


def test_a_prolog_notes_a_jobs_cards_by_their_device_files_and_the_epilog_takes_the_note_away(tmp_path: Path) -> None:
    """The driver's order, and the job's, are not the order of the device files."""
    for place, (minor, uuid) in {"0000:07:00.0": ("3", GPU), "0000:0f:00.0": ("0", "GPU-other")}.items():
        folder = tmp_path / "proc/driver/nvidia/gpus" / place
        folder.mkdir(parents=True)
        (folder / "information").write_text(
            f"Model: \t\t NVIDIA A100-SXM4-80GB\nGPU UUID: \t {uuid}\nDevice Minor: \t {minor}\n"
        )
    notes, job = tmp_path / "slurm", {"SLURM_JOB_ID": "4711", "SLURM_JOB_ACCOUNT": "physics", "SLURM_JOB_USER": "lin"}
    assert note(notes, {**job, "SLURM_JOB_GPUS": "3"}, tmp_path / "proc") is not None
    assert shares(JobAssigner(notes, "account").find(CARDS)) == [(GPU, "slurm:physics", "4711", 1000)]
    assert forget(notes, job)
    assert not forget(notes, job)
    assert JobAssigner(notes, "account").find(CARDS) == []
    assert note(notes, job, tmp_path / "proc") is None, "a job without a GPU"
    with pytest.raises(Refuse, match="names 7, and the driver's list has 3, 0"):
        note(notes, {**job, "SLURM_JOB_GPUS": "0,7"}, tmp_path / "proc")
    with pytest.raises(Refuse, match="Prolog="):
        note(notes, {}, tmp_path / "proc")


def test_a_slurm_job_has_its_cards_from_prolog_to_epilog(tmp_path: Path) -> None:
    jobs = JobAssigner(tmp_path / "slurm", "account")
    assert jobs.find(CARDS) == []
    (tmp_path / "slurm").mkdir()
    written = tmp_path / "slurm" / "4711.json"
    written.write_bytes(msgspec.json.encode(SlurmNote(job="4711", account="physics", user="lin", cards=(GPU, "GPU-x"))))
    assert shares(jobs.find(CARDS)) == [(GPU, "slurm:physics", "4711", 1000)]
    assert shares(JobAssigner(tmp_path / "slurm", "user").find(CARDS)) == [(GPU, "slurm:lin", "4711", 1000)]
    written.write_text("half a no")
    with pytest.raises(NoAnswer, match="bad_answer"):
        jobs.find(CARDS)
