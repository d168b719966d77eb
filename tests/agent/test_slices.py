"""Claims of GPUs and MIG instances (dynamic resource allocation): a kubelet's names, and the API server's slices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cardhour_agent.config import AgentSettings, load
from cardhour_agent.resolve.answer import NoAnswer
from cardhour_agent.resolve.assigned import PodAssigner
from cardhour_agent.resolve.enabled import enabled_allocations
from cardhour_agent.resolve.kubernetes import KubernetesResolver, KubernetesSettings
from cardhour_agent.resolve.slices import AGAIN_MS, Slices
from cardhour_contract.clock import VirtualClock
from cardhour_contract.errors import Refuse
from tests.agent.daemons import Daemon, tcp_daemon
from tests.agent.kubelet import Kubelet, claiming, pod, running_kubelet

GPU, INSTANCE, REMADE = "GPU-0fc3eda5", "MIG-41b3eda5", "MIG-77b3eda5"
DRIVER = "gpu.nvidia.com"
IN_PLACE = "gpu-0-mig-9-4-4"
"""As the driver calls an instance: by its GPU, its profile and its place there."""


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[Kubelet]:
    with running_kubelet(tmp_path / "pod-resources" / "kubelet.sock") as running:
        yield running


@pytest.fixture
def api() -> Iterator[Daemon]:
    with tcp_daemon() as serving:
        yield serving


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(0)


@pytest.fixture
def assigner(kubelet: Kubelet, api: Daemon, clock: VirtualClock) -> PodAssigner:
    nobody = KubernetesResolver(KubernetesSettings(url="http://127.0.0.1:1/pods"), clock)
    return PodAssigner(kubelet.socket, nobody, {}, Slices(KubernetesSettings(url=api.url), clock))


def device(name: str, uuid: str | None, version: str = "v1") -> dict[str, Any]:
    """As a driver publishes it; in v1beta1 what is told of it is one level deeper."""
    told: dict[str, Any] = {"attributes": {"type": {"string": "gpu"}, "minor": {"int": 0}}, "capacity": {}}
    if uuid is not None:
        told["attributes"]["uuid"] = {"string": uuid}
    return {"name": name, **told} if version == "v1" else {"name": name, "basic": told}


def publish(api: Daemon, *devices: dict[str, Any], generation: int = 1, also: tuple[dict[str, Any], ...] = ()) -> None:
    """One slice of the node's pool, and others."""
    pool = {"name": "node-1", "generation": generation, "resourceSliceCount": 1}
    own = {"spec": {"driver": DRIVER, "nodeName": "node-1", "pool": pool, "devices": list(devices)}}
    api.say("/pods", {"kind": "ResourceSliceList", "items": [own, *also]})


def held(assigner: PodAssigner, *cards: str) -> list[tuple[str, str]]:
    return sorted((each.card, each.answer.workload) for each in assigner.find(frozenset(cards)))


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_claimed_instance_is_the_card_that_its_slice_tells(
    kubelet: Kubelet, api: Daemon, assigner: PodAssigner, version: str
) -> None:
    publish(api, device("gpu-0", GPU, version), device(IN_PLACE, INSTANCE, version))
    kubelet.answer = pod("team-a", "train-0", claiming("main", DRIVER, IN_PLACE)) + pod(
        "team-b", "web", claiming("main", "nic.example.com", IN_PLACE)
    )
    assert held(assigner, GPU, INSTANCE) == [(INSTANCE, "train-0")]


def test_a_claimed_gpu_is_what_the_slice_tells_and_not_what_its_number_seems_to_say(
    kubelet: Kubelet, api: Daemon, assigner: PodAssigner
) -> None:
    """Earlier versions of the driver number GPUs by index, later ones by device file."""
    publish(api, device("gpu-0", "GPU-1"), device("gpu-1", "GPU-0"))
    kubelet.answer = pod("team-a", "train-0", claiming("main", DRIVER, "gpu-0"))
    assert held(assigner, "GPU-0", "GPU-1") == [("GPU-1", "train-0")]


def test_an_instance_that_is_made_again_in_its_place_is_another_card(
    kubelet: Kubelet, api: Daemon, assigner: PodAssigner
) -> None:
    publish(api, device(IN_PLACE, INSTANCE))
    kubelet.answer = pod("team-a", "train-0", claiming("main", DRIVER, IN_PLACE))
    assert held(assigner, INSTANCE) == [(INSTANCE, "train-0")]
    publish(api, device(IN_PLACE, REMADE), generation=2)
    assert held(assigner, REMADE) == [(REMADE, "train-0")]


def test_a_slice_of_an_older_generation_is_not_believed(kubelet: Kubelet, api: Daemon, assigner: PodAssigner) -> None:
    """A driver replaces its slices one after the other."""
    pool = {"name": "node-1", "generation": 1, "resourceSliceCount": 1}
    old = {"spec": {"driver": DRIVER, "pool": pool, "devices": [device(IN_PLACE, INSTANCE)]}}
    publish(api, device(IN_PLACE, REMADE), generation=2, also=(old,))
    kubelet.answer = pod("team-a", "train-0", claiming("main", DRIVER, IN_PLACE))
    assert held(assigner, INSTANCE, REMADE) == [(REMADE, "train-0")]


def test_the_api_server_is_asked_only_about_what_is_new(
    kubelet: Kubelet, api: Daemon, assigner: PodAssigner, clock: VirtualClock
) -> None:
    publish(api, device("gpu-0", GPU), device("gpu-0-mig-1g10gb-19-0", None))
    kubelet.answer = pod("team-a", "train-0", claiming("main", DRIVER, "gpu-0"))
    for _ in range(3):
        assert held(assigner, GPU) == [(GPU, "train-0")]
        clock.sleep_ms(AGAIN_MS)
    assert len(api.asked) == 1
    # A device that no slice gives a UUID: asked about at once, and then now and then.
    kubelet.answer += pod("team-b", "train-1", claiming("main", DRIVER, "gpu-0-mig-1g10gb-19-0"))
    for _ in range(3):
        assert held(assigner, GPU) == [(GPU, "train-0")]
    assert len(api.asked) == 2
    clock.sleep_ms(AGAIN_MS)
    assert held(assigner, GPU) == [(GPU, "train-0")]
    assert len(api.asked) == 3


def test_an_api_server_that_does_not_answer_ends_nothing_and_costs_the_known_nothing(
    kubelet: Kubelet, api: Daemon, assigner: PodAssigner, clock: VirtualClock
) -> None:
    publish(api, device("gpu-0", GPU))
    kubelet.answer = pod("team-a", "train-0", claiming("main", DRIVER, "gpu-0", "gpu-9"))
    assert held(assigner, GPU) == [(GPU, "train-0")]
    api.status = 503
    clock.sleep_ms(AGAIN_MS)
    assert held(assigner, GPU) == [(GPU, "train-0")]
    kubelet.answer += pod("team-b", "train-1", claiming("main", DRIVER, IN_PLACE))
    with pytest.raises(NoAnswer, match="503"):
        held(assigner, GPU)
    api.status = None
    publish(api, device("gpu-0", GPU), device(IN_PLACE, INSTANCE))
    assert held(assigner, GPU, INSTANCE) == [(GPU, "train-0"), (INSTANCE, "train-1")]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"items": [{"spec": {}}]}'])
def test_what_is_no_list_of_slices_is_no_answer(
    kubelet: Kubelet, api: Daemon, assigner: PodAssigner, body: bytes
) -> None:
    api.bodies["/pods"] = body
    kubelet.answer = pod("team-a", "train-0", claiming("main", DRIVER, "gpu-0"))
    with pytest.raises(NoAnswer, match="bad_answer"):
        held(assigner, GPU)


def test_the_server_is_asked_where_settings_name_it(kubelet: Kubelet, api: Daemon, tmp_path: Path) -> None:
    publish(api, device(IN_PLACE, INSTANCE))
    kubelet.answer = pod("team-a", "train-0", claiming("main", DRIVER, IN_PLACE))
    settings = AgentSettings(
        node="n",
        basis="allocation",
        resolvers=("kubernetes",),
        pod_resources_socket=kubelet.socket,
        kubernetes_slices_url=api.url,
    )
    asked = enabled_allocations(settings, tmp_path, "boot", VirtualClock(0))
    assert asked is not None
    try:
        # A sample waits for a second only; on a busy machine the answer is there at a later one.
        while not (found := asked.read(frozenset({INSTANCE}))).complete:
            pass
    finally:
        asked.close()
    assert [each.identity.workload for each in found.held[INSTANCE]] == ["train-0"]
    environ = {"CARDHOUR_HOME": str(tmp_path), "CARDHOUR_AGENT_NODE": "n"}
    with pytest.raises(Refuse, match="resourceslices"):
        load({**environ, "CARDHOUR_AGENT_KUBERNETES_SLICES_URL": "kubernetes.default.svc"})
