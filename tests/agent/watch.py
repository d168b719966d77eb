"""A short way to say what samples saw, and to ask what they proved."""

from __future__ import annotations

from collections.abc import Mapping

from cardhour_agent.identity import Identity
from cardhour_agent.sampler import Batch, CardSample, Held, LastSeen, Policy, Sample, Sampler
from cardhour_contract.identity import key_of
from cardhour_contract.interval import Interval, union
from cardhour_contract.moment import parse_rfc3339
from cardhour_contract.record import Attribution, CardRecord, Fault, Process, ScannedCard, UsageRecord

T0 = parse_rfc3339("2026-10-01T08:00:00Z")
"""A quarter hour; times in tests are seconds after it."""

CARD = "GPU-1"


def identity(name: str, owner: str = "k8s:team-a", workload: str = "train", share: int = 1000) -> Identity:
    key = key_of(name)
    return Identity(
        key=key,
        owner=owner,
        workload=workload,
        share=share,
        process=Process(process=key, pid=key % 30_000 + 1, start_ticks=7),
    )


def held(who: Identity, sm: int | None = 500_000, memory_bytes: int | None = 1000) -> Held:
    return Held(identity=who, sm=sm, memory_bytes=memory_bytes)


def ms(at_s: float) -> int:
    return T0 + round(at_s * 1000)


class Watch:
    """A sampler of one node, the batches it gave, and what they say."""

    def __init__(self, policy: Policy | None = None, last_seen: LastSeen | None = None) -> None:
        self.sampler = Sampler(policy or Policy(), last_seen)
        self.batches: list[Batch] = []

    def sees(
        self, at_s: float, *processes: Held, energy_mj: int | None = None, fault: str | None = None
    ) -> Batch | None:
        """A successful sample of the one card."""
        return self.samples(at_s, CardSample(card=CARD, held=processes, energy_mj=energy_mj, fault=fault))

    def fails(self, at_s: float, fault: str | None = None) -> Batch | None:
        return self.samples(at_s, CardSample(card=CARD, failed=True, fault=fault))

    def samples(
        self,
        at_s: float,
        *readings: CardSample,
        mig_parents: tuple[str, ...] = (),
        exits: Mapping[int, int] | None = None,
        late_answers: tuple[Attribution, ...] = (),
    ) -> Batch | None:
        return self._keep(
            self.sampler.observe(
                Sample(
                    at_ms=ms(at_s),
                    cards=tuple(ScannedCard(card=each.card, model="A100") for each in readings),
                    mig_parents=mig_parents,
                    readings=readings,
                    exits=exits or {},
                    late_answers=late_answers,
                )
            )
        )

    def driver_fails(self, at_s: float) -> Batch | None:
        return self._keep(self.sampler.observe(Sample(at_ms=ms(at_s))))

    def ends(self) -> Watch:
        """The agent stops."""
        self._keep(self.sampler.flush())
        return self

    def restarts(self, policy: Policy | None = None) -> Watch:
        """A later run of the agent, with what this one left in its file."""
        return Watch(policy, self.sampler.last_seen())

    @property
    def usage(self) -> list[UsageRecord]:
        return [each for batch in self.batches for each in batch.usage]

    @property
    def cards(self) -> list[CardRecord]:
        return [each for batch in self.batches for each in batch.cards]

    @property
    def faults(self) -> list[Fault]:
        return [each for batch in self.batches for each in batch.faults]

    def held_by(self, who: Identity) -> list[tuple[float, float]]:
        """The union of a process's records, in seconds after T0."""
        return [
            ((each.start_ms - T0) / 1000, (each.end_ms - T0) / 1000)
            for each in union(Interval(r.started_at_ms, r.ended_at_ms) for r in self.usage if r.process == who.key)
        ]

    def states(self, card: str = CARD) -> list[tuple[float, float, str]]:
        return [
            ((each.started_at_ms - T0) / 1000, (each.ended_at_ms - T0) / 1000, each.state.name.lower())
            for each in self.cards
            if each.card == card
        ]

    def _keep(self, batch: Batch | None) -> Batch | None:
        if batch is not None:
            self.batches.append(batch)
        return batch
