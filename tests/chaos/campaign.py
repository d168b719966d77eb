"""A campaign: kills, one after the other, while a world is played.

Owns which kills there are, and their order. Every round grants the nodes a share of the world's time, so that kills are
spread over all of it and the process that is to die has work in its hands; agents and ingest die in the same round.
Between its deaths an agent's node may live on for a while without it, at a time when nothing starts or ends there: that
is what the agent has to bridge.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from cardhour_contract.moment import parse_rfc3339
from tests.chaos.pipeline import Pipeline
from tests.chaos.processes import Service
from tests.chaos.steps import NUMBERED, PAIRS, deaths
from tests.chaos.world import SAMPLE_MS
from tests.services.kafka_broker import KafkaBroker

AGENT_STEPS = ("spooled", "remembered", "sent", "acknowledged", "removed")
INGEST_STEPS = ("storing", "inserted", "marked", "committed")

ANYWHERE = "anywhere"
"""A kill from outside, at a random moment."""

ANYWHERE_S = 0.4
"""Within this time of a round's start: a few rounds of every loop."""

SKIP_SAMPLES_MAX = 8
"""How long a node may live on without its agent: 40 s, well under the five minutes that are bridged."""

GRANTED_LAST = 0.97
"""No kill in the last part of the world, so that what is bridged last is reported before the end."""


class Plan(NamedTuple):
    """The deaths of a campaign: steps or ANYWHERE, each in random order."""

    agent: list[str]
    ingest: list[str]
    broker: int

    @property
    def kills(self) -> int:
        return len(self.agent) + len(self.ingest) + self.broker

    @property
    def rounds(self) -> int:
        return max(len(self.agent), len(self.ingest), self.broker)


def plan(rng: random.Random, *, numbered: int, others: int, anywhere: int, broker: int) -> Plan:
    """``numbered`` kills at each step that opens a numbered gap, ``others`` at each other step."""

    def times(step: str) -> int:
        return numbered if PAIRS[step] in NUMBERED and step != "remembered" else others

    def shuffled(steps: Iterable[str]) -> list[str]:
        deaths = [step for step in steps for _ in range(times(step))] + [ANYWHERE] * anywhere
        rng.shuffle(deaths)
        return deaths

    return Plan(shuffled(AGENT_STEPS), shuffled(INGEST_STEPS), broker)


class Campaign:
    """Carries out a plan on a running pipeline and its broker."""

    def __init__(self, pipeline: Pipeline, broker: KafkaBroker, rng: random.Random) -> None:
        self._pipeline = pipeline
        self._broker = broker
        self._rng = rng
        self._changes = _changes(pipeline)
        self.broker_killed = 0
        self.bridged = 0
        """Times that a node lived on without its agent."""

    def run(self, deaths: Plan, progress: Callable[[str], None] = lambda line: None) -> None:
        broker_rounds = set(self._rng.sample(range(deaths.rounds), deaths.broker))
        agents = list(self._pipeline.agents.items())
        for number in range(deaths.rounds):
            name, agent = agents[number % len(agents)]
            doomed: list[tuple[Service, str]] = []
            if number < len(deaths.agent):
                doomed.append((agent, deaths.agent[number]))
            if number < len(deaths.ingest):
                doomed.append((self._pipeline.ingests[0], deaths.ingest[number]))
            for service, step in doomed:
                if step != ANYWHERE:
                    service.kill_at(step, delay_ms=self._rng.choice((0, 0, 5, 50)) if step == "sent" else 0)
            self._pipeline.grant(GRANTED_LAST * (number + 1) / deaths.rounds)
            if number in broker_rounds:
                self._kill_broker()
            self._await(doomed)
            if any(service is agent for service, _ in doomed):
                self._live_on(name)
            for service, _ in doomed:
                service.start()
            killed = [step for _, step in doomed] + ["broker"] * (number in broker_rounds)
            progress(f"round {number + 1} of {deaths.rounds}: {', '.join(killed)}")

    def _await(self, doomed: list[tuple[Service, str]]) -> None:
        for service, step in doomed:
            if step == ANYWHERE:
                time.sleep(self._rng.random() * ANYWHERE_S)  # the fault itself: no event marks a random moment
                service.kill()
        for service, step in doomed:
            if step != ANYWHERE:
                service.await_death()

    def _kill_broker(self) -> None:
        time.sleep(self._rng.random() * ANYWHERE_S)
        self._broker.kill()
        self.broker_killed += 1
        self._broker.start()

    def _live_on(self, name: str) -> None:
        """Let the dead agent's node live on, if nothing starts or ends there meanwhile or was only just noticed."""
        tape = self._pipeline.tapes[name]
        now_ms = tape.now_ms()
        last_ms = min(
            now_ms + self._rng.randrange(SKIP_SAMPLES_MAX) * SAMPLE_MS, self._pipeline.world.to_ms - 2 * SAMPLE_MS
        )
        change_ms = min((each for each in self._changes[name] if each >= now_ms - SAMPLE_MS), default=last_ms + 1)
        samples = (min(last_ms, change_ms - 1) - now_ms) // SAMPLE_MS
        if samples > 0:
            tape.skip(samples * SAMPLE_MS)
            self.bridged += 1

    def tally(self) -> Counter[str]:
        """Kills by the gap between two steps in which they landed, as the step logs prove it."""
        found: Counter[str] = Counter()
        for service in self._pipeline.services:
            found += deaths(service.steps.read())
        return found


def _changes(pipeline: Pipeline) -> dict[str, list[int]]:
    """When processes start and end on each node."""
    return {
        node["id"]: [parse_rfc3339(process[edge]) for process in node["process"] for edge in ("from", "to")]
        for node in json.loads(pipeline.world.path.read_text(encoding="utf-8"))["node"]
    }
