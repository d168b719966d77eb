"""Entries of the audit log in the language of the page: what was done, to what, and its figures.

Owns the words of actions and of figures. Does not own entries: those are kept as they were written, for programs, and a
word that stands nowhere here is shown as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cardhour_billing.figures import grouped
from cardhour_billing.month import clock_time
from cardhour_billing.portal.phrases import KINDS, change_in_words
from cardhour_billing.portal.sentences import in_chinese
from cardhour_contract.moment import parse_rfc3339

ACTIONS = {
    "catalog.add": _("Added to the catalog"),
    "catalog.change": _("Catalog changed"),
    "invoice.issue": _("Invoice issued"),
    "credit-note.issue": _("Credit note issued"),
    "invoice.void": _("Invoice voided"),
    "invoice.reopen": _("Month opened again"),
    "invoice.render": _("Files of an invoice made"),
    "payment.record": _("Payment recorded"),
    "payment.reverse": _("Payment reversed"),
    "payment.refund": _("Money paid back"),
    "payment.allocate": _("Payment put to invoices"),
    "credit.top-up": _("Top-up"),
    "credit.refund": _("Top-up given back"),
    "credit.grant": _("Granted"),
    "credit.expire": _("Grant expired"),
    "bank.import": _("Bank statement read in"),
    "bank.set-aside": _("Bank line set aside"),
    "mail.send": _("Mailed"),
    "dunning.send": _("Reminder mailed"),
    "statement.draw-up": _("Statement drawn up"),
    "statement.sent": _("Statement sent"),
    "statement.confirmed": _("Statement confirmed"),
    "statement.disputed": _("Statement disputed"),
    "fapiao.request": _("Fapiao requested"),
    "fapiao.issued": _("Fapiao issued"),
    "fapiao.red-lettered": _("Fapiao cancelled in red"),
    "fapiao.withdrawn": _("Fapiao request withdrawn"),
    "lease.extend": _("Lease extended"),
    "lease.terminate": _("Lease ended"),
    "budget.add": _("Budget added"),
    "budget.change": _("Budget changed"),
    "budget.remove": _("Budget removed"),
    "webhook.set": _("Webhook set"),
    "webhook.remove": _("Webhook removed"),
    "report.subscribe": _("Report subscribed to"),
    "report.unsubscribe": _("Report no longer sent"),
    "user.add": _("Login added"),
    "user.invite": _("Login invited"),
    "user.invite-again": _("Invitation sent again"),
    "user.accept": _("Invitation accepted"),
    "user.role": _("Role changed"),
    "user.email": _("E-mail address changed"),
    "user.password": _("Password set"),
    "user.reset": _("New password made"),
    "user.enable": _("Login enabled"),
    "user.disable": _("Login disabled"),
    "user.remove": _("Login removed"),
    "second-factor.enrol": _("Second factor set up"),
    "second-factor.codes": _("Recovery codes made"),
    "second-factor.reset": _("Second factor taken off"),
    "api-key.add": _("API key made"),
    "api-key.revoke": _("API key revoked"),
    "node enrol": _("Key of a node enrolled"),
    "node rotate": _("Keys of a node rotated"),
    "node revoke": _("Keys of a node revoked"),
    "card move": _("Card moved"),
    "card retire": _("Card retired"),
    "retract": _("Usage retracted"),
    "dead letters replay": _("Dead letters replayed"),
    "customer-data export": _("Customer data handed out"),
    "customer-data erase": _("Customer data erased"),
}

NAMES = {
    "amount": _("amount"), "fee": _("bank fee"), "write_off": _("write-off"), "customer": _("customer"),
    "reference": _("reference"), "day": _("day"), "reason": _("reason"), "because": _("reason"),
    "credit_note": _("credit note"), "grant": _("grant"), "period": _("month"), "role": _("role"), "staff": _("staff"),
    "before": _("before"), "after": _("after"), "by": _("by"), "to": _("to"), "to before": _("end before"),
    "from": _("from"), "until": _("until"), "line": _("line"), "note": _("words"), "statement": _("statement"),
    "closing": _("closing balance"), "budget": _("budget"), "of": _("of"), "name": _("name"), "host": _("host"),
    "email": _("e-mail"), "state": _("state"), "answer": _("answer"), "invoice": _("invoice"), "number": _("number"),
    "parts": _("parts"), "lines": _("lines"), "account": _("account"), "keys": _("keys"), "key": _("key"),
    "letters": _("letters"), "unsigned": _("unsigned too"), "node": _("node"), "scopes": _("may"),
    "grouping": _("grouping"), "format": _("format"), "revision": _("revision"), "digest": _("digest"),
    "level_of": _("level"), "for": _("for"), "gross": _("gross"), "prepaid": _("paid from the balance"),
    "fact": _("fact"),
}  # fmt: skip
"""Of figures. One that is not here has the name that it is kept by."""

MONEY = frozenset({"amount", "fee", "write_off", "closing", "gross", "prepaid"})
UNSAID = frozenset({"0", "0.0", "0.00", "0.000"})
LISTED_MAX = 8
"""Of a list; what is more is counted."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def action_words(action: str) -> str:
    """What was done."""
    return str(ACTIONS.get(action, action))


def subject_words(action: str, subject: str) -> str:
    """To what it was done; a record of the catalog with the word for its kind."""
    if not (action.startswith("catalog.") and in_chinese()):
        return subject
    kind, _space, name = subject.partition(" ")
    return f"{KINDS.get(kind, kind)} {change_in_words(name.replace(' of ', ' · '))}"


def detail_words(detail: Mapping[str, Any], timezone: str) -> str:
    """What is told of it, with times of ``timezone``."""
    if set(detail) == {"what"}:
        return in_zone(change_in_words(str(detail["what"])), timezone)
    colon, comma = ("：", "；") if in_chinese() else (": ", ", ")
    return in_zone(comma.join(f"{name}{colon}{value}" for name, value in _pairs(detail)), timezone)


def in_zone(text: str, timezone: str) -> str:
    """The same, with moments of UTC as days and wall clocks of ``timezone``; the day alone where it begins then."""
    return _MOMENT.sub(lambda found: _clock(found[0], timezone), text)


def _clock(moment: str, timezone: str) -> str:
    return clock_time(parse_rfc3339(moment), timezone, "%Y-%m-%d %H:%M").removesuffix(" 00:00")


def _pairs(detail: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and value of what says something: no empty text, no fee of nothing."""
    currency = str(detail.get("currency", ""))
    for key, value in detail.items():
        unsaid = value in (None, "", [], {}) or (key != "amount" and key in MONEY and str(value) in UNSAID)
        if not unsaid and key != "currency":
            yield str(NAMES.get(key, key)), _value(key, value, currency)


def _value(key: str, value: Any, currency: str) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if key in MONEY and isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return f"{grouped(value)} {currency}".strip()
    if isinstance(value, list):
        shown = [_value("", each, currency) for each in value[:LISTED_MAX]]
        rest = len(value) - LISTED_MAX
        return ", ".join(shown) + (f" +{rest}" if rest > 0 else "")
    if isinstance(value, dict):
        return " ".join(text for _name, text in _pairs(value))
    if value == "everything":
        return gettext("everything")
    return value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()
