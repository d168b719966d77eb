"""Certificates for a broker and a client of it, of an authority made for the occasion."""

from __future__ import annotations

from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


def write_certificates(folder: Path) -> None:
    """``authority.pem``; ``broker.pem`` with its key; ``client.pem`` and ``client.key``."""
    folder.mkdir(parents=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    broker = authority.issue_cert("127.0.0.1", "localhost")
    (folder / "broker.pem").write_bytes(_pkcs8(broker) + b"".join(each.bytes() for each in broker.cert_chain_pems))
    client = authority.issue_cert("node-1", common_name="node-1")
    (folder / "client.pem").write_bytes(b"".join(each.bytes() for each in client.cert_chain_pems))
    (folder / "client.key").write_bytes(_pkcs8(client))
    (folder / "client.key").chmod(0o600)


def _pkcs8(certificate: trustme.LeafCert) -> bytes:
    """The only form of a key that the broker reads from PEM."""
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
