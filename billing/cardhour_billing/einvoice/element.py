"""Elements of UBL 2.1: their namespaces, and text that XML can hold.

Owns how a tree is built. Does not own what stands in it (``ubl``).
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
DOCUMENTS = "urn:oasis:names:specification:ubl:schema:xsd:{kind}-2"

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write, not even escaped."""


def root(kind: str) -> ET.Element:
    """The root of an ``Invoice`` or a ``CreditNote``; prefixes are written out, so that they are the usual ones."""
    names = {"xmlns": DOCUMENTS.format(kind=kind), "xmlns:cac": CAC, "xmlns:cbc": CBC}
    return ET.Element(kind, names)


def group(parent: ET.Element, name: str) -> ET.Element:
    """A ``cac:`` element inside ``parent``."""
    return ET.SubElement(parent, f"cac:{name}")


def text(parent: ET.Element, name: str, value: str, **attributes: str) -> None:
    """A ``cbc:`` element with ``value``; none at all where it is empty, as the rules want it."""
    clean = _NOT_XML.sub(" ", value).strip()
    if clean:
        ET.SubElement(parent, f"cbc:{name}", attributes).text = clean


def written(tree: ET.Element) -> bytes:
    """The bytes, indented: equal trees give equal bytes."""
    ET.indent(tree)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(tree, encoding="unicode")}\n'.encode()
