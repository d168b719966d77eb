"""A QR code as the path of an SVG: squares in attributes, so that the page needs neither script nor style."""

from __future__ import annotations

from dataclasses import dataclass

import segno

BORDER = 4
"""Quiet zone that readers expect, in squares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QrPath:
    """``size`` squares a side, border included."""

    size: int
    path: str


def qr_path(text: str) -> QrPath:
    """``text`` as a QR code."""
    rows = [list(row) for row in segno.make(text, error="m", micro=False).matrix]
    squares = (
        f"M{x + BORDER} {y + BORDER}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark
    )
    return QrPath(size=len(rows) + 2 * BORDER, path="".join(squares))
