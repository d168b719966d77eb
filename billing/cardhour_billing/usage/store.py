"""Opening the usage store, with the ``[warehouse]`` settings of the same file. Imports the engine only then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cardhour_billing.config import BillingConfig
from cardhour_contract.settings import Loader

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
