"""Findings in the language of the page: the sentence of their kind, translated, with the same figures.

Owns joining them, and the words of those whose mend is a button here and a command elsewhere.
Does not own the kinds nor their English (``cardhour_billing.charges.finding``).
"""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from cardhour_billing.charges.finding import SENTENCES, Finding

HERE = {
    "do_price": gettext_lazy("add its price, then compute the drafts again"),
    "do_tax": gettext_lazy("add a tax rule, then compute the drafts again"),
    "do_tax_id": gettext_lazy("complete the tax number, then compute the drafts again"),
    "do_wait": gettext_lazy("compute the drafts again when it is settled"),
    "do_balance": gettext_lazy("look at the cards by hour: a node that was silent may still send what it kept"),
    "do_replay": gettext_lazy("mend the cause, then replay them"),
    "do_bind": gettext_lazy("bind each owner below to its customer, or leave what is your own"),
    "do_add_tax_id": gettext_lazy("complete it, unless they have none"),
    "do_add_email": gettext_lazy("complete it"),
    "without_tax_id": gettext_lazy("without tax number: %(customers)s"),
    "without_tax_id_more": gettext_lazy("without tax number: %(customers)s and %(more)s more"),
    "without_email": gettext_lazy("without e-mail address, so none is mailed: %(customers)s"),
    "without_email_more": gettext_lazy("without e-mail address, so none is mailed: %(customers)s and %(more)s more"),
}
"""What a page says instead of the sentence for commands: no option, no table of a file."""


def in_chinese() -> bool:
    """Whether the page being made is in Chinese."""
    return (get_language() or "").startswith("zh")


def told(finding: Finding) -> str:
    """One finding as a sentence."""
    sentence = HERE.get(finding.kind) or _(SENTENCES[finding.kind])
    return finding.said(str(sentence), "：" if in_chinese() else ": ")


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
