"""Findings in the language of the page: the sentence of their kind, translated, with the same figures.

Owns joining them. Does not own the kinds nor their English (``cardhour_billing.charges.finding``).
"""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from cardhour_billing.charges.finding import SENTENCES, Finding


def in_chinese() -> bool:
    """Whether the page being made is in Chinese."""
    return (get_language() or "").startswith("zh")


def told(finding: Finding) -> str:
    """One finding as a sentence."""
    sentence = SENTENCES[finding.kind]
    return finding.said(_(sentence), "：" if in_chinese() else ": ")


def title_of(finding: Finding) -> str:
    """What holds a draft back, in two or three words."""
    titles = (
        ("no_price", _("Price gap")),
        ("no_tax_id", _("Tax data missing")),
        ("no_tax", _("Tax rule missing")),
        ("lease", _("Lease conflict")),
    )
    return next((title for begins, title in titles if finding.kind.startswith(begins)), _("Held back"))


def told_all(findings: Iterable[Finding]) -> str:
    """Parts of one sentence."""
    return ("；" if in_chinese() else "; ").join(map(told, findings))
