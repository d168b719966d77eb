"""The observer: joins device, identities and time into samples, and batches into reports.

Owns one sampling of a node, and the size of a report. Does not own what samples prove (``sampler``), how often it is
called, or where reports go (``runner``, ``simulate``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from msgspec import Struct, structs

from cardhour_agent.accounted import Accounted, placed_ms
from cardhour_agent.allocations import Allocations, Known
from cardhour_agent.device import CardReading, Device, NodeReading
from cardhour_agent.identity import Identities, Identity
from cardhour_agent.sampler import Batch, CardSample, Held, Sample, Sampler
from cardhour_agent.timeline import Tick, Timeline
from cardhour_contract.record import Report

USAGE_ROWS_MAX = 500
"""Usage rows in one report: with the longest names (256 bytes each) about 0.3 MB of the wire's 1 MB."""
CARD_ROWS_MAX = 1000
"""Card rows in one report; more than that only after a long outage of the spool."""
FACTS_MAX = 200
"""Processes, and attributions, in one report: at most 0.3 MB with the longest commands and cgroup paths."""


NOTHING_ASSIGNED = Known(held={}, complete=True)


class NodeName(Struct, frozen=True, kw_only=True):
    """Whose reports these are."""

    node: str
    cluster: str
    boot_id: str
    basis: Literal["process", "allocation"] = "process"
    """``process`` or ``allocation``: what makes this node's cards held."""


class Observer:
    """Samples one node. ``observe`` is called at each due sample; it gives the reports that are ready."""

    def __init__(
        self,
        name: NodeName,
        device: Device,
        identities: Identities,
        sampler: Sampler,
        timeline: Timeline,
        ntp_synced: Callable[[], bool | None] = lambda: None,
        allocations: Allocations | None = None,
    ) -> None:
        self._name = name
        self._device = device
        self._identities = identities
        self._sampler = sampler
        self._timeline = timeline
        self._ntp_synced = ntp_synced
        self._allocations = allocations
        self._accounted = Accounted(name.node, name.boot_id)
        self._pids_on: dict[str, frozenset[int]] = {}
        """By card, when it could last be read."""
        self.tick = Tick(0, None, 0, 0)
        """When the last sample was taken."""
        self.reading = NodeReading()
        """What the last sample read."""

    def observe(self) -> list[Report]:
        """Take one sample; the reports that it completes."""
        tick = self.tick = self._timeline.tick()
        reading = self.reading = self._device.read()
        identities = self._identities
        pids = {each.pid for card in reading.readings for each in card.processes}
        identity_of = {pid: identities.identify(pid) for pid in pids}
        assigned = self._assigned(reading)
        samples = tuple([self._join(each, identity_of, assigned, tick) for each in reading.readings])
        unread = self._unread(reading)
        identities.sampled(unread)
        self._accounted.sampled(identity_of, reading.readings, unread)
        offset_ms = tick.at_ms - tick.monotonic_ms
        batch = self._sampler.observe(
            Sample(
                at_ms=tick.at_ms,
                cards=None if reading.failure else reading.cards,
                mig_parents=reading.mig_parents,
                readings=samples,
                exits={key: at_ms + offset_ms for key, at_ms in identities.exits().items()},
                late_answers=identities.late_answers(),
            )
        )
        reports = list(self._reports(batch, tick)) if batch is not None else []
        if tick.restart_at_ms is not None:
            stepped = self._sampler.restart_at(tick.restart_at_ms)
            reports += self._reports(stepped, tick) if stepped is not None else ()
        return reports

    def flush(self) -> list[Report]:
        """What is proven but not yet reported; the agent is stopping."""
        batch = self._sampler.flush()
        return list(self._reports(batch, self._timeline.tick())) if batch is not None else []

    def _unread(self, reading: NodeReading) -> frozenset[int]:
        """Pids that were on the cards that could not be read, when they last could."""
        if reading.failure is None:
            self._pids_on = {
                each.card: self._pids_on.get(each.card, frozenset())
                if each.failure
                else frozenset(process.pid for process in each.processes)
                for each in reading.readings
            }
        failed = self._pids_on if reading.failure else [each.card for each in reading.readings if each.failure]
        return frozenset().union(*(self._pids_on[card] for card in failed))

    def _assigned(self, reading: NodeReading) -> Known:
        """What is assigned: asked only where the driver listed the cards, since a sample that failed proves nothing."""
        if self._allocations is None or reading.failure is not None:
            return NOTHING_ASSIGNED
        return self._allocations.read(frozenset(each.card for each in reading.readings))

    def _join(
        self, reading: CardReading, identity_of: Mapping[int, Identity], assigned: Known, tick: Tick
    ) -> CardSample:
        if reading.failure is not None:
            return CardSample(card=reading.card, failed=True, fault=reading.fault)
        # Neither /proc nor the driver's own notes know it as running: its entry in the lists is stale.
        stale = {each.pid for each in reading.ended if not _described(identity_of.get(each.pid))}
        return CardSample(
            card=reading.card,
            held=tuple(
                [
                    Held(
                        identity=identity_of[each.pid],
                        memory_bytes=each.memory_bytes,
                        sm=each.sm,
                        counter=each.counter,
                        started_at_ms=placed_ms(each.started_us, tick),
                    )
                    for each in reading.processes
                    if each.pid not in stale
                ]
            )
            + assigned.held.get(reading.card, ()),
            assigned_known=assigned.complete,
            ended=self._accounted.join(reading.card, reading.ended, identity_of, tick) if reading.ended else (),
            energy_mj=reading.energy_mj,
            fault=reading.fault,
        )

    def _reports(self, batch: Batch, tick: Tick) -> Iterator[Report]:
        """The batch as one report, or as several where it exceeds a limit."""
        name = self._name
        for part in _parts(batch):
            yield Report(
                node=name.node,
                cluster=name.cluster,
                boot_id=name.boot_id,
                basis=name.basis,
                started_at_ms=part.started_at_ms,
                ended_at_ms=part.ended_at_ms,
                wall_ms=tick.wall_ms,
                monotonic_ms=tick.monotonic_ms,
                ntp_synced=self._ntp_synced(),
                usage=part.usage,
                cards=part.cards,
                scan=part.scan,
                faults=part.faults,
                attributions=part.attributions,
                processes=part.processes,
            )


def _described(identity: Identity | None) -> bool:
    return identity is not None and identity.process.start_ticks != 0


def _parts(batch: Batch) -> Iterator[Batch]:
    rest = batch
    while (
        len(rest.usage) > USAGE_ROWS_MAX
        or len(rest.cards) > CARD_ROWS_MAX
        or len(rest.processes) > FACTS_MAX
        or len(rest.attributions) > FACTS_MAX
    ):
        yield structs.replace(
            rest,
            usage=rest.usage[:USAGE_ROWS_MAX],
            cards=rest.cards[:CARD_ROWS_MAX],
            processes=rest.processes[:FACTS_MAX],
            attributions=rest.attributions[:FACTS_MAX],
        )
        rest = structs.replace(
            rest,
            usage=rest.usage[USAGE_ROWS_MAX:],
            cards=rest.cards[CARD_ROWS_MAX:],
            processes=rest.processes[FACTS_MAX:],
            attributions=rest.attributions[FACTS_MAX:],
            scan=None,
            faults=(),
        )
    yield rest
