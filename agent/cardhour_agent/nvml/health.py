"""What is wrong with a GPU: Xid events, uncorrectable ECC errors, a reset that it needs.

Owns the event set and the error counts. Does not own whether a GPU answers at all (``device``), or what a fault costs.
"""

from __future__ import annotations

from typing import Any

import pynvml
import structlog
from pynvml import NVMLError

from cardhour_agent.nvml.asking import Asking
from cardhour_agent.nvml.codes import FAULTS, RESET_ACTIONS, SUCCESS, TIMEOUT, word_of

EVENTS_MAX = 100
"""Events taken in one reading, so that a storm of them cannot keep the sampler from its next sample."""

_log = structlog.get_logger("cardhour.nvml")


class Health:
    """The health of one node's GPUs, while one driver session is open."""

    def __init__(self, asking: Asking, xid_faults: frozenset[int]) -> None:
        self._asking = asking
        self._xid_faults = xid_faults
        self._ecc_errors: dict[str, int] = {}
        self._events: Any = None
        self._watched: set[str] = set()

    def closed(self) -> None:
        """The driver session ended, and the event set with it; error counts are the driver's, and go on."""
        self._events = None
        self._watched.clear()

    def watch(self, handle: Any, uuid: str) -> None:
        """Have the driver keep this GPU's Xid events for us."""
        if uuid in self._watched:
            return
        self._watched.add(uuid)
        try:
            if self._events is None:
                self._events = pynvml.nvmlEventSetCreate()
            pynvml.nvmlDeviceRegisterEvents(handle, pynvml.nvmlEventTypeXidCriticalError, self._events)
        except NVMLError as error:
            self._asking.tell("xid_events", card=uuid, reason=word_of(error.value))

    def xids(self) -> dict[str, str]:
        """Faults by card from the Xid events since the last reading."""
        struck: dict[str, str] = {}
        for _ in range(EVENTS_MAX if self._events is not None else 0):
            try:
                event = pynvml.nvmlEventSetWait_v2(self._events, 0)
                uuid = pynvml.nvmlDeviceGetUUID(event.device)
            except NVMLError as error:
                if error.value != TIMEOUT:
                    self._asking.tell("xid_events", reason=word_of(error.value))
                break
            _log.warning("xid", card=uuid, xid=int(event.eventData))
            if event.eventData in self._xid_faults:
                struck.setdefault(uuid, f"xid:{event.eventData}")
        return struck

    def of(self, handle: Any, uuid: str) -> str | None:
        """What the GPU reports of itself: a reset that it needs, or new uncorrectable ECC errors."""
        try:
            action = self._asking.ask(uuid, "recovery_action", _recovery_action, handle)
            errors = self._asking.ask(uuid, "ecc", _uncorrectable_errors, handle)
        except NVMLError as error:
            word = word_of(error.value)
            self._asking.tell("health_failed", card=uuid, reason=word)
            return word if word in FAULTS else None
        if errors is not None:
            before, self._ecc_errors[uuid] = self._ecc_errors.get(uuid, errors), errors
            if errors > before:
                return "ecc_uncorrectable"
        return "reset_required" if action in RESET_ACTIONS else None


def _recovery_action(handle: Any) -> int:
    """What the driver wants done with the GPU; 0 is nothing."""
    value = pynvml.nvmlDeviceGetFieldValues(handle, [pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION])[0]
    if value.nvmlReturn != SUCCESS:
        raise NVMLError(value.nvmlReturn)
    return int(value.value.uiVal)


def _uncorrectable_errors(handle: Any) -> int:
    """Since the driver was loaded."""
    return int(
        pynvml.nvmlDeviceGetTotalEccErrors(handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC)
    )
