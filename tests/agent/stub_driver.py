"""The stub library as a driver that can be told what goes wrong while others use it."""

from __future__ import annotations

from pathlib import Path


class StubDriver:
    """Told by a file that the library reads at every call, from whatever process."""

    def __init__(self, library: Path, told: Path, tenant: int = 100) -> None:
        self._told = told
        self._tenant = tenant
        self._ended: tuple[int, ...] = ()
        self.environment = {"LD_LIBRARY_PATH": str(library), "STUB_NVML_FILE": str(told)}
        self.now("well")

    def now(self, trouble: str, tenant: int | None = None, ended: tuple[int, int, int] | None = None) -> None:
        """What goes wrong from here on, and the pid that holds the first card.

        ``ended``: what accounting mode notes of a process: pid, start in microseconds since 1970, life in ms.
        """
        self._tenant = tenant or self._tenant
        self._ended = ended or self._ended
        words = (trouble, self._tenant, *self._ended)
        fresh = self._told.with_suffix(".new")
        fresh.write_text(" ".join(map(str, words)) + "\n", encoding="ascii")
        fresh.replace(self._told)  # whole, as it is read often
