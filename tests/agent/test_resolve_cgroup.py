"""What a control group says: paths as the kernels of real nodes write them, and paths that somebody made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardhour_agent.resolve.cgroup import places_of
from cardhour_agent.resolve.place import Container, Job, Machine, Place, Pod, User

UID = "0f5e8d3c-4a1b-4c2d-9e8f-1a2b3c4d5e6f"
SLICE_UID = UID.replace("-", "_")
POD = UID.replace("-", "")
STATIC = "4f8e1c2b3a4d5e6f708192a3b4c5d6e7"
ID, OUTER = "3f" * 32, "00" * 32

PATHS: dict[str, tuple[str, tuple[Place, ...]]] = {
    "kubernetes, systemd driver, guaranteed": (
        f"/kubepods.slice/kubepods-pod{SLICE_UID}.slice/cri-containerd-{ID}.scope",
        (Pod(uid=POD, container_id=ID),),
    ),
    "kubernetes, systemd driver, burstable": (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{SLICE_UID}.slice/cri-containerd-{ID}.scope",
        (Pod(uid=POD, container_id=ID),),
    ),
    "kubernetes, systemd driver, best effort, CRI-O with its inner folder": (
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{SLICE_UID}.slice/crio-{ID}.scope/container",
        (Pod(uid=POD, container_id=ID),),
    ),
    "kubernetes, systemd driver, Docker through cri-dockerd": (
        f"/kubepods.slice/kubepods-pod{SLICE_UID}.slice/docker-{ID}.scope",
        (Pod(uid=POD, container_id=ID),),
    ),
    "kubernetes, cgroupfs driver, guaranteed": (f"/kubepods/pod{UID}/{ID}", (Pod(uid=POD, container_id=ID),)),
    "kubernetes, cgroupfs driver, burstable": (f"/kubepods/burstable/pod{UID}/{ID}", (Pod(uid=POD, container_id=ID),)),
    "kubernetes, cgroupfs driver, best effort": (
        f"/kubepods/besteffort/pod{UID}/{ID}",
        (Pod(uid=POD, container_id=ID),),
    ),
    "kubernetes, drivers that differ between kubelet and containerd": (
        f"/system.slice/containerd.service/kubepods-burstable-pod{SLICE_UID}.slice:cri-containerd:{ID}",
        (Pod(uid=POD, container_id=ID),),
    ),
    "kubernetes, static pod, systemd driver": (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice/cri-containerd-{ID}.scope",
        (Pod(uid=STATIC, container_id=ID),),
    ),
    "kubernetes, static pod, cgroupfs driver": (
        f"/kubepods/burstable/pod{STATIC}/{ID}",
        (Pod(uid=STATIC, container_id=ID),),
    ),
    "kubernetes, a process of the pod that is in no container": (f"/kubepods/pod{UID}", (Pod(uid=POD),)),
    "kubernetes, seen from the agent's own control group namespace": (
        f"/../../kubepods-burstable-pod{SLICE_UID}.slice/cri-containerd-{ID}.scope",
        (Pod(uid=POD, container_id=ID),),
    ),
    "kind, cgroupfs driver: the inner cluster's pod, then the node's container": (
        f"/docker/{OUTER}/kubelet/kubepods/besteffort/pod{UID}/{ID}",
        (Pod(uid=POD, container_id=ID), Container(runtime="docker", container_id=OUTER)),
    ),
    "kind, systemd driver": (
        f"/system.slice/docker-{OUTER}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice"
        f"/kubelet-kubepods-besteffort-pod{SLICE_UID}.slice/cri-containerd-{ID}.scope",
        (Pod(uid=POD, container_id=ID), Container(runtime="docker", container_id=OUTER)),
    ),
    "kind inside a pod: the innermost pod first": (
        f"/kubepods/pod{STATIC}/{OUTER}/kubelet/kubepods/pod{UID}/{ID}",
        (Pod(uid=POD, container_id=ID), Pod(uid=STATIC, container_id=OUTER)),
    ),
    "Docker inside a pod": (
        f"/kubepods/pod{UID}/{OUTER}/docker/{ID}",
        (Pod(uid=POD, container_id=OUTER), Container(runtime="docker", container_id=ID)),
    ),
    "cgroupfs driver, seen from another pod's own namespace": (
        f"/../../pod{UID}/{ID}",
        (Pod(uid=POD, container_id=ID),),
    ),
    "the same, of another class": (f"/../../../besteffort/pod{UID}/{ID}", (Pod(uid=POD, container_id=ID),)),
    "seen from there, a tenant's folder named like a pod of somebody else": (
        f"/../../pod{UID}/{ID}/init/pod{STATIC}/{OUTER}",
        (Pod(uid=POD, container_id=ID), Container(runtime="docker", container_id=OUTER)),
    ),
    "Docker, seen from another container's own namespace": (
        f"/../{ID}",
        (Container(runtime="docker", container_id=ID),),
    ),
    "Docker, cgroupfs driver": (f"/docker/{ID}", (Container(runtime="docker", container_id=ID),)),
    "Docker, systemd driver": (f"/system.slice/docker-{ID}.scope", (Container(runtime="docker", container_id=ID),)),
    "Docker with a parent of the operator's": (f"/gpu/tenants/{ID}", (Container(runtime="docker", container_id=ID),)),
    "Docker in Docker: the outermost first, which this node's daemon knows": (
        f"/docker/{OUTER}/docker/{ID}",
        (Container(runtime="docker", container_id=OUTER), Container(runtime="docker", container_id=ID)),
    ),
    "rootless Docker": (
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope",
        (Container(runtime="docker", container_id=ID, uid=1000), User(uid=1000)),
    ),
    "Podman": (f"/machine.slice/libpod-{ID}.scope/container", (Container(runtime="podman", container_id=ID),)),
    "Podman, a pod of its own": (
        f"/machine.slice/machine-libpod_pod_{OUTER}.slice/libpod-{ID}.scope",
        (Container(runtime="podman", container_id=ID),),
    ),
    "Podman, cgroupfs driver": (f"/libpod_parent/libpod-{ID}", (Container(runtime="podman", container_id=ID),)),
    "Podman's monitor is in no container": (f"/machine.slice/libpod-conmon-{ID}.scope", ()),
    "rootless Podman": (
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container",
        (Container(runtime="podman", container_id=ID, uid=1000), User(uid=1000)),
    ),
    "containerd by nerdctl": (f"/system.slice/nerdctl-{ID}.scope", (Container(runtime="containerd", container_id=ID),)),
    "containerd by nerdctl, cgroupfs driver": (f"/default/{ID}", (Container(runtime="containerd", container_id=ID),)),
    "CRI-O without a pod": (f"/system.slice/crio-{ID}.scope", (Container(runtime="crio", container_id=ID),)),
    "Slurm, version 2": ("/system.slice/slurmstepd.scope/job_3385/step_0/user/task_0", (Job(name="3385"),)),
    "Slurm, version 2, batch step": ("/system.slice/slurmstepd.scope/job_3385/step_batch/slurm", (Job(name="3385"),)),
    "Slurm, version 2, several slurmd": ("/system.slice/gpu7_slurmstepd.scope/job_12/step_extern", (Job(name="12"),)),
    "Slurm, version 1": ("/slurm/uid_1000/job_3385/step_0/task_0", (Job(name="3385"),)),
    "Slurm, version 1, several slurmd": ("/slurm_gpu7/uid_1000/job_3385/step_batch", (Job(name="3385"),)),
    "Slurm from 26.05": (
        "/system.slice/slurmstepd.scope/s5K1KKYAYG5D00/step_0/user/task_0",
        (Job(name="s5K1KKYAYG5D00"),),
    ),
    "a container of a Slurm job": (
        f"/system.slice/slurmstepd.scope/job_7/step_0/user/task_0/libpod-{ID}.scope",
        (Job(name="7"), Container(runtime="podman", container_id=ID)),
    ),
    "slurmstepd itself": ("/system.slice/slurmstepd.scope/system", ()),
    "login": ("/user.slice/user-1000.slice/session-3.scope", (User(uid=1000),)),
    "desktop": (
        "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-4711.scope",
        (User(uid=1000),),
    ),
    "libvirt, systemd": (
        "/machine.slice/machine-qemu\\x2d3\\x2dinstance\\x2d0000002a.scope/libvirt/emulator",
        (Machine(instance="instance-0000002a"),),
    ),
    "libvirt, cgroupfs": ("/machine/qemu-3-vm1.libvirt-qemu/vcpu0", (Machine(instance="vm1"),)),
    "a service of the node": ("/system.slice/ollama.service", ()),
    "nothing": ("/", ()),
    "a user's folder named like a job of somebody else": (
        "/user.slice/user-1000.slice/user@1000.service/slurm/uid_0/job_1",
        (User(uid=1000),),
    ),
    "a user's folder named like a pod of somebody else": (
        f"/user.slice/user-1000.slice/user@1000.service/kubepods/pod{UID}/{ID}",
        (User(uid=1000),),
    ),
    "a folder named like a job outside of Slurm": ("/system.slice/cron.service/job_1", ()),
    "a folder named like a pod outside of Kubernetes": (f"/system.slice/cron.service/pod{UID}", ()),
}  # fmt: skip


@pytest.mark.parametrize(("path", "places"), PATHS.values(), ids=PATHS)
def test_a_path_of_the_unified_hierarchy_names_its_places(path: str, places: tuple[Place, ...]) -> None:
    assert places_of(f"0::{path}\n") == places


@pytest.mark.parametrize(("path", "places"), PATHS.values(), ids=PATHS)
def test_a_path_of_version_1_names_the_same(path: str, places: tuple[Place, ...]) -> None:
    text = f"12:memory:{path}\n11:cpu,cpuacct:{path}\n1:name=systemd:{path}\n0::/\n"
    assert places_of(text) == places


def test_on_version_1_the_controller_that_knows_most_is_believed() -> None:
    text = f"9:rdma:/docker/{OUTER}\n4:memory:/docker/{OUTER}/kubelet/kubepods/pod{UID}/{ID}\n0::/system.slice\n"
    assert places_of(text)[0] == Pod(uid=POD, container_id=ID)


@pytest.mark.parametrize(
    "text", ["", "\n", "0::", "garbage", "0:/", "a:b:c", "0::/kubepods/pod", f"0::/x{ID}", "0::/s"]
)
def test_what_is_no_path_of_theirs_names_nothing(text: str) -> None:
    assert places_of(text) == ()


@given(
    st.lists(st.sampled_from([*"/:0\n.", "kubepods", f"pod{UID}", ID, "slurm", "job_1", "user-1.slice", "\\x2d", "é"]))
)
def test_whatever_a_path_holds_it_is_read(parts: list[str]) -> None:
    order: list[type] = [Pod, Job, Container, Machine, User]
    places = places_of("".join(parts))
    assert list(places) == sorted(places, key=lambda each: order.index(type(each)))
