"""The kubelet's list of pods, over TLS with an authority of its own: whom a pod works for."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from cardhour_agent.resolve.answer import Answer, NoAnswer
from cardhour_agent.resolve.kubernetes import FRESH_MS, KubernetesResolver, KubernetesSettings
from cardhour_agent.resolve.place import Pod, User
from cardhour_contract.clock import VirtualClock
from tests.agent.daemons import ID, POD, Daemon, pod, tcp_daemon

PLACE = Pod(uid=POD, container_id=ID)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def kubelet(authority: trustme.CA) -> Iterator[Daemon]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with tcp_daemon(context) as serving:
        yield serving


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def list_pods(kubelet: Daemon, *pods: dict[str, object]) -> None:
    kubelet.say("/pods", {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods or None})


def reason_of(resolver: KubernetesResolver) -> str:
    with pytest.raises(NoAnswer) as raised:
        resolver.find(PLACE)
    return raised.value.reason


def asking(kubelet: Daemon, ca_file: Path, clock: VirtualClock | None = None, **settings: Any) -> KubernetesResolver:
    given = KubernetesSettings(url=kubelet.url, ca_file=ca_file, **settings)
    return KubernetesResolver(given, clock or VirtualClock(0))


def test_a_pod_works_for_its_namespace(kubelet: Daemon, ca_file: Path) -> None:
    list_pods(kubelet, pod("other", "team-b", "11111111-0000-0000-0000-000000000000"), pod("trainer-0"))
    assert asking(kubelet, ca_file).find(PLACE) == Answer(owner="k8s:team-a", workload="trainer-0")


def test_a_label_of_the_pods_own_counts_only_where_settings_name_it(kubelet: Daemon, ca_file: Path) -> None:
    marked = pod("trainer-0", labels={"billing/team": "team-z"}, annotations={"billing/share": "0.1"})
    list_pods(kubelet, marked)
    assert asking(kubelet, ca_file).find(PLACE) == Answer(owner="k8s:team-a", workload="trainer-0")
    named = asking(kubelet, ca_file, owner_label="billing/team", share_label="billing/share")
    assert named.find(PLACE) == Answer(owner="k8s:team-z", workload="trainer-0", share=100)


def test_a_static_pod_is_found_by_the_hash_that_names_its_control_group(kubelet: Daemon, ca_file: Path) -> None:
    static = "4f8e1c2b3a4d5e6f708192a3b4c5d6e7"
    list_pods(kubelet, pod("probe", "kube-system", annotations={"kubernetes.io/config.hash": static}))
    answer = asking(kubelet, ca_file).find(Pod(uid=static, container_id=ID))
    assert answer == Answer(owner="k8s:kube-system", workload="probe")


def test_a_folder_named_like_the_pod_of_somebody_else_proves_nothing(kubelet: Daemon, ca_file: Path) -> None:
    list_pods(kubelet, pod("trainer-0"))
    assert asking(kubelet, ca_file).find(Pod(uid=POD, container_id="ab" * 32)) is None


def test_a_process_of_the_pod_that_is_in_none_of_its_containers_is_the_pods(kubelet: Daemon, ca_file: Path) -> None:
    list_pods(kubelet, pod("trainer-0"))
    assert asking(kubelet, ca_file).find(Pod(uid=POD)) == Answer(owner="k8s:team-a", workload="trainer-0")


def test_a_pod_that_is_not_listed_is_not_found(kubelet: Daemon, ca_file: Path) -> None:
    list_pods(kubelet)
    assert asking(kubelet, ca_file).find(PLACE) is None
    assert asking(kubelet, ca_file).find(User(uid=0)) is None


def test_one_list_answers_for_all_pods_of_a_sample_and_then_a_new_one(kubelet: Daemon, ca_file: Path) -> None:
    list_pods(kubelet, pod("trainer-0"))
    clock = VirtualClock(0)
    resolver = asking(kubelet, ca_file, clock)
    resolver.find(PLACE)
    resolver.find(Pod(uid="0" * 32))
    assert len(kubelet.asked) == 1
    clock.sleep_ms(FRESH_MS)
    resolver.find(PLACE)
    assert len(kubelet.asked) == 2


@pytest.mark.parametrize(
    ("limits", "share"),
    [
        ({"nvidia.com/gpu": "1", "nvidia.com/gpucores": "30", "nvidia.com/gpumem": "3000"}, 300),
        ({"nvidia.com/gpu": "1", "nvidia.com/gpucores": 25}, 250),
        ({"nvidia.com/gpu.shared": "1"}, 250),
        ({"nvidia.com/gpu.shared": "3"}, 750),
        ({"nvidia.com/gpu.shared": "9"}, 1000),
        ({"nvidia.com/gpu": "1"}, 1000),
        ({"nvidia.com/gpucores": "0"}, 1000),
        ({"nvidia.com/gpucores": "130"}, 1000),
        ({"memory": "1Gi", "cpu": "500m"}, 1000),
    ],
)
def test_shares_that_the_cluster_enforces_are_taken_from_limits(
    kubelet: Daemon, ca_file: Path, limits: dict[str, object], share: int
) -> None:
    list_pods(kubelet, pod("trainer-0", limits=limits))
    answer = asking(kubelet, ca_file, replicas={"nvidia.com/gpu.shared": 4}).find(PLACE)
    assert answer == Answer(owner="k8s:team-a", workload="trainer-0", share=share)


def test_the_token_is_read_anew_for_each_question(kubelet: Daemon, ca_file: Path, tmp_path: Path) -> None:
    list_pods(kubelet, pod("trainer-0"))
    token, clock = tmp_path / "token", VirtualClock(0)
    resolver = asking(kubelet, ca_file, clock, token_file=token)
    for text in ("first", "second"):
        token.write_text(f"{text}\n")
        resolver.find(PLACE)
        clock.sleep_ms(FRESH_MS)
    assert kubelet.asked == [("/pods", "Bearer first"), ("/pods", "Bearer second")]


def test_a_token_is_never_sent_in_the_clear(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    with tcp_daemon() as read_only:
        list_pods(read_only, pod("trainer-0"))
        assert asking(read_only, tmp_path, token_file=token).find(PLACE) is not None
    assert read_only.asked == [("/pods", "")]


def test_a_token_that_cannot_be_read_is_said_so(kubelet: Daemon, ca_file: Path, tmp_path: Path) -> None:
    assert reason_of(asking(kubelet, ca_file, token_file=tmp_path / "none")) == "no_token"
    assert kubelet.asked == []


def test_a_server_that_another_authority_signed_gets_no_question(kubelet: Daemon, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    assert reason_of(asking(kubelet, other)) == "unreachable"
    assert kubelet.asked == []
    assert reason_of(asking(kubelet, tmp_path / "none.pem")) == "no_ca"


def test_a_kubelet_that_signs_its_own_is_asked_where_settings_allow_it(kubelet: Daemon, tmp_path: Path) -> None:
    list_pods(kubelet, pod("trainer-0"))
    unchecked = KubernetesSettings(url=kubelet.url, verify=False)
    assert KubernetesResolver(unchecked, VirtualClock(0)).find(PLACE) is not None


@pytest.mark.parametrize(("status", "reason"), [(401, "not_permitted"), (403, "not_permitted"), (503, "bad_answer")])
def test_a_kubelet_that_refuses_gives_no_answer(kubelet: Daemon, ca_file: Path, status: int, reason: str) -> None:
    list_pods(kubelet, pod("trainer-0"))
    kubelet.status = status
    assert reason_of(asking(kubelet, ca_file)) == reason


@pytest.mark.parametrize("body", [b"", b"[]", b'{"items": 7}', b'{"items": [{"metadata": {}}]}'])
def test_what_is_no_list_of_pods_is_no_answer(kubelet: Daemon, ca_file: Path, body: bytes) -> None:
    kubelet.bodies["/pods"] = body
    assert reason_of(asking(kubelet, ca_file)) == "bad_answer"


def test_a_url_that_is_not_the_list_is_no_answer(kubelet: Daemon, ca_file: Path) -> None:
    assert reason_of(asking(kubelet, ca_file)) == "bad_answer"
