"""The portal's connections to the usage store: kept between pages, and never to where the store is not any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from cardhour_billing.config import BillingConfig, load_config
from cardhour_billing.usage.store import kept_warehouse
from cardhour_contract.errors import Retry
from tests.services.engine import EngineProcess


@pytest.fixture
def config(served_engine: EngineProcess, tmp_path: Path) -> BillingConfig:
    """An installation whose usage is kept where the engine of this session serves it."""
    with served_engine.empty_warehouse() as warehouse:
        target = warehouse.target
    (tmp_path / "cardhour.toml").write_text(
        f'[warehouse]\nurl = "{target.url}"\ndatabase = "{target.database}"\npassword = "{target.password.reveal()}"\n'
    )
    return load_config({"CARDHOUR_HOME": str(tmp_path)})


def test_a_page_takes_the_connection_of_the_page_before(config: BillingConfig) -> None:
    with kept_warehouse(config) as first:
        assert first.value("SELECT 1") == 1
        with kept_warehouse(config) as beside:
            assert beside is not first, "two pages at once have a connection each"
    with kept_warehouse(config) as again:
        assert again in (first, beside)
        assert again.value("SELECT 2") == 2


def test_a_connection_over_which_something_went_wrong_is_not_used_again(config: BillingConfig) -> None:
    with pytest.raises(Retry), kept_warehouse(config) as broken:
        raise Retry("the engine went away in the middle of a page")
    with kept_warehouse(config) as fresh:
        assert fresh is not broken


def test_a_connection_leads_nowhere_but_where_the_settings_point_now(
    config: BillingConfig, served_engine: EngineProcess, tmp_path: Path
) -> None:
    with kept_warehouse(config) as before:
        pass
    with served_engine.empty_warehouse() as other:
        target = other.target
    file = tmp_path / "cardhour.toml"
    file.write_text(file.read_text().replace(before.target.database, target.database))
    with kept_warehouse(config) as after:
        assert after.target.database == target.database
