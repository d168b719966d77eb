"""The real engine, once for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with open_warehouse(WarehouseSettings(), tmp_path_factory.mktemp("home")) as opened:
        yield opened
