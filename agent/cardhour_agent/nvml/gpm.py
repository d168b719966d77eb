"""Activity of MIG instances, from the GPU performance monitoring of Hopper and later.

Owns the samples that it takes, and dividing them into an instance's activity. Does not own whose activity it is:
where one process is on an instance it is that process's, among several the driver does not tell (``device``).

The driver measures GPU instances. Compute instances that share one have no activity of their own, and none is made up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isfinite
from typing import Any

import pynvml
from pynvml import NVMLError

from cardhour_agent.nvml.asking import Asking
from cardhour_agent.nvml.codes import FAULTS, word_of
from cardhour_contract.record import ACTIVE_WHOLE, ScannedCard

PERCENT = ACTIVE_WHOLE // 100


class InstanceActivity:
    """One sample of each instance, kept from reading to reading."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._supported: dict[str, bool] = {}
        self._samples: dict[str, Any] = {}

    def read(self, parent: Any, gpu: str, instances: Sequence[tuple[Any, ScannedCard]]) -> dict[str, int]:
        """Mean activity since the last reading, in 1e-4 percent, of each instance of a GPU for which it is known."""
        if not self._supports(parent, gpu):
            return {}
        numbered = [(self._number(handle, card), card) for handle, card in instances]
        shared = Counter(number for number, _ in numbered)
        found = {}
        for number, card in numbered:
            if number is None or shared[number] > 1:
                continue
            active = self._activity(parent, number, card.card)
            if active is not None:
                found[card.card] = active
        return found

    def keep_only(self, cards: set[str]) -> None:
        """Let go of the samples of instances that are no more."""
        for card in self._samples.keys() - cards:
            self._free(self._samples.pop(card))

    def close(self) -> None:
        """Before the driver is closed: samples are its memory. What it supports is asked anew afterwards."""
        self.keep_only(set())
        self._supported.clear()

    def _supports(self, parent: Any, gpu: str) -> bool:
        if gpu not in self._supported:
            support = self._asking.ask(gpu, "activity", pynvml.nvmlGpmQueryDeviceSupport, parent)
            self._supported[gpu] = support is not None and bool(support.isSupportedDevice)
            if support is not None and not support.isSupportedDevice:
                self._asking.tell("not_measured", card=gpu, what="activity", reason="not_supported")
        return self._supported[gpu]

    def _number(self, handle: Any, card: ScannedCard) -> int | None:
        number = self._asking.ask(card.card, "instance_number", pynvml.nvmlDeviceGetGpuInstanceId, handle)
        return None if number is None else int(number)

    def _activity(self, parent: Any, number: int, card: str) -> int | None:
        """Who holds the instance is known without it: what fails is not measured, unless the GPU itself is lost."""
        try:
            return self._since_last(parent, number, card)
        except NVMLError as error:
            if word_of(error.value) in FAULTS:
                raise
            self._asking.tell("not_measured", card=card, what="activity", reason=word_of(error.value))
            return None

    def _since_last(self, parent: Any, number: int, card: str) -> int | None:
        """The new sample takes the last one's place, also where the two tell nothing together."""
        now = pynvml.nvmlGpmSampleAlloc()
        try:
            pynvml.nvmlGpmMigSampleGet(parent, number, now)
        except NVMLError:
            self._free(now)
            raise
        before, self._samples[card] = self._samples.get(card), now
        if before is None:
            return None
        # Where the instance was made anew under the same name, the two do not fit: the next two do.
        try:
            return _between(before, now)
        finally:
            self._free(before)

    def _free(self, sample: Any) -> None:
        try:
            pynvml.nvmlGpmSampleFree(sample)
        except NVMLError as error:
            self._asking.tell("sample_not_freed", reason=word_of(error.value))


def _between(before: Any, now: Any) -> int | None:
    """Share of the time in which some context of the instance was active; as utilisation is of a whole GPU."""
    asked = pynvml.c_nvmlGpmMetricsGet_t()
    asked.version = pynvml.NVML_GPM_METRICS_GET_VERSION
    asked.numMetrics = 1
    asked.sample1, asked.sample2 = before, now
    asked.metrics[0].metricId = pynvml.NVML_GPM_METRIC_GRAPHICS_UTIL
    pynvml.nvmlGpmMetricsGet(asked)
    metric = asked.metrics[0]
    # A reading beyond a whole card is refused, as everywhere, save for what two clocks make of a full one.
    if metric.nvmlReturn != pynvml.NVML_SUCCESS or not isfinite(metric.value) or not 0 <= metric.value < 101:
        return None
    return min(ACTIVE_WHOLE, int(metric.value * PERCENT))
