"""The agent as a whole: its parts end together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cardhour_agent import runner
from cardhour_agent.config import AgentSettings, Config
from cardhour_agent.shipper import Shipper
from cardhour_contract.errors import InvariantBroken
from cardhour_contract.settings import StreamSettings


class Broken(Shipper):
    """A shipper with a defect."""

    def run(self) -> None:
        raise InvariantBroken("this cannot be")


def test_a_shipper_that_dies_ends_the_agent_instead_of_spooling_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "Shipper", Broken)
    card = {"uuid": "GPU-1", "model": "T4"}
    scenario = tmp_path / "scenario.json"
    scenario.write_text(json.dumps({"name": "quiet", "node": [{"id": "n1", "cluster": "c", "card": [card]}]}))
    config = Config(
        home=tmp_path,
        agent=AgentSettings(node="n1", scenario=str(scenario), sample_interval_s=1),
        stream=StreamSettings(kind="kafka", bootstrap_servers=("127.0.0.1:1",)),
    )
    with pytest.raises(InvariantBroken, match="this cannot be"):
        runner.Agent(config).run()
