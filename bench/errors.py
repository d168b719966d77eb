"""What a run of tenants says about the agent: errors of metered intervals, delays, and what failed samples became.

Owns the groups of lives, the figures, and the promises that must hold of them. Errors are of whole milliseconds,
metered less true: a late start and an early end are in the customer's favour. Does not own the run (``accuracy``).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil

from bench.accuracy import MS_NS, Life, Run, failed_ms
from bench.driver import CARDS, LOST, REUSED, STALE
from bench.figures import Figure

Group = Callable[[Life], bool]

MODES = {True: "accounting", False: "samples"}

PERCENTILES = {"least": 0.0, "p1": 0.01, "p50": 0.5, "p99": 0.99, "most": 1.0}

SHOWN = (
    "start mean",
    "start least",
    "start p50",
    "start p99",
    "start most",
    "end mean",
    "end least",
    "end p99",
    "end most",
)


class Report:
    """Figures of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._ticks = [each.at_ms for each in run.taken]
        self._failed = {f"GPU-{at}": [f"GPU-{at}" in each.failed for each in run.taken] for at in range(CARDS)}

    def around(self, life: Life) -> slice:
        """The samples of its life, the one before and the one after."""
        before = bisect_right(self._ticks, life.began_ns // MS_NS) - 1
        return slice(max(0, before - 1), bisect_left(self._ticks, life.ended_ns // MS_NS) + 2)

    def disturbed(self, life: Life) -> bool:
        return any(self._failed[life.card][self.around(life)])

    def gap_ms(self, life: Life) -> int:
        """The longest time between two samples around it: what one sample interval really was."""
        ticks = self._ticks[self.around(life)]
        return max((after - before for before, after in pairwise(ticks)), default=0)

    def groups(self) -> dict[str, Group]:
        return {
            "undisturbed": lambda life: not _marked(life) and not self.disturbed(life),
            "failed samples": lambda life: not _marked(life) and self.disturbed(life),
            "missing in a list": lambda life: life.missed,
            "stale in the lists": lambda life: bool(life.flags & STALE),
            "lost by accounting": lambda life: bool(life.flags & LOST),
            "pid used again": lambda life: bool(life.flags & REUSED),
            "all": lambda life: True,
        }

    def figures(self) -> list[Figure]:
        found = []
        for mode, name in MODES.items():
            lives = [each for each in self.run.lives if each.accounted is mode]
            for group, belongs in self.groups().items():
                of_group = [each for each in lives if belongs(each)]
                found += [
                    Figure(name=f"accuracy.{name}.{group}.{what}", value=value, of=f"{len(of_group)} lives")
                    for what, value in _of_group(of_group).items()
                ]
            found += _delays(f"accuracy.{name}", lives)
        failed_s = sum(failed_ms(self.run, f"GPU-{at}")[1] for at in range(CARDS)) / 1000
        samples = len(self.run.taken) * CARDS
        bridged_s = sum(each.told.bridged_ms for each in self.run.lives if each.told) / 1000
        return [
            *found,
            Figure(name="accuracy.failed_percent", value=100 * self.run.failed / samples, of=f"{samples} card samples"),
            Figure(name="accuracy.failed_s", value=failed_s, of="time of cards told as nvml_failed"),
            Figure(name="accuracy.bridged_s", value=bridged_s, of="held time told as bridged"),
            Figure(name="accuracy.strangers_s", value=self.run.strangers_ms / 1000, of="stale entries of reused pids"),
        ]

    def table(self) -> str:
        """What stands in docs/performance.md."""
        plan, lines = self.run.plan, []
        lines.append(f"{plan.tenants} processes of {plan.shortest_ms} to {plan.longest_ms} ms, a sample each")
        lines.append(f"{plan.sample_ms} ms, clock x {plan.scale}; metered less true, in ms")
        lines.append(
            f"{'':32}{'lives':>7}{'unseen %':>10}" + "".join(f"{each:>12}" for each in SHOWN) + f"{'held %':>9}"
        )
        for mode, name in MODES.items():
            for group, belongs in self.groups().items():
                found = [each for each in self.run.lives if each.accounted is mode and belongs(each)]
                values = _of_group(found)
                cells = "".join(f"{values.get(each, 0):>12,.1f}" for each in SHOWN)
                unseen, held = values.get("unseen_percent", 0), values.get("held_percent", 0)
                lines.append(f"{name + ' ' + group:32}{len(found):>7}{unseen:>10.1f}{cells}{held:>+9.2f}")
        return "\n".join(lines)

    def broken(self) -> list[str]:
        """Promises that do not hold."""
        found = []
        undisturbed = self.groups()["undisturbed"]
        fast_ms = self.run.plan.scale // 10  # what a fast clock makes of the moment between two looks at it
        for life in filter(undisturbed, self.run.lives):
            told = life.told
            limit_ms = self.gap_ms(life) + 25  # the lists name a process up to 20 ms late
            if life.accounted:
                exact = told is not None and len(told.spans) == 1
                # A start that lies within a microsecond of the next millisecond may be noted in that one.
                exact = exact and -fast_ms <= start_error(life) <= 1 + fast_ms
                if not exact or not -1 - fast_ms <= end_error(life) <= fast_ms:
                    found.append(f"accounting mode gives whole milliseconds: {life}")
            elif told is None:
                if (life.ended_ns - life.began_ns) / MS_NS > limit_ms:
                    found.append(f"longer than a sample interval, and not seen: {life}")
            elif not -limit_ms <= start_error(life) <= limit_ms or not -limit_ms <= end_error(life) <= limit_ms:
                found.append(f"off by more than a sample interval ({limit_ms} ms): {life}")
        seen = sum(len(each.failed) for each in self.run.taken)
        if seen != self.run.failed:
            found.append(f"the driver failed {self.run.failed} readings of cards, the agent knows of {seen}")
        for card in self._failed:
            by_samples, by_records = failed_ms(self.run, card)
            if by_samples != by_records:
                found.append(f"{card}: {by_samples} ms around failed samples, and records of {by_records} ms")
        return found


def _marked(life: Life) -> bool:
    return bool(life.flags & (STALE | LOST | REUSED)) or life.missed


def start_error(life: Life) -> int:
    return life.told.spans[0].start_ms - life.began_ns // MS_NS if life.told else 0


def end_error(life: Life) -> int:
    return life.told.spans[-1].end_ms - life.ended_ns // MS_NS if life.told else 0


def _of_group(lives: Sequence[Life]) -> dict[str, float]:
    if not lives:
        return {}
    told = [each for each in lives if each.told]
    metered_ms = sum(span.length_ms for each in lives if each.told for span in each.told.spans)
    true_ms = sum(each.ended_ns - each.began_ns for each in lives) / MS_NS
    found = {
        "unseen_percent": 100 * (1 - len(told) / len(lives)),
        "held_percent": 100 * (metered_ms / true_ms - 1),
    }
    for end, error in (("start", start_error), ("end", end_error)):
        errors = sorted(error(each) for each in told)
        if errors:
            found[f"{end} mean"] = sum(errors) / len(errors)
            found.update({f"{end} {word}": _at(errors, part) for word, part in PERCENTILES.items()})
    return found


def _at(ordered: Sequence[float], part: float) -> float:
    return ordered[max(0, ceil(part * len(ordered)) - 1)]


def _delays(name: str, lives: Sequence[Life]) -> list[Figure]:
    """From a start to the first record of it that the spool is given, and from an end to the last."""
    begun = sorted(each.told.first_ms - each.began_ns / MS_NS for each in lives if each.told)
    ended = sorted(each.told.last_ms - each.ended_ns / MS_NS for each in lives if each.told)
    return [
        Figure(name=f"{name}.{word}_to_record_s.{which}", value=_at(delays, part) / 1000, of=f"{len(delays)} lives")
        for word, delays in (("start", begun), ("end", ended))
        if delays
        for which, part in PERCENTILES.items()
    ]
