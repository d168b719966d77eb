"""States, kinds and units of records in the language of the page, with the colour of their pill.

Owns which words there are. Does not own what is in which state (``nouns``).
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

STATES: Mapping[str, tuple[str, str | Promise]] = {
    "in-force": ("pill good", _("In force")),
    "future": ("pill info", _("To come")),
    "ended": ("pill", _("Ended")),
    "superseded": ("pill", _("Superseded")),
    "yes": ("", _("Yes")),
    "no": ("faint", _("No")),
    "good": ("pill good", _("Good")),
    "ending": ("pill warn", _("Ending")),
    "revoked": ("pill bad", _("Revoked")),
    "none": ("pill warn", _("No key")),
    "heard": ("pill good", _("Heard")),
    "silent": ("pill warn", _("Silent")),
    "never": ("pill", _("Never heard")),
    "synced": ("", _("Synchronised")),
    "unsynced": ("pill warn", _("Not synchronised")),
    "waiting": ("pill warn", _("Waiting")),
    "replayed": ("pill good", _("Replayed")),
    "named": ("", _("Named cards")),
    "pool": ("", _("Pool")),
    "receipt": ("", _("Receipt")),
    "reversal": ("", _("Reversal")),
    "refund": ("", _("Refund")),
    "top-up": ("", _("Top-up")),
    "apply": ("", _("Paid an invoice")),
    "release": ("", _("Came back from an invoice")),
    "restore": ("", _("Came back from an invoice")),
    "grant": ("", _("Granted")),
    "use": ("", _("Used by an invoice")),
    "expire": ("", _("Expired")),
    "en": ("", "English"),
    "zh-hans": ("", "中文"),
    "card-hour": ("", _("card-hour")),
    "card-month": ("", _("card-month")),
    "server-month": ("", _("server-month")),
    "month": ("", _("month")),
    "quarter": ("", _("quarter")),
    "calendar": ("", _("Calendar months")),
    "anniversary": ("", _("From the day it began")),
    "arrears": ("", _("Arrears")),
    "advance": ("", _("Advance")),
    "item": ("", _("item")),
    "contract": ("", _("contract")),
    "once": ("", _("once")),
    "standard": ("", _("standard rate")),
    "reduced": ("", _("reduced rate")),
    "zero": ("", _("zero-rated")),
    "exempt": ("", _("exempt")),
    "reverse-charge": ("", _("reverse charge")),
    "everything": ("", _("Everything")),
    "usage": ("", _("Usage")),
    "lease": ("", _("Lease")),
    "add-on": ("", _("Add-on")),
    "commitment": ("", _("Commitment")),
    "draft": ("pill", _("Draft")),
    "sent": ("pill info", _("Sent")),
    "disputed": ("pill warn", _("Disputed")),
    "confirmed": ("pill good", _("Confirmed")),
}
"""State → the classes that it is set in, none for a plain word, and the word."""


def in_state_words(state: str) -> SafeString:
    """``in-force`` as a green pill that says so; a word that is no state as it stands, nothing as a dash."""
    if state not in STATES:
        return SafeString(escape(state or "—"))
    classes, words = STATES[state]
    text = escape(str(words))
    return SafeString(f'<span class="{classes}">{text}</span>' if classes else text)
