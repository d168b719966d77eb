"""The Chinese texts: complete, and compiled from what is written.

The compiled catalog is kept in the repository, so that installing needs no gettext; this is what keeps it true.
After a change of texts: ``django-admin makemessages``, translate, ``msgfmt -o django.mo django.po``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
from django.utils.translation.template import templatize

import cardhour_billing.portal
import cardhour_contract
import cardhour_ingest
from cardhour_billing.charges.finding import SENTENCES
from cardhour_billing.portal.phrases import FRAGMENTS, PHRASES

PORTAL = Path(cardhour_billing.portal.__file__).parent
CATALOG = PORTAL / "locale/zh_Hans/LC_MESSAGES/django.po"
_MARKED = re.compile(r"""(?<![\w.])(?:gettext|gettext_lazy|ngettext|_)\(u?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")


def marked() -> set[str]:
    """Every text that a template or a view marks for translation, and the sentences of the engine."""
    sources = [templatize(file.read_text("utf-8")) for file in PORTAL.rglob("*.html")]
    sources += [file.read_text("utf-8") for file in PORTAL.rglob("*.py")]
    texts = {ast.literal_eval(text) for source in sources for text in _MARKED.findall(source)}
    return texts | set(SENTENCES.values()) | set(PHRASES) | set(FRAGMENTS)


def test_every_text_is_translated() -> None:
    catalog = {entry.msgid for entry in polib.pofile(str(CATALOG)) if entry.translated() and not entry.obsolete}
    assert len(marked()) > 80
    assert marked() - catalog == set()
    assert catalog - marked() == set()


def test_what_the_engine_says_is_said_so_by_the_engine() -> None:
    """A sentence that is worded anew would be shown untranslated: its words must stand in the source as they are."""
    said = "\n".join(_constants())
    for phrase in PHRASES:
        for words in re.split(r"%\(\w+\)s", phrase):
            assert words.strip(" :,;'") in said, f"nobody says {words!r} any more: {phrase}"


def _constants() -> Iterator[str]:
    """Every piece of text in the programs beside the portal's own phrases."""
    for package in (cardhour_billing, cardhour_contract, cardhour_ingest):
        for file in Path(package.__path__[0]).rglob("*.py"):
            if file.name != "phrases.py":
                for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                    if isinstance(node, ast.Constant) and isinstance(node.value, str):
                        yield node.value


def test_placeholders_survive_translation() -> None:
    for entry in polib.pofile(str(CATALOG)):
        translated = entry.msgstr_plural[0] if entry.msgid_plural else entry.msgstr
        assert sorted(re.findall(r"%\(\w+\)s", entry.msgid)) == sorted(re.findall(r"%\(\w+\)s", translated))


def test_the_compiled_catalog_is_the_written_one() -> None:
    def texts(entries: list[polib.POEntry] | list[polib.MOEntry]) -> dict[str, object]:
        return {entry.msgid: entry.msgstr_plural or entry.msgstr for entry in entries}

    assert texts(polib.mofile(str(CATALOG.with_suffix(".mo")))) == texts(polib.pofile(str(CATALOG)))
