"""The agent: one node's parts put together, and the loop that runs them.

Owns start, cadence, the exclusive lock and a clean stop. Does not own what any part does. ``Agent.run`` may be called
on any thread; ``Agent.stop`` from any other thread or from a signal handler.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import structlog

from cardhour_agent.allocations import Allocations
from cardhour_agent.config import Config
from cardhour_agent.device import Device, Failure
from cardhour_agent.exits import Exits
from cardhour_agent.identity import Identities
from cardhour_agent.key_file import KeyFile
from cardhour_agent.last_seen import LastSeenFile
from cardhour_agent.notify import Notify
from cardhour_agent.ntp import ntp_synced
from cardhour_agent.nvml.watched import WatchedNvml
from cardhour_agent.observer import NodeName, Observer
from cardhour_agent.outbox import Outbox
from cardhour_agent.proc_identities import ProcIdentities
from cardhour_agent.procfs import boot_id
from cardhour_agent.resolve.enabled import enabled_allocations, enabled_owners
from cardhour_agent.resolve.owners import Owners
from cardhour_agent.sampler import LastSeen, Sampler
from cardhour_agent.scenario import read_scenario
from cardhour_agent.shipper import Shipper
from cardhour_agent.simulated import SimulatedMachine
from cardhour_agent.status import Status
from cardhour_agent.timeline import Tick, Timeline
from cardhour_contract.clock import Clock, SystemClock
from cardhour_contract.errors import Refuse
from cardhour_contract.record import Report
from cardhour_contract.spool import Spool

ONCE_MS = 1_000
"""Time between the two samples of a single look: one alone proves nothing."""

SHIPPER_STOP_S = 15.0
"""How long a stop waits for the shipper; what it has not shipped by then is safe in the spool."""

NO_DRIVER = "is the NVIDIA driver loaded, and may this account use it? --scenario FILE simulates a node"

_log = structlog.get_logger("cardhour.agent")


@contextmanager
def exclusive(spool: Path) -> Iterator[None]:
    """One agent a spool. Raises Refuse, naming the other's pid, where one runs already."""
    path = spool.with_name(spool.name + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise Refuse(
                f"another agent (pid {other}) already runs on the spool {spool}: stop it, or name another spool"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


class Parts:
    """What samples one node: the real machine, or a simulated one."""

    def __init__(self, config: Config, clock: Clock) -> None:
        agent = config.agent
        self.exits = Exits(clock)
        self.device: Device
        self.identities: Identities
        self.owners: Owners | None = None
        self.allocations: Allocations | None = None
        if agent.scenario:
            machine = SimulatedMachine(read_scenario(Path(agent.scenario)), agent.node, clock)
            self.device = self.identities = machine
            self.name = machine.name
        else:
            boot = boot_id()
            self.device = WatchedNvml(clock, config.nvml_timeout_ms, self.exits.wait_for)
            self.owners = enabled_owners(agent, clock)
            self.allocations = enabled_allocations(agent, config.home, boot, clock)
            self.identities = ProcIdentities(agent.node, boot, clock, self.exits, self.owners, agent.system_commands)
            self.name = NodeName(node=agent.node, cluster=agent.cluster, boot_id=boot, basis=agent.basis)

    def observer(self, sampler: Sampler, timeline: Timeline) -> Observer:
        return Observer(self.name, self.device, self.identities, sampler, timeline, ntp_synced, self.allocations)

    def close(self) -> None:
        self.device.close()
        self.identities.close()
        self.exits.close()
        if self.owners is not None:
            self.owners.close()
        if self.allocations is not None:
            self.allocations.close()


def shipper_of(config: Config, clock: Clock | None = None) -> Shipper | None:
    """To the broker, where there is one. Raises Refuse for a key that cannot be used."""
    if config.stream.kind != "kafka":
        return None
    return Shipper(config.stream, config.spool, key=KeyFile(config.key_file), clock=clock)


class Agent:
    """One node's agent."""

    def __init__(self, config: Config, clock: Clock | None = None, notify: Notify | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._notify = notify or Notify({})
        self._parts = Parts(config, self._clock)
        self._stopping = threading.Event()
        self._shipper_error: BaseException | None = None
        self._reloading = False
        self.status = Status()

    def stop(self, *, reloading: bool = False) -> None:
        """End ``run`` soon. ``reloading``: another takes over at once, so the service manager hears of no stop."""
        self._reloading = reloading and not self._stopping.is_set()
        self._stopping.set()
        self._parts.exits.wake()

    def run(self) -> None:
        """Sample, spool and ship until stopped; what is proven by then is in the spool on return.

        An error that ends the shipper ends the agent, and is raised: one that only spools would look well for days.
        """
        config = self._config
        with exclusive(config.spool), Spool(config.spool, bytes_max=config.agent.spool_bytes_max) as spool:
            shipper = shipper_of(config, self._clock)
            thread = threading.Thread(target=self._ship, args=(shipper,), name="shipper") if shipper else None
            _log.info("started", node=self._parts.name.node, spool=str(config.spool), stream=config.stream.kind)
            if thread is not None:
                thread.start()
            try:
                self._sample(spool, shipper)
            finally:
                if shipper is not None and thread is not None:
                    shipper.stop()
                    thread.join(SHIPPER_STOP_S)
                self._parts.close()
                _log.info("stopped", reports_in_spool=spool.depth().reports)
        if self._shipper_error is not None:
            raise self._shipper_error

    def _ship(self, shipper: Shipper) -> None:
        try:
            shipper.run()
        except BaseException as error:  # noqa: BLE001 - raised again by ``run``, on the agent's own thread
            self._shipper_error = error
            self.stop()

    def _sample(self, spool: Spool, shipper: Shipper | None) -> None:
        timeline = Timeline(self._clock)
        policy = self._config.policy
        remembered = LastSeenFile(self._config.spool, self._parts.name.boot_id)
        sampler = Sampler(policy, remembered.read(timeline.tick()))
        observer = self._parts.observer(sampler, timeline)
        outbox = Outbox(spool, remembered, sampler, shipper.wake if shipper else lambda: None)
        with self._metrics(outbox, shipper):
            self._loop(observer, outbox)

    def _loop(self, observer: Observer, outbox: Outbox) -> None:
        failed: str | None = None
        while not self._stopping.is_set():
            reports = observer.observe()
            outbox.put(reports, observer.tick)
            self.status.sampled(observer.reading, observer.tick.wall_ms)
            self.status.reported(reports)
            if failed is None:
                self._notify.ready(self.status.line())
            failed = _told(observer.reading.failure, failed or "")
            self._wait(observer.tick)
        self._notify.reloading(self._clock.monotonic_ms()) if self._reloading else self._notify.stopping()
        reports = observer.flush()
        outbox.put(reports, observer.tick)
        self.status.reported(reports)

    def _wait(self, tick: Tick) -> None:
        """Wait until the next sample is due, or until stopped; the service manager hears that the loop goes round."""
        sample_ms = self._config.policy.sample_ms
        due_ms = self._clock.monotonic_ms() + tick.until_due_ms(self._clock.monotonic_ms(), sample_ms)
        self._notify.alive(self.status.line())
        while not self._stopping.is_set() and (left_ms := due_ms - self._clock.monotonic_ms()) > 0:
            self._parts.exits.wait(min(left_ms, self._notify.every_ms or left_ms))
            self._notify.alive()

    def _metrics(self, outbox: Outbox, shipper: Shipper | None) -> AbstractContextManager[None]:
        agent = self._config.agent
        if not agent.metrics_port:
            return nullcontext()
        # Only here: without the port, neither the package nor an HTTP server takes memory on the node.
        from cardhour_agent.metrics import Sources, served

        sources = Sources(self.status, outbox, shipper, self._parts.device, self._config.spool, agent.spool_bytes_max)
        return served(agent.metrics_port, sources, self._clock)


def _told(failure: Failure | None, before: str) -> str:
    """Log that the driver has stopped or begun to answer, once each time; the reason that was told last."""
    now = failure.reason if failure is not None else ""
    if failure is not None and now != before:
        _log.warning(
            "NVML does not answer: no card of this node is metered until it does",
            reason=failure.reason,
            detail=failure.detail,
            mend=NO_DRIVER,
        )
    elif before and not now:
        _log.info("NVML answers again")
    return now


def look_once(config: Config, clock: Clock | None = None) -> list[Report]:
    """Two samples a second apart, and what they would report. Raises Refuse where the driver does not answer."""
    clock = clock or SystemClock()
    parts = Parts(config, clock)
    try:
        reading = parts.device.read()
        if reading.failure is not None:
            raise Refuse(
                f"NVML does not answer on this node ({reading.failure.reason}: {reading.failure.detail}): {NO_DRIVER}"
            )
        observer = parts.observer(Sampler(config.policy, LastSeen()), Timeline(clock))
        reports = observer.observe()
        parts.exits.wait(ONCE_MS)
        return reports + observer.observe() + observer.flush()
    finally:
        parts.close()
