"""Signatures: which node a message is from, however it travelled (docs/wire.md).

A node signs each message with its own Ed25519 key. Two more CloudEvents attributes carry the key's id and the
signature, which covers the attributes that say whose and what the message is, the time of sending, and the exact
bytes of the body. Owns the bytes that are signed, keys, and how a public key is written. Does not own which key
belongs to whom (ingest) nor where a private key is kept (agent).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cardhour_contract.errors import Refuse, Reject
from cardhour_contract.wire import Headers

KEY_HEADER, SIGNATURE_HEADER = "ce_keyid", "ce_signature"

SIGNED_HEADERS = (KEY_HEADER, "ce_id", "ce_source", "ce_type", "content-type", "ce_time")
"""In this order. ``ce_time`` too: ingest measures a node's clock by it, so nobody else may set it."""

DOMAIN = b"cardhour.signature.v1"
"""First in what is signed, so that a signature made for anything else is never one of a message."""

BAD_SIGNATURE = "bad_signature"

KEY_BYTES, SIGNATURE_BYTES = 32, 64

PUBLIC_PREFIX = "ed25519:"


class Signature(NamedTuple):
    """What a message claims: by which key it is signed, and the signature itself."""

    key_id: str
    value: bytes


class PublicKey:
    """The half of a node's key that everybody may know."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.key_id = blake2b(raw, digest_size=16).hexdigest()
        """Names the key: 32 hexadecimal digits."""
        self._key = Ed25519PublicKey.from_public_bytes(raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``ed25519:`` and 32 bytes in base64. Raises Refuse."""
        try:
            raw = base64.b64decode(text.strip().removeprefix(PUBLIC_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if not text.strip().startswith(PUBLIC_PREFIX) or len(raw) != KEY_BYTES:
            raise Refuse(f"'{text[:80]}' is not a public key: paste what 'cardhour-agent key show' prints on the node")
        return cls(raw)

    def __str__(self) -> str:
        return PUBLIC_PREFIX + base64.b64encode(self.raw).decode()

    def verify(self, headers: Iterable[tuple[str, bytes]], body: bytes, value: bytes) -> bool:
        """Whether ``value`` is this key's signature of the message."""
        try:
            self._key.verify(value, signed_bytes(headers, body))
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """A node's own key. Holds the secret half; never print or log it."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, headers: Headers, body: bytes) -> Headers:
        """``headers`` and the two that say who signed. Equal messages give equal signatures."""
        named = [*headers, (KEY_HEADER, self.public.key_id.encode())]
        return [*named, (SIGNATURE_HEADER, base64.b64encode(self._key.sign(signed_bytes(named, body))))]

    def __repr__(self) -> str:
        return f"SigningKey({self.public.key_id})"


def signed_bytes(headers: Iterable[tuple[str, bytes]], body: bytes) -> bytes:
    """What a signature is made over: each part after its length, so that no two messages read alike.

    A header that is absent counts as empty. Of one that is repeated the last counts, as ``wire.read_envelope`` reads
    it.
    """
    found = _by_name(headers)
    parts = (DOMAIN, *(found.get(name, b"") for name in SIGNED_HEADERS), body)
    return b"".join(len(part).to_bytes(4, "little") + part for part in parts)


def signature_of(headers: Iterable[tuple[str, bytes]]) -> Signature | None:
    """The signature that a message carries; None where it has none. Raises Reject for half of one, or a torn one."""
    found = _by_name(headers)
    key_id, value = found.get(KEY_HEADER), found.get(SIGNATURE_HEADER)
    if key_id is None and value is None:
        return None
    if key_id is None or value is None:
        missing = KEY_HEADER if key_id is None else SIGNATURE_HEADER
        raise Reject(BAD_SIGNATURE, f"the header {missing} is missing", path=f"headers.{missing}")
    try:
        decoded = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise Reject(BAD_SIGNATURE, f"not base64: {error}", path=f"headers.{SIGNATURE_HEADER}") from error
    if len(decoded) != SIGNATURE_BYTES:
        detail = f"{len(decoded)} bytes in place of {SIGNATURE_BYTES}"
        raise Reject(BAD_SIGNATURE, detail, path=f"headers.{SIGNATURE_HEADER}")
    return Signature(key_id.decode(errors="replace"), decoded)


def _by_name(headers: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    return {name.lower(): value for name, value in headers}
