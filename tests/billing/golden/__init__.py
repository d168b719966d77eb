"""Whole invoices as they were once checked by hand, and what compares with them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cardhour_billing.frozen.document import InvoiceDocument, encode

FOLDER = Path(__file__).parent


def text(document: InvoiceDocument) -> str:
    """The document as its file has it, without its digest, which differs by store: it has the ids of rows."""
    return msgspec.json.format(encode(msgspec.structs.replace(document, digest=None)), indent=1).decode() + "\n"


def assert_golden(document: InvoiceDocument, name: str) -> None:
    """``document`` is the one in ``name.json``, to the last byte."""
    assert text(document) == (FOLDER / f"{name}.json").read_text(encoding="utf-8")
