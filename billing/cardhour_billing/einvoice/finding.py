"""What a check says of a document, and the lines that the validator's process is spoken to in."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Finding(Struct, frozen=True, kw_only=True):
    """One rule that a document breaks. ``fatal`` makes it no EN 16931 document; a warning does not.

    A list of findings says ``passed`` of a document that breaks none.
    """

    rule: str
    """Id such as ``BR-CO-16``; ``XSD`` and ``XML`` for the schema; ``CH-…`` for our own."""
    severity: Literal["fatal", "warning", "passed"]
    text: str
    where: str = ""


class Request(Struct, frozen=True, kw_only=True):
    """A document to check. ``name`` comes back with the answer."""

    name: str
    xml: bytes


class Answer(Struct, frozen=True, kw_only=True):
    """What the rules found in the document of that name."""

    name: str
    findings: list[Finding]
