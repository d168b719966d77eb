"""Wire bytes: what stands on the topic, and what becomes of bytes that should not be there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardhour_contract.errors import InvariantBroken, Reject
from cardhour_contract.moment import MINUTE_MS, parse_rfc3339
from cardhour_contract.record import (
    Attribution,
    Basis,
    CardRecord,
    CardState,
    Fault,
    Process,
    Report,
    Scan,
    ScannedCard,
    UsageRecord,
)
from cardhour_contract.wire import (
    BODY_BYTES_MAX,
    PACKED,
    ROWS,
    Envelope,
    column_bytes,
    column_values,
    decode,
    encode_packed,
    encode_rows,
    envelope_headers,
    pack,
    read_envelope,
    read_report,
)

GOLDEN = Path(__file__).parent / "golden"
AT_MS = parse_rfc3339("2026-03-01T10:00:00Z")

REPORT = Report(
    node="node-1",
    cluster="cluster-1",
    boot_id="6f1c1d0a-2f3e-4c3b-9a60-0f4c1e6f7a11",
    started_at_ms=AT_MS,
    ended_at_ms=AT_MS + MINUTE_MS,
    wall_ms=AT_MS + MINUTE_MS + 7,
    monotonic_ms=123_456_789,
    ntp_synced=True,
    usage=(
        UsageRecord(
            card="GPU-a",
            process=2**64 - 1,
            owner="k8s:team-a",
            workload="训练-1",
            started_at_ms=AT_MS,
            ended_at_ms=AT_MS + MINUTE_MS,
            active=999_999 * MINUTE_MS,
            memory=80 * 2**30 * MINUTE_MS,
        ),
        UsageRecord(
            card="GPU-a",
            process=2,
            owner="unknown:exited",
            workload="process:0000000000000002",
            share=250,
            started_at_ms=AT_MS + 1,
            ended_at_ms=AT_MS + 2,
            basis=Basis.ALLOCATION,
            bridged=True,
        ),
    ),
    cards=(
        CardRecord(card="GPU-a", started_at_ms=AT_MS, ended_at_ms=AT_MS + MINUTE_MS, energy_mj=18_000_000),
        CardRecord(card="GPU-b", started_at_ms=AT_MS, ended_at_ms=AT_MS + MINUTE_MS, state=CardState.NVML_FAILED),
    ),
    scan=Scan(
        at_ms=AT_MS,
        cards=(
            ScannedCard(card="GPU-a", model="H100", memory_bytes=80 * 2**30),
            ScannedCard(card="GPU-b", model="H100"),
        ),
    ),
    faults=(Fault(card="GPU-b", opened_at_ms=AT_MS, reason="xid:79"),),
    attributions=(Attribution(process=2, owner="slurm:physics", workload="job-7", share=250),),
    processes=(
        Process(process=2, pid=4242, start_ticks=99, uid=1000, command="python", cgroup="/", container_id="c0"),
    ),
)
"""One of everything."""


def test_the_bytes_of_a_report_are_what_they_always_were() -> None:
    """A change here is a new version of the format: what older agents spooled must still be read."""
    assert encode_packed(REPORT) == (GOLDEN / "report.msgpack").read_bytes()


def test_the_rows_of_a_report_are_what_they_always_were() -> None:
    assert json.loads(encode_rows(REPORT)) == json.loads((GOLDEN / "report.json").read_text(encoding="utf-8"))


def test_golden_bytes_are_still_read() -> None:
    packed = decode((GOLDEN / "report.msgpack").read_bytes(), PACKED)
    assert packed == decode((GOLDEN / "report.json").read_bytes(), ROWS) == pack(REPORT)
    assert packed.strings == ("GPU-a", "k8s:team-a", "unknown:exited", "训练-1", "process:0000000000000002", "GPU-b")
    assert column_values("Q", packed.usage.process).tolist() == [2**64 - 1, 2]
    assert (packed.usage_rows, packed.card_rows) == (2, 2)


def test_the_headers_of_a_message_are_what_they_always_were() -> None:
    envelope = Envelope(id="node-1/boot/abcd-7", source="/nodes/node-1", sent_at_ms=AT_MS + 5)
    headers = envelope_headers(envelope)
    assert headers == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"node-1/boot/abcd-7"),
        ("ce_source", b"/nodes/node-1"),
        ("ce_type", b"cardhour.usage.report.v1"),
        ("content-type", b"application/vnd.cardhour.report.v1+msgpack"),
        ("ce_time", b"2026-03-01T10:00:00.005Z"),
    ]
    assert read_envelope(headers) == envelope
    assert read_envelope([*headers, ("traceparent", b"00-1")]) == envelope


@pytest.mark.parametrize("missing", ["ce_specversion", "ce_id", "ce_source", "ce_type", "content-type"])
def test_a_missing_header_is_named(missing: str) -> None:
    headers = [each for each in envelope_headers(Envelope(id="i", source="/nodes/n")) if each[0] != missing]
    with pytest.raises(Reject) as found:
        read_envelope(headers)
    assert (found.value.reason, found.value.path) == ("bad_envelope", f"headers.{missing}")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("ce_specversion", b"2.0", "bad_envelope"),
        ("ce_type", b"cardhour.usage.report.v2", "unknown_type"),
        ("ce_time", b"yesterday", "bad_envelope"),
        ("ce_id", b"\xff", "bad_envelope"),
    ],
)
def test_a_wrong_header_is_rejected(name: str, value: bytes, reason: str) -> None:
    headers = dict(envelope_headers(Envelope(id="i", source="/nodes/n")))
    with pytest.raises(Reject) as found:
        read_report(read_envelope([*(headers | {name: value}).items()]), encode_packed(REPORT))
    assert found.value.reason == reason


def as_map(content_type: str) -> dict[str, Any]:
    """The golden report as plain values."""
    if content_type == PACKED:
        return dict(msgspec.msgpack.decode(encode_packed(REPORT)))
    return dict(msgspec.json.decode(encode_rows(REPORT)))


def encoded(values: dict[str, Any], content_type: str) -> bytes:
    return msgspec.msgpack.encode(values) if content_type == PACKED else msgspec.json.encode(values)


@pytest.mark.parametrize("content_type", [PACKED, ROWS])
def test_a_field_from_the_future_is_ignored(content_type: str) -> None:
    values = as_map(content_type) | {"firmware": "1.2.3"}
    assert decode(encoded(values, content_type), content_type) == pack(REPORT)


@pytest.mark.parametrize("content_type", [PACKED, ROWS])
@pytest.mark.parametrize(
    "name", ["node", "cluster", "boot_id", "started_at_ms", "ended_at_ms", "wall_ms", "monotonic_ms"]
)
def test_a_missing_field_is_named(content_type: str, name: str) -> None:
    values = as_map(content_type)
    del values[name]
    with pytest.raises(Reject, match=f"missing required field `{name}`"):
        decode(encoded(values, content_type), content_type)


def test_a_mistyped_field_is_rejected_with_its_path() -> None:
    values = as_map(ROWS)
    values["usage"][1]["share"] = "half"
    with pytest.raises(Reject) as found:
        decode(encoded(values, ROWS), ROWS)
    assert (found.value.reason, found.value.path) == ("bad_payload", "$.usage[1].share")


def test_a_number_that_does_not_fit_its_column_is_rejected() -> None:
    values = as_map(ROWS)
    values["usage"][0]["process"] = -1
    with pytest.raises(Reject, match="bad_payload"):
        decode(encoded(values, ROWS), ROWS)


@pytest.mark.parametrize("cut", [1, 8])
def test_columns_of_different_lengths_are_rejected(cut: int) -> None:
    values = as_map(PACKED)
    values["usage"]["memory"] = values["usage"]["memory"][:-cut]
    with pytest.raises(Reject) as found:
        decode(encoded(values, PACKED), PACKED)
    assert found.value.path == "$.usage.memory"


def test_a_body_of_another_kind_or_size_is_rejected() -> None:
    with pytest.raises(Reject, match="unknown_content_type"):
        decode(b"{}", "application/json")
    with pytest.raises(Reject, match="too_large"):
        decode(b" " * (BODY_BYTES_MAX + 1), ROWS)


def test_a_report_too_large_to_be_read_is_never_written() -> None:
    large = msgspec.structs.replace(REPORT, processes=REPORT.processes * 20_000)
    with pytest.raises(InvariantBroken, match="report more often"):
        encode_packed(large)


@given(st.binary(max_size=300), st.sampled_from([PACKED, ROWS]))
def test_random_bytes_are_rejected_and_nothing_worse(body: bytes, content_type: str) -> None:
    with pytest.raises(Reject):
        decode(body, content_type)


@given(st.data())
def test_a_damaged_report_is_read_or_rejected_and_nothing_worse(data: st.DataObject) -> None:
    body = bytearray(encode_packed(REPORT))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(body), PACKED)
    except Reject as error:
        assert error.path.startswith("$")


@given(st.sampled_from("BHIQ").flatmap(
    lambda code: st.tuples(st.just(code), st.lists(st.integers(0, 2 ** {"B": 8, "H": 16, "I": 32, "Q": 64}[code] - 1)))
))  # fmt: skip
def test_a_column_survives_being_packed(case: tuple[str, list[int]]) -> None:
    code, values = case
    assert column_values(code, column_bytes(code, values)).tolist() == values
