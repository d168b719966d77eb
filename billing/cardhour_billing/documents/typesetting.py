"""Typesetting: a payload of finished text and a layout in, the same PDF bytes out, on every machine.

Owns the fonts, the call of the typesetter, and what text a page can hold. Does not own what is printed
(``invoice_pdf``, ``statements.pdf``) nor how it looks (``paper.typ`` and each paper's own layout). Names and notes
travel as JSON values, never as markup, so that a customer called ``#panic()`` is only oddly named.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import typst

from cardhour_billing.frozen.document import CustomerParty, IssuerParty
from cardhour_contract.errors import InvariantBroken

_FONT_PACKAGES = (
    ("justmytype_western_core", "fonts/ofl/inter"),
    ("justmytype_intl_cjk", "fonts/ofl/notosanssc"),
    ("justmytype_intl_cjk", "fonts/ofl/notosanskr"),
)
"""Fonts come from installed packages and never from the machine: another font would be another document."""

LONGEST_WORD = 26
"""Characters a word may run without a place to break: as many as the narrowest column, a party's name, holds."""

_NO_GLYPH = "could not be displayed with font"
"""How the typesetter says that PDF/A fails for want of a glyph, and for nothing else."""

_WORD = re.compile(r"[^\s\-/\u2e80-\uffff]+")
_SCRIPTS_MEET = re.compile(r"(?<=[\x21-\x7e]) (?=[\u3400-\u9fff])")
"""Where a name in Latin letters goes on in Chinese: each has its own line."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def typeset(layout: str, payload: dict[str, Any], *, archived: bool, what: str) -> bytes:
    """The PDF: PDF/A-2b where it is ``archived``, plain where it is not, such as a draft, which has no date.

    PDF/A demands a glyph for every character. A name with one that no font here has (an emoji, say) must not stop an
    invoice from being issued: it is then a plain PDF with an empty box in that place.
    Raises InvariantBroken where the typesetter refuses ``what`` altogether.
    """
    source = b"\n".join((files(__package__) / name).read_bytes() for name in ("paper.typ", layout))
    inputs = {"document": json.dumps(payload, ensure_ascii=False, sort_keys=True)}
    if archived:
        try:
            return _compile(source, inputs, "a-2b")
        except typst.TypstError as error:
            if _NO_GLYPH not in str(error):
                raise InvariantBroken(f"{what} cannot be typeset: {error}") from error
    try:
        return _compile(source, inputs, None)
    except typst.TypstError as error:
        raise InvariantBroken(f"{what} cannot be typeset: {error}") from error


def party(who: IssuerParty | CustomerParty) -> dict[str, Any]:
    """A party as the papers print it."""
    # A short name that the registered one contains says nothing new.
    known = all(part in who.legal_name for part in _SCRIPTS_MEET.split(who.name))
    return {
        "name": printable(who.name),
        "legal_names": [printable(part) for part in _SCRIPTS_MEET.split(who.legal_name)],
        "also": "" if known else printable(who.name),
        "address": [printable(line) for line in who.address if line],
        "tax_id": printable(who.tax_id),
    }


def decimals(number: str) -> int:
    """How many decimals a figure is written with."""
    return len(number.partition(".")[2])


def printable(text: str, longest: int = LONGEST_WORD) -> str:
    """Text a page can hold: control and direction characters out, a break allowed inside words over ``longest``."""
    return _WORD.sub(lambda word: _with_breaks(word[0], longest), _CONTROL.sub(" ", text))


def _with_breaks(word: str, longest: int) -> str:
    zero_width_space = "\u200b"
    return zero_width_space.join(word[start : start + longest] for start in range(0, len(word), longest))


def _compile(source: bytes, inputs: dict[str, str], standard: Literal["a-2b"] | None) -> bytes:
    return typst.compile(
        source,
        font_paths=_fonts(),
        ignore_system_fonts=True,
        format="pdf",
        pdf_standards=standard,
        sys_inputs=inputs,
    )


@cache
def _fonts() -> typst.Fonts:
    folders = [str(files(package) / folder) for package, folder in _FONT_PACKAGES]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)
