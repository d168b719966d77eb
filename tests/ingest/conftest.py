"""A broker and an engine that are busy with other tests answer late, and nobody here gives up for that."""

from __future__ import annotations

import pytest

from cardhour_contract import stream as reaching
from cardhour_ingest import kafka_source, kafka_topics
from tests.ingest.streams import DEADLINE_S


@pytest.fixture(autouse=True)
def nobody_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test in which a time must run out sets it itself."""
    monkeypatch.setattr(reaching, "REACH_S", DEADLINE_S)
    monkeypatch.setattr(kafka_topics, "BOOTSTRAP_MS", DEADLINE_S * 1000)
    monkeypatch.setattr(kafka_source, "COMMIT_MS", DEADLINE_S * 1000)
    monkeypatch.setattr(kafka_source, "PUBLISH_S", DEADLINE_S)
