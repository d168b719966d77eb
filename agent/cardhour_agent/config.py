"""Settings of the agent: its own section and the stream it feeds.

Owns the ``[agent]`` section and its checks. Does not own ``[stream]`` (contract).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from cardhour_agent.output import Policy
from cardhour_agent.proc_identities import SYSTEM_COMMANDS
from cardhour_contract.errors import Refuse
from cardhour_contract.identity import NAME_BYTES_MAX
from cardhour_contract.moment import QUARTER_MS, SECOND_MS
from cardhour_contract.record import SHARE_WHOLE
from cardhour_contract.settings import FILE_NAME, Loader, StreamSettings, home_directory
from cardhour_contract.spool import BYTES_MAX
from cardhour_contract.stream import problems_of

SPOOL_NAME = "spool.db"
"""In ``CARDHOUR_HOME``; ingest of the same home looks for it there."""

Name = Annotated[str, Meta(max_length=NAME_BYTES_MAX)]
ResolverName = Literal["user", "libvirt", "docker", "podman", "kubernetes", "slurm"]


class AgentSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[agent]``: what this node is called, and how it is sampled."""

    node: Name = ""
    """The id given when the node was enrolled. Required; never a host name, which gets cloned."""
    cluster: Name = "default"
    basis: Literal["process", "allocation"] = "process"
    """What makes a card of this node held."""
    sample_interval_s: Annotated[int, Meta(ge=1, le=300)] = 10
    """Seconds between samples. Below 1 s the process lists would slow the tenants: they take a driver-wide lock."""
    report_interval_s: Annotated[int, Meta(ge=1, le=900)] = 60
    """Seconds between reports; divides a quarter hour."""
    nvml_timeout_s: Annotated[int, Meta(ge=1, le=60)] = 5
    """How long a reading waits for the driver, at most half a sample interval; after six times that without an answer
    the process that asks the driver is replaced."""
    bridge_max_s: Annotated[int, Meta(ge=0, le=3600)] = 300
    """Longest gap, or restart of the agent, across which the same process on the same card counts as held."""
    metrics_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    """Port on 127.0.0.1 for Prometheus metrics; 0 = none."""
    spool: Path = Path(SPOOL_NAME)
    """The spool file; relative to ``CARDHOUR_HOME``. Its lock and what a restart must know stand beside it."""
    spool_bytes_max: Annotated[int, Meta(ge=1_000_000)] = BYTES_MAX
    """Size at which the spool is full; what is then not kept is reported as ``spool_full`` later."""
    key_file: Path = Path("node.key")
    """The key that reports are signed with, where there is one; relative to ``CARDHOUR_HOME``."""
    system_commands: tuple[str, ...] = SYSTEM_COMMANDS
    """Commands whose time on a card is nobody's; outside pods, jobs and containers, where tenants name processes."""
    system_owners: tuple[str, ...] = ("k8s:kube-system", "k8s:gpu-operator")
    """Owners that are the operator's own, such as the namespace of the MPS server: ``system:`` takes their kind's
    place."""
    resolvers: tuple[ResolverName, ...] = ("user", "libvirt", "docker", "podman", "kubernetes", "slurm")
    """Who is asked whom a process works for; each only where a control group names a place of its kind."""
    resolve_every_s: Annotated[int, Meta(ge=5, le=3600)] = 60
    """How often an answer is asked for again: an edited label is seen within this time."""
    owner_label: str = "cardhour.owner"
    """Of Docker and Podman containers."""
    share_label: str = "cardhour.share"
    """Of Docker and Podman containers: a decimal in (0, 1] with at most three places."""
    docker_socket: Path = Path("/var/run/docker.sock")
    podman_socket: Path = Path("/run/podman/podman.sock")
    kubernetes_url: str = "https://127.0.0.1:10250/pods"
    """The list of this node's pods: the kubelet's, or the API server's with a field selector."""
    kubernetes_token_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
    kubernetes_ca_file: str = ""
    """Authority of the server's certificate; empty = the system's."""
    kubernetes_verify: bool = True
    """Whether its certificate is checked; false only for a kubelet of this very machine that signs its own."""
    kubernetes_owner_label: str = ""
    """A pod label or annotation that names the owner; empty = the namespace, which pods cannot choose."""
    kubernetes_share_label: str = ""
    """A pod label or annotation that declares a share; empty = what the cluster enforces."""
    kubernetes_replicas: tuple[str, ...] = ()
    """``resource=count``: resources of which one card has several (MPS, time-slicing)."""
    kubernetes_slices_url: str = ""
    """The API server's list of this node's resource slices, where cards are claimed (dynamic resource allocation):
    it says which card a claim names. Empty = of NVIDIA's claims the whole GPUs alone, by their device files."""
    kubernetes_slices_ca_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    """Authority of the API server's certificate; empty = the system's."""
    pod_resources_socket: Path = Path("/var/lib/kubelet/pod-resources/kubelet.sock")
    """Where the kubelet says which container has which device; asked where ``basis`` is ``allocation``."""
    slurm_notes: Path = Path("slurm")
    """Folder of the prolog's notes, relative to ``CARDHOUR_HOME``; read where ``basis`` is ``allocation``."""
    scontrol: Path = Path("scontrol")
    """The executable; without a folder, found on the PATH."""
    slurm_owner: Literal["account", "user"] = "account"
    scenario: str = ""
    """A scenario file: simulate this node instead of reading NVML."""

    @property
    def replicas(self) -> dict[str, int]:
        """Per resource of which a card has several: how many; what cannot be read is left out (``check`` refuses)."""
        pairs = (each.rpartition("=") for each in self.kubernetes_replicas)
        return {resource: int(count) for resource, _, count in pairs if resource and _is_count(count)}


class Config(Struct, frozen=True, kw_only=True):
    """Everything that the agent reads from settings."""

    home: Path
    agent: AgentSettings
    stream: StreamSettings

    @property
    def spool(self) -> Path:
        return self.home / self.agent.spool

    @property
    def key_file(self) -> Path:
        return self.home / self.agent.key_file

    @property
    def nvml_timeout_ms(self) -> int:
        """At most half a sample interval, so that a reading that fails in the end does not delay the next sample."""
        return min(self.agent.nvml_timeout_s * SECOND_MS, self.policy.sample_ms // 2)

    @property
    def policy(self) -> Policy:
        return Policy(
            sample_ms=self.agent.sample_interval_s * SECOND_MS,
            report_ms=self.agent.report_interval_s * SECOND_MS,
            bridge_max_ms=self.agent.bridge_max_s * SECOND_MS,
        )


def load(
    environ: Mapping[str, str] = os.environ, *, node: str = "", scenario: str = "", default_node: str = ""
) -> Config:
    """Read and check the settings. Raises Refuse with every problem found.

    ``node`` and ``scenario`` win over the settings; ``default_node`` is the name where neither gives one.
    """
    home = home_directory(environ)
    loader = Loader(home / FILE_NAME, environ)
    config = Config(
        home=home, agent=loader.section("agent", AgentSettings), stream=loader.section("stream", StreamSettings)
    )
    loader.finish()
    named = node or config.agent.node or default_node
    given = {name: value for name, value in (("node", named), ("scenario", scenario)) if value}
    config = structs.replace(config, agent=structs.replace(config.agent, **given))
    check(config)
    return config


def check(config: Config) -> None:
    """Raises Refuse with every contradiction between settings."""
    where = f"{config.home / FILE_NAME} or CARDHOUR_AGENT_…"
    problems = []
    if not config.agent.node:
        problems.append(f"{where}: [agent] node is empty: write the id that this node was enrolled with")
    if QUARTER_MS % config.policy.report_ms:
        problems.append(
            f"{where}: [agent] report_interval_s is {config.agent.report_interval_s}: it must divide 900, such as 60"
        )
    if config.agent.sample_interval_s > config.agent.report_interval_s:
        problems.append(f"{where}: [agent] sample_interval_s is longer than report_interval_s")
    problems += _resolver_problems(config.agent, where)
    problems += problems_of(config.stream)
    if problems:
        raise Refuse(*problems)


def _resolver_problems(agent: AgentSettings, where: str) -> list[str]:
    problems = []
    if not agent.kubernetes_url.startswith(("https://", "http://")):
        problems.append(
            f"{where}: [agent] kubernetes_url is '{agent.kubernetes_url}': write one such as https://127.0.0.1:10250/pods"
        )
    if agent.kubernetes_slices_url and not agent.kubernetes_slices_url.startswith(("https://", "http://")):
        problems.append(
            f"{where}: [agent] kubernetes_slices_url is '{agent.kubernetes_slices_url}': write one such as"
            " https://kubernetes.default.svc/apis/resource.k8s.io/v1/resourceslices?fieldSelector=spec.nodeName%3DNODE"
        )
    if len(agent.replicas) < len(agent.kubernetes_replicas):
        problems.append(
            f"{where}: [agent] kubernetes_replicas: write each as RESOURCE=COUNT, with a count from 1 to 1000"
        )
    return problems


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= SHARE_WHOLE
