"""Signatures: what a node vouches for, byte for byte."""

from __future__ import annotations

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardhour_contract.errors import Refuse, Reject
from cardhour_contract.signing import (
    KEY_HEADER,
    SIGNATURE_HEADER,
    SIGNED_HEADERS,
    PublicKey,
    SigningKey,
    signature_of,
    signed_bytes,
)
from cardhour_contract.wire import Envelope, Headers, envelope_headers, read_envelope

KEY = SigningKey(bytes(range(32)))
ENVELOPE = Envelope(id="n01/boot-1/5ca1ab1e-7", source="/nodes/n01", sent_at_ms=1_772_359_200_000)
BODY = b"\x81\xa4node\xa3n01"
SIGNED = KEY.sign(envelope_headers(ENVELOPE), BODY)

GOLDEN_TEXT = (
    b"\x15\0\0\0cardhour.signature.v1"
    b"\x20\0\0\x0040bca4eaf9d2b097ff8dbaa4d61767ed"
    b"\x15\0\0\0n01/boot-1/5ca1ab1e-7"
    b"\x0a\0\0\0/nodes/n01"
    b"\x18\0\0\0cardhour.usage.report.v1"
    b"\x2a\0\0\0application/vnd.cardhour.report.v1+msgpack"
    b"\x14\0\0\x002026-03-01T10:00:00Z"
    b"\x0a\0\0\0\x81\xa4node\xa3n01"
)
GOLDEN_SIGNATURE = b"mG2QYSx6VS3XUDV0ewsZe1uzP1E3VZ4pks/f0dUo9CnJZIYJcFFZVD/Lc5m/f+ITLhgT7kjPPxEd3I0qOFyHBg=="


def holds(headers: Headers, body: bytes) -> bool:
    signature = signature_of(headers)
    assert signature is not None
    return KEY.public.verify(headers, body, signature.value)


def test_golden_bytes() -> None:
    """What another implementation has to reproduce (docs/wire.md)."""
    assert signed_bytes(SIGNED, BODY) == GOLDEN_TEXT
    assert SIGNED[-2:] == [
        ("ce_keyid", b"40bca4eaf9d2b097ff8dbaa4d61767ed"),
        ("ce_signature", GOLDEN_SIGNATURE),
    ]
    assert str(KEY.public) == "ed25519:A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="


def test_a_signed_message_is_a_message_and_its_signature_holds() -> None:
    assert read_envelope(SIGNED) == ENVELOPE
    assert holds(SIGNED, BODY)
    assert KEY.sign(envelope_headers(ENVELOPE), BODY) == SIGNED, "equal messages, equal signatures"


@given(name=st.sampled_from(SIGNED_HEADERS), value=st.binary(max_size=40))
def test_no_signed_header_can_be_changed(name: str, value: bytes) -> None:
    changed = [(each, value if each == name else text) for each, text in SIGNED]
    assert holds(changed, BODY) == (changed == SIGNED)


@given(at=st.integers(0, len(BODY) - 1), bit=st.integers(0, 7))
def test_no_bit_of_the_body_can_be_changed(at: int, bit: int) -> None:
    changed = bytearray(BODY)
    changed[at] ^= 1 << bit
    assert not holds(SIGNED, bytes(changed))


def test_what_moves_from_one_part_to_the_next_is_another_message() -> None:
    headers = [("ce_id", b"ab"), ("ce_source", b"c")]
    moved = [("ce_id", b"a"), ("ce_source", b"bc")]
    assert signed_bytes(headers, b"") != signed_bytes(moved, b"")


def test_a_repeated_header_counts_once_and_as_the_envelope_reads_it() -> None:
    """Else a stranger's ce_source could be shown to the reader, and the node's own to the check."""
    forged: Headers = [*SIGNED, ("CE_Source", b"/nodes/n02")]
    assert read_envelope(forged).source == "/nodes/n02"
    assert not holds(forged, BODY)


def test_a_message_without_a_signature_has_none() -> None:
    assert signature_of(envelope_headers(ENVELOPE)) is None


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ([(KEY_HEADER, b"x")], f"headers.{SIGNATURE_HEADER}"),
        ([(SIGNATURE_HEADER, b"x")], f"headers.{KEY_HEADER}"),
        ([(KEY_HEADER, b"x"), (SIGNATURE_HEADER, b"!")], f"headers.{SIGNATURE_HEADER}"),
        ([(KEY_HEADER, b"x"), (SIGNATURE_HEADER, b"QUJD")], f"headers.{SIGNATURE_HEADER}"),
    ],
    ids=["half", "other half", "not base64", "too short"],
)
def test_half_a_signature_or_a_torn_one_is_rejected(headers: Headers, path: str) -> None:
    with pytest.raises(Reject) as caught:
        signature_of(headers)
    assert (caught.value.reason, caught.value.path) == ("bad_signature", path)


def test_a_public_key_is_written_and_read() -> None:
    again = PublicKey.parse(f" {KEY.public} \n")
    assert (again.raw, again.key_id) == (KEY.public.raw, KEY.public.key_id)
    assert KEY.public.key_id == blake2b(KEY.public.raw, digest_size=16).hexdigest()


@pytest.mark.parametrize("text", ["", "ed25519:", "ed25519:QUJD", "rsa:" + "A" * 43 + "=", "ed25519:!"])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(Refuse, match="key show"):
        PublicKey.parse(text)


def test_a_secret_is_never_shown() -> None:
    assert repr(KEY) == f"SigningKey({KEY.public.key_id})"
