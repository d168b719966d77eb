"""The resolvers that settings enable, put together.

Owns which settings each resolver gets. Does not own the settings (``config``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cardhour_agent.allocations import Allocations
from cardhour_agent.config import AgentSettings
from cardhour_agent.resolve.answer import Resolver
from cardhour_agent.resolve.asker import Asker
from cardhour_agent.resolve.assigned import Assigner, JobAssigner, PodAssigner
from cardhour_agent.resolve.containers import ContainerResolver
from cardhour_agent.resolve.kubernetes import KubernetesResolver, KubernetesSettings
from cardhour_agent.resolve.owners import Owners
from cardhour_agent.resolve.slices import Slices
from cardhour_agent.resolve.slurm import SlurmResolver
from cardhour_agent.resolve.users import MachineResolver, UserResolver
from cardhour_contract.clock import Clock
from cardhour_contract.moment import SECOND_MS


def enabled_owners(agent: AgentSettings, clock: Clock) -> Owners:
    """Nothing is opened or started until a process in such a place holds a card."""
    makers: dict[str, Callable[[], Resolver]] = {
        "user": UserResolver,
        "libvirt": MachineResolver,
        "docker": lambda: ContainerResolver("docker", agent.docker_socket, agent.owner_label, agent.share_label),
        "podman": lambda: ContainerResolver("podman", agent.podman_socket, agent.owner_label, agent.share_label),
        "kubernetes": lambda: KubernetesResolver(_kubernetes(agent), clock),
        "slurm": lambda: SlurmResolver(agent.scontrol, agent.slurm_owner),
    }
    refresh_ms = agent.resolve_every_s * SECOND_MS
    askers: dict[str, Asker] = {name: Asker(makers[name](), clock, refresh_ms) for name in agent.resolvers}
    return Owners(askers, clock, agent.system_owners)


def enabled_allocations(agent: AgentSettings, home: Path, boot_id: str, clock: Clock) -> Allocations | None:
    """Those who assign cards, where that is what makes one held. Each has its own connection to the list of pods."""
    if agent.basis != "allocation":
        return None
    assigners: dict[str, Callable[[], Assigner]] = {
        "kubernetes": lambda: PodAssigner(
            agent.pod_resources_socket,
            KubernetesResolver(_kubernetes(agent), clock),
            agent.replicas,
            Slices(_slices(agent), clock) if agent.kubernetes_slices_url else None,
        ),
        "slurm": lambda: JobAssigner(home / agent.slurm_notes, agent.slurm_owner),
    }
    chosen = [made() for name, made in assigners.items() if name in agent.resolvers]
    return Allocations(agent.node, boot_id, chosen, agent.system_owners)


def _kubernetes(agent: AgentSettings) -> KubernetesSettings:
    return KubernetesSettings(
        url=agent.kubernetes_url,
        token_file=Path(agent.kubernetes_token_file) if agent.kubernetes_token_file else None,
        ca_file=Path(agent.kubernetes_ca_file) if agent.kubernetes_ca_file else None,
        verify=agent.kubernetes_verify,
        owner_label=agent.kubernetes_owner_label,
        share_label=agent.kubernetes_share_label,
        replicas=agent.replicas,
    )


def _slices(agent: AgentSettings) -> KubernetesSettings:
    """The API server, which has a certificate that can be checked."""
    return KubernetesSettings(
        url=agent.kubernetes_slices_url,
        token_file=Path(agent.kubernetes_token_file) if agent.kubernetes_token_file else None,
        ca_file=Path(agent.kubernetes_slices_ca_file) if agent.kubernetes_slices_ca_file else None,
    )
