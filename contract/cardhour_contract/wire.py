"""Wire bytes: the only module that encodes or decodes a message (docs/wire.md).

A message is a CloudEvent in binary mode: attributes in headers, a report as the body. The content type names which of
two encodings the body has:

* packed (our agents): a msgpack map whose ``usage`` and ``cards`` are columns, each a little-endian integer array in
  one binary string, and whose strings stand once in ``strings``; a reader takes the arrays in place.
* rows (other senders): the same report as JSON, with ``usage`` and ``cards`` as lists of objects.

Both decode to a PackedReport. Unknown fields are ignored; a missing or mistyped one is a Reject with its path.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from cardhour_contract.errors import InvariantBroken, Refuse, Reject
from cardhour_contract.lengths import ColumnLengths
from cardhour_contract.moment import format_rfc3339, parse_rfc3339
from cardhour_contract.record import Attribution, CardRecord, Fault, Process, Report, Scan, UsageRecord

PACKED = "application/vnd.cardhour.report.v1+msgpack"
ROWS = "application/vnd.cardhour.report.v1+json"
REPORT_TYPE = "cardhour.usage.report.v1"

BODY_BYTES_MAX = 1_000_000
"""A report larger than this is refused: Kafka's default message limit is 1 MiB with headers."""

BRIDGED, HAS_ACTIVE, HAS_MEMORY = 1, 2, 4
"""Bits of the usage column ``flags``."""
HAS_ENERGY = 1
"""Bit of the card column ``flags``."""

USAGE_COLUMNS: dict[str, str] = {
    "card": "I", "process": "Q", "owner": "I", "workload": "I", "share": "H", "started_at_ms": "Q",
    "ended_at_ms": "Q", "basis": "B", "flags": "B", "active": "Q", "memory": "Q",
}  # fmt: skip
"""Column name → ``array`` type code (B 1, H 2, I 4, Q 8 bytes). card, owner, workload are indexes into ``strings``."""

CARD_COLUMNS: dict[str, str] = {
    "card": "I", "started_at_ms": "Q", "ended_at_ms": "Q", "state": "B", "flags": "B", "energy_mj": "Q",
}  # fmt: skip


class UsageColumns(Struct, frozen=True, kw_only=True):
    """Usage records as columns of equal length; bytes of the types in USAGE_COLUMNS, little-endian."""

    card: bytes
    process: bytes
    owner: bytes
    workload: bytes
    share: bytes
    started_at_ms: bytes
    ended_at_ms: bytes
    basis: bytes
    flags: bytes
    active: bytes
    memory: bytes


class CardColumns(Struct, frozen=True, kw_only=True):
    """Card records as columns of equal length; types in CARD_COLUMNS."""

    card: bytes
    started_at_ms: bytes
    ended_at_ms: bytes
    state: bytes
    flags: bytes
    energy_mj: bytes


class PackedReport(Struct, frozen=True, kw_only=True):
    """A report as it travels: what ingest reads. Field meanings are those of ``record.Report``."""

    node: str
    cluster: str
    boot_id: str
    basis: Literal["process", "allocation"]
    started_at_ms: int
    ended_at_ms: int
    wall_ms: int
    monotonic_ms: int
    ntp_synced: bool | None = None
    strings: tuple[str, ...]
    usage: UsageColumns
    cards: CardColumns
    scan: Scan | None = None
    faults: tuple[Fault, ...] = ()
    attributions: tuple[Attribution, ...] = ()
    processes: tuple[Process, ...] = ()

    @property
    def usage_rows(self) -> int:
        return len(self.usage.basis)

    @property
    def card_rows(self) -> int:
        return len(self.cards.state)


class Envelope(Struct, frozen=True, kw_only=True):
    """The CloudEvents attributes of one message."""

    id: str
    """Deterministic: node, boot, spool and sequence. The same report always has the same id, however often sent."""
    source: str
    """``/nodes/<node>``."""
    type: str = REPORT_TYPE
    content_type: str = PACKED
    sent_at_ms: int | None = None
    """Wall clock of the sender when it handed the message over; ``None`` where nothing was sent (local spool)."""


Headers = list[tuple[str, bytes]]

REQUIRED = ("ce_specversion", "ce_id", "ce_source", "ce_type", "content-type")
KNOWN = frozenset({*REQUIRED, "ce_time"})


def envelope_headers(envelope: Envelope) -> Headers:
    """Kafka headers of a CloudEvent in binary mode."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", envelope.id.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_type", envelope.type.encode()),
        ("content-type", envelope.content_type.encode()),
    ]
    if envelope.sent_at_ms is not None:
        headers.append(("ce_time", format_rfc3339(envelope.sent_at_ms).encode()))
    return headers


def read_envelope(headers: Iterable[tuple[str, bytes]]) -> Envelope:
    """The attributes of a message, of whatever type; raises Reject naming the header that is missing or wrong."""
    try:
        pairs = [(name, value.decode()) for name, value in headers]
    except UnicodeDecodeError as error:
        raise Reject("bad_envelope", f"a header is not UTF-8: {error}", path="headers") from error
    found = dict(pairs)
    if not KNOWN.issuperset(found):  # a signature, some writer's capitals, or headers that are not ours
        found = {name.lower(): text for name, text in pairs}
    if not all(map(found.get, REQUIRED)):
        missing = next(name for name in REQUIRED if not found.get(name))
        raise Reject("bad_envelope", "the header is missing", path=f"headers.{missing}")
    if found["ce_specversion"] != "1.0":
        raise Reject("bad_envelope", f"'{found['ce_specversion']}' is not 1.0", path="headers.ce_specversion")
    sent_at_ms = None
    if "ce_time" in found:
        try:
            sent_at_ms = parse_rfc3339(found["ce_time"])
        except Refuse as error:
            raise Reject("bad_envelope", str(error), path="headers.ce_time") from error
    return Envelope(
        id=found["ce_id"],
        source=found["ce_source"],
        type=found["ce_type"],
        content_type=found["content-type"],
        sent_at_ms=sent_at_ms,
    )


def read_report(envelope: Envelope, body: bytes) -> PackedReport:
    """The report in a message. Raises Reject for what is no report, or one of a version that is not known here."""
    if envelope.type != REPORT_TYPE:
        raise Reject("unknown_type", f"'{envelope.type}' is not {REPORT_TYPE}", path="headers.ce_type")
    return decode(body, envelope.content_type)


def encode_packed(report: Report) -> bytes:
    """The body of a report, packed. Equal reports give equal bytes."""
    body = _packer.encode(pack(report))
    if len(body) > BODY_BYTES_MAX:
        raise InvariantBroken(f"a report of {len(body)} bytes exceeds {BODY_BYTES_MAX}: report more often")
    return body


def encode_rows(report: Report) -> bytes:
    """The body of a report as JSON rows: for senders without our packer, and for reading by eye."""
    return msgspec.json.encode(report)


def decode(body: bytes, content_type: str) -> PackedReport:
    """The report in a body. Raises Reject with the path of the first bad field.

    Checks shapes and types. What values may be (order of times, shares, indexes) is for the reader of the columns.
    """
    if len(body) > BODY_BYTES_MAX:
        raise Reject("too_large", f"{len(body)} bytes; the limit is {BODY_BYTES_MAX}")
    try:
        if content_type == PACKED:
            report = _unpacker.decode(body)
        elif content_type == ROWS:
            report = pack(_rows_reader.decode(body))
        else:
            raise Reject("unknown_content_type", f"'{content_type}'", path="headers.content-type")
    except msgspec.ValidationError as error:
        raise _reject(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError) as error:
        raise Reject("bad_payload", f"not a {content_type} body: {error}") from error
    _usage_lengths.check(report.usage)
    _card_lengths.check(report.cards)
    return report


def pack(report: Report) -> PackedReport:
    """Rows to columns; each string once, in order of first use."""
    strings: dict[str, int] = {}
    usage = _usage_columns(report.usage, strings)
    cards = _card_columns(report.cards, strings)
    return PackedReport(
        node=report.node,
        cluster=report.cluster,
        boot_id=report.boot_id,
        basis=report.basis,
        started_at_ms=report.started_at_ms,
        ended_at_ms=report.ended_at_ms,
        wall_ms=report.wall_ms,
        monotonic_ms=report.monotonic_ms,
        ntp_synced=report.ntp_synced,
        strings=tuple(strings),
        usage=usage,
        cards=cards,
        scan=report.scan,
        faults=report.faults,
        attributions=report.attributions,
        processes=report.processes,
    )


def column_bytes(code: str, values: Sequence[int]) -> bytes:
    """``values`` as a little-endian array of ``array`` type ``code``."""
    column = array(code, values)
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def column_values(code: str, column: bytes) -> array[int]:
    """The reverse of ``column_bytes``."""
    values = array(code)
    values.frombytes(column)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _usage_columns(records: Sequence[UsageRecord], strings: dict[str, int]) -> UsageColumns:
    index = strings.setdefault
    return UsageColumns(
        card=column_bytes("I", [index(each.card, len(strings)) for each in records]),
        process=column_bytes("Q", [each.process for each in records]),
        owner=column_bytes("I", [index(each.owner, len(strings)) for each in records]),
        workload=column_bytes("I", [index(each.workload, len(strings)) for each in records]),
        share=column_bytes("H", [each.share for each in records]),
        started_at_ms=column_bytes("Q", [each.started_at_ms for each in records]),
        ended_at_ms=column_bytes("Q", [each.ended_at_ms for each in records]),
        basis=column_bytes("B", [each.basis for each in records]),
        flags=column_bytes("B", [_usage_flags(each) for each in records]),
        active=column_bytes("Q", [each.active or 0 for each in records]),
        memory=column_bytes("Q", [each.memory or 0 for each in records]),
    )


def _usage_flags(record: UsageRecord) -> int:
    measured = (HAS_ACTIVE if record.active is not None else 0) | (HAS_MEMORY if record.memory is not None else 0)
    return measured | (BRIDGED if record.bridged else 0)


def _card_columns(records: Sequence[CardRecord], strings: dict[str, int]) -> CardColumns:
    return CardColumns(
        card=column_bytes("I", [strings.setdefault(each.card, len(strings)) for each in records]),
        started_at_ms=column_bytes("Q", [each.started_at_ms for each in records]),
        ended_at_ms=column_bytes("Q", [each.ended_at_ms for each in records]),
        state=column_bytes("B", [each.state for each in records]),
        flags=column_bytes("B", [0 if each.energy_mj is None else HAS_ENERGY for each in records]),
        energy_mj=column_bytes("Q", [each.energy_mj or 0 for each in records]),
    )


_AT = re.compile(r"^(.*?)(?: - at `(?:key` in `)?(.*)`)?$", re.DOTALL)


def _reject(error: msgspec.ValidationError) -> Reject:
    match = _AT.match(str(error))
    detail, path = match.groups() if match else (str(error), None)
    return Reject("bad_payload", detail, path=path or "$")


_packer = msgspec.msgpack.Encoder(order="deterministic")
_unpacker = msgspec.msgpack.Decoder(PackedReport)
_rows_reader = msgspec.json.Decoder(Report)
_usage_lengths, _card_lengths = ColumnLengths("usage", USAGE_COLUMNS), ColumnLengths("cards", CARD_COLUMNS)
