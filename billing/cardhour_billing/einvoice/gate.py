"""No XML that breaks an official rule is kept or sent, where ``check_einvoices`` says that they are checked.

Owns that question for documents that are made or sent now. Does not own the rules (``official``); ``checking`` looks at
what is asked for by name. A check starts a process, which takes a second, and some milliseconds for each document.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings

from cardhour_billing.einvoice import official


def broken(documents: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Which of these (name, XML) break a rule, each with what is wrong. Nothing where nothing is checked.

    Raises InvariantBroken where the rules cannot run: an unchecked document is not a good one.
    """
    asked = list(documents)
    if not settings.CHECK_EINVOICES or not asked:
        return {}
    found: dict[str, str] = {}
    for name, findings in official.check(asked):
        fatal = [f"{each.rule}: {each.text}" for each in findings if each.severity == "fatal"]
        if fatal:
            found[name] = f"the XML of {name} breaks {len(fatal)} rules of EN 16931: {'; '.join(fatal[:3])}"
    return found
