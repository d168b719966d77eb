"""Opening the usage store, with the ``[warehouse]`` settings of the same file. Imports the engine only then.

A page asks a question or two, and finding the store costs more than they do: the portal keeps what it has found.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cardhour_billing.config import BillingConfig
from cardhour_contract.settings import Loader

Place = tuple[str, str, str]
"""What tells one usage store from another: its address first."""

if TYPE_CHECKING:
    from cardhour_billing.usage.ledger import Ledger
    from cardhour_ingest.warehouse.client import Warehouse
    from cardhour_ingest.warehouse.connect import WarehouseSettings


def warehouse_settings(config: BillingConfig) -> WarehouseSettings:
    """Section ``[warehouse]``."""
    from cardhour_ingest.warehouse.connect import WarehouseSettings

    loader = Loader(config.settings_file)
    settings = loader.section("warehouse", WarehouseSettings)
    loader.finish()
    return settings


@contextmanager
def opened_warehouse(config: BillingConfig) -> Iterator[Warehouse]:
    """The warehouse of this installation, closed again when the block ends."""
    from cardhour_ingest.warehouse.connect import open_warehouse

    with open_warehouse(warehouse_settings(config), config.home) as warehouse:
        yield warehouse


@contextmanager
def opened_ledger(config: BillingConfig) -> Iterator[Ledger]:
    """The usage ledger of this installation, as billing asks it."""
    from cardhour_billing.usage.ledger import WarehouseLedger

    with opened_warehouse(config) as warehouse:
        yield WarehouseLedger(warehouse)


@contextmanager
def kept_warehouse(config: BillingConfig) -> Iterator[Warehouse]:
    """As ``opened_warehouse``, for who asks again and again: a connection is kept for the next block, of any thread.

    Not where the engine would run in this process: it would shut every other command out.
    """
    from cardhour_ingest.warehouse.connect import open_warehouse

    settings = warehouse_settings(config)
    warehouse = _idle.take(_place(settings, config.home)) or open_warehouse(settings, config.home)
    try:
        yield warehouse
    except BaseException:
        warehouse.close()  # it may be why
        raise
    _idle.give(None if warehouse.target.embedded else _place(settings, config.home), warehouse)


class _Idle:
    """Connections between two uses. One that no longer leads to where the usage store is now is closed."""

    KEPT_MAX = 4
    """As many as pages are answered at once."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: list[tuple[Place, Warehouse]] = []

    def take(self, place: Place | None) -> Warehouse | None:
        while True:
            with self._guard:
                if not self._held:
                    return None
                known, warehouse = self._held.pop()
            if known == place:
                return warehouse
            warehouse.close()

    def give(self, place: Place | None, warehouse: Warehouse) -> None:
        with self._guard:
            if place and place[0] == warehouse.target.url and len(self._held) < self.KEPT_MAX:
                self._held.append((place, warehouse))
                return
        warehouse.close()


_idle = _Idle()


def _place(settings: WarehouseSettings, home: Path) -> Place | None:
    """The server, or the process that serves the engine of ``home``; None where nobody does."""
    from cardhour_ingest.warehouse import engine

    if settings.url:
        return settings.url, settings.user, settings.database
    served = engine.notice(home)
    return (served.url, served.token, settings.database) if served else None
