"""The Chinese texts: complete, and compiled from what is written.

The compiled catalog is kept in the repository, so that installing needs no gettext; this is what keeps it true.
After a change of texts: ``django-admin makemessages``, translate, ``msgfmt -o django.mo django.po``.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import polib
from django.utils.translation.template import templatize

import cardhour_billing.portal

PORTAL = Path(cardhour_billing.portal.__file__).parent
CATALOG = PORTAL / "locale/zh_Hans/LC_MESSAGES/django.po"
_MARKED = re.compile(r"""(?<![\w.])(?:gettext|ngettext|_)\(u?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")


def marked() -> set[str]:
    """Every text that a template or a view marks for translation."""
    sources = [templatize(file.read_text("utf-8")) for file in PORTAL.rglob("*.html")]
    sources += [file.read_text("utf-8") for file in PORTAL.rglob("*.py")]
    return {ast.literal_eval(text) for source in sources for text in _MARKED.findall(source)}


def test_every_text_is_translated() -> None:
    catalog = {entry.msgid for entry in polib.pofile(str(CATALOG)) if entry.translated() and not entry.obsolete}
    assert len(marked()) > 80
    assert marked() - catalog == set()
    assert catalog - marked() == set()


def test_placeholders_survive_translation() -> None:
    for entry in polib.pofile(str(CATALOG)):
        translated = entry.msgstr_plural[0] if entry.msgid_plural else entry.msgstr
        assert sorted(re.findall(r"%\(\w+\)s", entry.msgid)) == sorted(re.findall(r"%\(\w+\)s", translated))


def test_the_compiled_catalog_is_the_written_one() -> None:
    def texts(entries: list[polib.POEntry] | list[polib.MOEntry]) -> dict[str, object]:
        return {entry.msgid: entry.msgstr_plural or entry.msgstr for entry in entries}

    assert texts(polib.mofile(str(CATALOG.with_suffix(".mo")))) == texts(polib.pofile(str(CATALOG)))
