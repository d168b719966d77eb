"""Whose word is taken: signed messages of enrolled nodes, and nobody's word about another node."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from cardhour_contract.clock import VirtualClock
from cardhour_contract.errors import Refuse, Reject
from cardhour_contract.moment import HOUR_MS, MINUTE_MS
from cardhour_contract.record import Fault, Report, Scan, ScannedCard
from cardhour_contract.settings import StreamSettings
from cardhour_contract.signing import PublicKey, SigningKey
from cardhour_ingest import config, service
from cardhour_ingest.loop import drain
from cardhour_ingest.reading import read
from cardhour_ingest.replay import replay, waiting
from cardhour_ingest.source import Message
from cardhour_ingest.trust import ASK_AGAIN_MS, KEYS_AGE_MS, EnrolledNodes, KeyRing
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.node_keys import (
    enrolment,
    keys_by_id,
    node_keys,
    record,
    reports_since,
    revocation,
    rotation,
)
from tests.ingest.reports import AT_MS, NODE, message, report
from tests.ingest.skewed import Delivered

OURS, NEW, OTHERS, STRANGERS = (SigningKey(bytes([number]) * 32) for number in range(4))


def signed(key: SigningKey, sent: Report | None = None, *, number: int = 1) -> Message:
    """A report as it arrives, a second after it was made."""
    found = message(sent or report(), number=number)
    return structs.replace(found, headers=key.sign(found.headers, found.body))


def enrol(warehouse: Warehouse, node: str, key: PublicKey) -> None:
    record(warehouse, enrolment(warehouse, node, key), "lin")


@pytest.fixture
def fleet(warehouse: Warehouse) -> Warehouse:
    """Two nodes, each with a key of its own."""
    enrol(warehouse, NODE, OURS.public)
    enrol(warehouse, "node-2", OTHERS.public)
    return warehouse


def verdict(warehouse: Warehouse, arrived: Message, *, required: bool = True) -> str:
    """The reason for which a message becomes a dead letter; empty for one that is believed."""
    try:
        source = dict(arrived.headers)["ce_source"].decode()
        EnrolledNodes(keys_by_id(warehouse), {}, required=required).check(arrived, source)
    except Reject as error:
        return error.reason
    return ""


def test_a_node_is_believed_about_itself(fleet: Warehouse) -> None:
    assert verdict(fleet, signed(OURS)) == ""


def test_what_is_not_signed_by_the_nodes_own_key_is_rejected_with_its_reason(fleet: Warehouse) -> None:
    good = signed(OURS)
    assert verdict(fleet, message(report())) == "unsigned"
    assert verdict(fleet, structs.replace(good, body=good.body + b"\0")) == "bad_signature"
    assert verdict(fleet, signed(STRANGERS)) == "unknown_key"
    assert verdict(fleet, signed(OTHERS)) == "wrong_key", "node-2 may not speak for node-1"
    claims_ours = [
        (name, OURS.public.key_id.encode() if name == "ce_keyid" else value)
        for name, value in signed(STRANGERS).headers
    ]
    assert verdict(fleet, structs.replace(good, headers=claims_ours)) == "bad_signature"


def test_where_signatures_are_not_required_nobody_speaks_for_another_all_the_same(fleet: Warehouse) -> None:
    assert verdict(fleet, message(report()), required=False) == ""
    assert verdict(fleet, signed(STRANGERS), required=False) == "", "not enrolled yet: signing begins before requiring"
    assert verdict(fleet, signed(OTHERS), required=False) == "wrong_key"


def test_the_payload_must_be_the_nodes_too(fleet: Warehouse) -> None:
    """The key and ce_source agree, and the report inside is another node's."""
    lying = structs.replace(signed(OURS), body=message(report(node="node-2")).body)
    lying = structs.replace(lying, headers=OURS.sign(message(report()).headers, lying.body))
    clock = VirtualClock(AT_MS)
    drain(Delivered([lying]), fleet, keys=KeyRing(fleet, required=True, clock=clock))
    assert [(each.reason, each.path) for each in waiting(fleet)] == [("wrong_source", "$.node")]


def listing(node: str, at_ms: int = AT_MS, **changes: Any) -> Report:
    """A report with a scan that lists the card it is about."""
    scan = Scan(at_ms=at_ms, cards=(ScannedCard(card="GPU-1", model="H100"),))
    return report(node=node, wall_ms=at_ms + MINUTE_MS, scan=scan, **changes)


@pytest.mark.parametrize(
    "about",
    [
        {"cards": ()},
        {"usage": ()},
        {"usage": (), "cards": (), "faults": (Fault(card="GPU-1", opened_at_ms=AT_MS, reason="xid:79"),)},
    ],
    ids=["usage", "card", "fault"],
)
def test_a_node_does_not_speak_of_cards_that_it_has_never_listed(fleet: Warehouse, about: dict[str, Any]) -> None:
    keys = KeyRing(fleet, required=True, clock=VirtualClock(AT_MS))
    sent = [signed(OURS, listing(NODE)), signed(OTHERS, report(node="node-2", **about), number=2)]
    totals = drain(Delivered(sent), fleet, keys=keys)
    assert (totals.messages, totals.dead_letters) == (2, 1)
    (letter,) = waiting(fleet)
    assert (letter.reason, letter.node) == ("wrong_card", "node-2")
    # The card moves, and its new node says so: what was sent too early counts after a replay.
    later = KeyRing(fleet, required=True, clock=VirtualClock(AT_MS))
    assert drain(Delivered([signed(OTHERS, listing("node-2"), number=3)]), fleet, keys=later).dead_letters == 0
    assert [each.accepted for each in replay(fleet, [letter], clock=VirtualClock(AT_MS), who="lin")] == [True]


@pytest.mark.parametrize("required", [True, False])
def test_a_revoked_key_is_refused_by_arrival_to_the_millisecond(fleet: Warehouse, required: bool) -> None:
    arrived = signed(OURS)
    for from_ms in (arrived.received_at_ms + 1, arrived.received_at_ms):
        record(fleet, revocation(fleet, NODE, (), from_ms, "stolen"), "lin")
        expected = "revoked_key" if from_ms == arrived.received_at_ms else ""
        assert verdict(fleet, arrived, required=required) == expected
    assert revocation(fleet, NODE, (), AT_MS + HOUR_MS, "again") == [], "the earliest revocation counts"
    (key,) = node_keys(fleet, NODE)
    assert (key.revoked_from_ms, key.reason, key.enrolled_by) == (arrived.received_at_ms, "stolen", "lin")


def test_a_report_of_a_newer_version_is_no_way_past_the_signature(fleet: Warehouse) -> None:
    """Its letter is replayed after an upgrade without being asked for a signature again."""
    newer = [("ce_type", b"cardhour.usage.report.v2")]
    unsigned = structs.replace(message(report()), headers=[*message(report()).headers, *newer])
    for required, reason in ((True, "unsigned"), (False, "unknown_type")):
        with pytest.raises(Reject) as found:
            read(unsigned, trust=EnrolledNodes(keys_by_id(fleet), {}, required=required))
        assert found.value.reason == reason


def test_a_rotation_overlaps(fleet: Warehouse) -> None:
    until_ms = AT_MS + HOUR_MS
    record(fleet, rotation(fleet, NODE, NEW.public, until_ms), "lin")
    for key in (OURS, NEW):
        assert verdict(fleet, signed(key)) == ""
    late = until_ms - 1_000
    assert verdict(fleet, signed(NEW, report(wall_ms=late))) == ""
    assert verdict(fleet, signed(OURS, report(wall_ms=late))) == "revoked_key"
    assert rotation(fleet, NODE, NEW.public, until_ms) == [], "a rotation that is repeated changes nothing"


def test_enrolling_refuses_what_would_blur_whose_a_key_is(fleet: Warehouse) -> None:
    assert enrolment(fleet, NODE, OURS.public) == []
    with pytest.raises(Refuse, match="node 'node-2''s"):
        enrolment(fleet, NODE, OTHERS.public)
    with pytest.raises(Refuse, match="has no other key"):
        rotation(fleet, "node-3", NEW.public, AT_MS)
    with pytest.raises(Refuse, match="has no key"):
        revocation(fleet, "node-3", (), AT_MS, "gone")
    with pytest.raises(Refuse, match="has no key 12ab"):
        revocation(fleet, NODE, ["12ab"], AT_MS, "gone")
    record(fleet, revocation(fleet, NODE, (), AT_MS, "stolen"), "lin")
    with pytest.raises(Refuse, match="was revoked from 2026-03-01T10:00:00Z"):
        enrolment(fleet, NODE, OURS.public)


def test_letters_that_came_before_the_enrolment_are_replayed(warehouse: Warehouse) -> None:
    keys = KeyRing(warehouse, required=True, clock=VirtualClock(AT_MS))
    early, unsigned = signed(OURS), message(report(started_at_ms=AT_MS + 1), number=2)
    drain(Delivered([early, unsigned]), warehouse, keys=keys)
    assert [each.reason for each in waiting(warehouse)] == ["unknown_key", "unsigned"]
    enrol(warehouse, NODE, OURS.public)
    done = replay(warehouse, waiting(warehouse), clock=VirtualClock(AT_MS), who="lin")
    assert [(each.accepted, each.reason) for each in done] == [(True, ""), (False, "unsigned")]
    assert reports_since(warehouse, NODE, early.received_at_ms) == 1
    done = replay(warehouse, waiting(warehouse), clock=VirtualClock(AT_MS + 1), who="lin", unsigned=True)
    assert [each.accepted for each in done] == [True], "staff may vouch for it themselves"


def test_enrolments_and_revocations_are_followed_without_a_restart(warehouse: Warehouse) -> None:
    clock = VirtualClock(AT_MS)
    keys = KeyRing(warehouse, required=True, clock=clock)

    def believed(key: SigningKey) -> bool:
        arrived = signed(key)
        keys.refresh([arrived])
        try:
            keys.check(arrived, f"/nodes/{NODE}")
        except Reject:
            return False
        return True

    assert not believed(OURS)
    enrol(warehouse, NODE, OURS.public)
    assert not believed(OURS), "an unknown key is not asked for again at once"
    clock.sleep_ms(ASK_AGAIN_MS)
    assert believed(OURS)
    record(warehouse, revocation(warehouse, NODE, (), AT_MS, "stolen"), "lin")
    clock.sleep_ms(KEYS_AGE_MS)
    assert not believed(OURS)


def test_the_service_asks_for_signatures_where_the_settings_do(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = {"CARDHOUR_HOME": str(tmp_path_factory.mktemp("home")), "CARDHOUR_INGEST_REQUIRE_SIGNATURES": "true"}
    with pytest.raises(Refuse, match="kind is spool"):
        config.load(home)
    kafka = {"CARDHOUR_STREAM_KIND": "kafka", "CARDHOUR_STREAM_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    assert config.load(home | kafka).ingest.require_signatures


def test_a_spool_needs_no_signature(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = config.load({"CARDHOUR_HOME": str(tmp_path_factory.mktemp("home"))})
    assert service.key_ring(settings, warehouse, VirtualClock(AT_MS)) is None
    through_kafka = structs.replace(settings, stream=StreamSettings(kind="kafka"))
    assert service.key_ring(through_kafka, warehouse, VirtualClock(AT_MS)) is not None


def test_a_signed_minute_is_stored_as_any_other(fleet: Warehouse) -> None:
    totals = drain(
        Delivered([signed(OURS), signed(OURS, report(started_at_ms=AT_MS + MINUTE_MS // 2), number=2)]),
        fleet,
        keys=KeyRing(fleet, required=True, clock=VirtualClock(AT_MS)),
    )
    assert (totals.messages, totals.dead_letters) == (2, 0)
