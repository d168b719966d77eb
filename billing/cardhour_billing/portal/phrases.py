"""What the engine refuses, in the language of the page.

The engine says what is wrong in English, for commands as for pages. Here stand its sentences that people of the portal
meet, each with its figures as placeholders: one that fits is translated, and the figures put in again; another is shown
as it is. A test holds every sentence against the source it comes from. Does not own any check.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, partial

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cardhour_billing.portal.sentences import in_chinese

PHRASES = (
    # A catalog, and what it is made of.
    "%(what)s; it overlaps with %(where)s: give the earlier one a to",
    "%(what)s; it overlaps with the %(kind)s in force from %(at)s: name that too, with a to",
    "'%(text)s' is not a decimal number such as 1.616532",
    "a unit price is zero or more; what is given back is a credit note",
    "'%(text)s' has more than %(count)s decimals",
    "'%(text)s' has more decimals than %(currency)s, which has %(count)s",
    "'%(text)s' is not an amount such as 1200 or 1200.50, without grouping",
    "'%(text)s' is not an ISO 4217 currency code such as USD or CNY",
    "'%(text)s' has no minor unit, so no amount can be rounded to it",
    "'%(text)s' is not an IANA time zone such as Asia/Shanghai",
    "'%(text)s' is not a rate in percent such as 6 or 5.5",
    "'%(text)s' is not a number of card-hours such as 1000",
    "'%(text)s' is not a month such as 2026-01",
    "'%(text)s' is not an id: letters, digits, dot, dash and underscore, at most 64",
    "'%(text)s' is not a name: 1 to %(count)s bytes, no space around it",
    "'%(text)s': a * may only stand at the end, and means every owner that begins so",
    "email: '%(text)s' is not an address such as billing@example.com",
    "endpoint: '%(text)s' is not an electronic address: scheme:id, such as 0204:991-12345-06",
    "country: '%(text)s' is not an ISO 3166-1 code: ISO has '%(usual)s'",
    "country: '%(text)s' is not an ISO 3166-1 code: two capital letters, such as DE or CN",
    "%(key)s: %(at)s is off a quarter hour; the nearest are %(before)s and %(after)s",
    "to: must be after from",
    "customer '%(customer)s' is not in this file nor known",
    "contract '%(contract)s' is not in this file nor known",
    "customer '%(customer)s' has no binding, lease or add-on, so nothing would be billed",
    "owner '%(owner)s' is bound twice at one time",
    "model '%(model)s' has two prices at one time",
    "%(what)s has two tax rules at one time",
    "customer '%(customer)s' has two contracts at one time, '%(one)s' and '%(other)s'",
    "%(what)s is in two leases at one time, %(one)s and %(other)s",
    "the price of %(model)s from %(since)s was already used by invoice %(number)s: end it with to = %(at)s or later, "
    "and add a price from then",
    "the price of %(model)s cannot end before %(at)s: invoice %(number)s used it until then",
    "%(what)s was already billed by, last in invoice %(number)s: end it with to = %(at)s or later, and add another "
    "from then",
    "%(what)s cannot end before %(at)s: invoice %(number)s rests on it",
    "count: say how many cards it is of, or name cards",
    "count: say how many cards it is of on these nodes",
    "count: %(cards)s cards are named, and count says %(count)s",
    "give cards, or nodes, or only a count: a lease is of one kind",
    "servers: say how many servers are paid for",
    "servers: a price per %(per)s is paid for cards",
    "sla_credit: of a pool nobody can say which card was faulted; name cards or nodes",
    'non_refundable: means something only with billed = "advance"',
    "low_balance: says when prepaid money is low, so prepaid must be true",
    "card_hours: commit either card_hours or an amount of money",
    "true_up: give the price of a card-hour that was committed and not used",
    "true_up: money that was not used is charged as it is; only card_hours have true_up and overage",
    "to: a term that is the whole contract needs an end",
    "rate: %(category)s has a rate above 0",
    "rate: %(category)s has no rate",
    "note: say why nothing is charged; a document must state the reason of an exemption",
    "quantity: '%(text)s' is not above zero",
    "per: what is paid once is billed with the month of its from; leave out to, period and billed",
    "unit: '%(text)s' is longer than 16 characters or has space around it",
    "[%(name)s] is not a table of a catalog",
    "the catalog was changed by someone else meanwhile: run the command again",
    "the text has more than %(count)s bytes: apply it with cardhour catalog apply",
    # Documents and money.
    "give an amount for at least one line",
    "say why: it is kept in the audit log",
    "say why: one of %(reasons)s",
    "day: not a day such as 2026-11-03",
    "nothing can be sent: set host, port and sender in [mail]",
    "a payment needs its bank reference, of at most %(count)s characters",
    "a receipt is more than nothing; what goes out is a refund or a reversal",
    "these lines together give nothing back",
    "all of %(number)s has been credited already",
    "%(number)s is void: nothing is left of it",
    "%(left)s is left of line %(line)s of %(number)s: %(amount)s cannot be credited",
    "line %(line)s of %(number)s does not exist, or is named twice",
    "%(code)s is reversed already",
    "a part of %(code)s was paid back: what is left cannot be reversed as a whole",
    "'%(reference)s' of %(customer)s is recorded already, as %(code)s",
    "a bank fee and a write-off are zero or more",
    "a write-off of %(amount)s is above write_off_max in [billing], %(most)s: credit the invoice instead (cardhour "
    "credit-note)",
    "%(customer)s is billed in %(billed)s, and this is %(currency)s",
    "%(number)s: customer '%(customer)s' has no email in the catalog",
    "%(number)s is not void: void it first (cardhour invoice void)",
    "%(month)s of %(customer)s has a later document: %(document)s",
    "amount: %(what)s",
    "fee: %(what)s",
    "write-off: %(what)s",
    "%(month)s ends at %(at)s: it cannot be issued before",
    # Nodes and dead letters.
    "there is no dead letter %(letter)s",
    "'%(text)s' is not a letter's id: 16 hexadecimal digits",
    "'%(text)s' is not a public key: paste what 'cardhour-agent key show' prints on the node",
    "a node's name has 1 to %(count)s bytes",
    "node '%(node)s' has no other key: enrol its first one with 'cardhour node enrol'",
    "node '%(node)s' has no key: cardhour node list names those that have",
    "offset_ms=%(offset)s: the sender's clock less the broker's",
    "'%(source)s' sent a report of node '%(node)s'",
    "the report ends before it starts",
    "the node's clock is more than a day ahead of the report's arrival",
    "'%(owner)s' is not of the form kind:name",
    "the name is empty",
    # Budgets, webhooks, keys and logins of a customer.
    "project %(project)s, model %(model)s",
    "project %(project)s",
    "model %(model)s",
    "amount: a budget is above zero",
    "a balance is of no project and no model",
    "thresholds: whole percentages such as 80, 100",
    "thresholds: 1 to %(count)s whole percentages from 1 to %(most)s, such as 80 and 100",
    "emails: at most %(count)s",
    "emails: '%(text)s' is no address such as ada@example.com",
    "%(customer)s has %(count)s budgets already: remove one first",
    "url: not an address such as https://example.com/hooks",
    "url: an address that begins with https://, such as https://example.com/hooks, without a password",
    "url: nothing is known of the name %(host)s",
    "url: %(host)s is inside a private network, and events go to public addresses only",
    "the receiver answered %(status)s",
    "no answer within %(seconds)s s",
    "no answer: %(reason)s",
    "a key needs a name of at most %(count)s printable characters, such as 'nightly export'",
    "a key without a scope can do nothing: name any of %(scopes)s",
    "%(owner)s has %(count)s keys that are good: revoke what is not used any more",
    "the login '%(login)s' exists already",
    "%(customer)s has %(count)s logins: remove one first",
    "an invitation needs an address such as ada@example.com",
    "'%(text)s' cannot be a login's name: use letters, digits and @ . + - _ alone",
    "%(login)s has set a password already: there is no invitation to send again",
    "%(text)s was written to %(count)s times within a day: wait until tomorrow",
    "%(customer)s sent %(count)s invitations within a day: wait until tomorrow",
    "this is your own login: another admin of your organisation can do that",
    "you are no admin of this organisation any more",
    "your login has no e-mail address: set one on your profile page first",
    "a report from %(first)s to %(last)s has no day in it",
    "a report covers at most %(count)s days, and %(first)s to %(last)s is longer",
    "%(name)s: '%(text)s' is not a day such as 2026-10-01",
    "%(count)s reports are being made already: wait until one is done",
    # How far a close is.
    "bringing the ledger up to date",
    "reading usage in %(zone)s",
    "it was cut off; what it issued stands, and issuing again goes on from there",
    "it broke; an operator finds why in the log",
)

KINDS = {
    "binding": gettext_lazy("binding"),
    "price": gettext_lazy("price"),
    "lease": gettext_lazy("lease"),
    "contract": gettext_lazy("Contract"),
    "customer": gettext_lazy("customer"),
    "commitment": gettext_lazy("commitment"),
    "tax": gettext_lazy("tax rule"),
    "add-on": gettext_lazy("add-on"),
    "cost": gettext_lazy("cost"),
    "issuer": gettext_lazy("issuer"),
}
"""What the catalog's tables are called inside a sentence."""
FRAGMENTS = (
    "from %(at)s to %(until)s",
    "from %(at)s",
    "per card-hour",
    "per card-month",
    "per server-month",
    "with tax",
    "book %(book)s less %(percent)s",
    "in book %(book)s",
    "book %(book)s",
    "under contract %(contract)s",
    "on cluster %(place)s",
    "on node %(place)s",
    "on card %(place)s",
    "calendar months",
    "anniversary months",
    "in arrears",
    "in advance",
    "non-refundable",
    "card-hours of",
    "true-up",
    "overage",
    "less faults",
    "a month",
    "a quarter",
    "a contract",
    "(pool)",
    "for customer %(customer)s",
    "for everybody",
    "server of %(cards)s:",
    "over %(months)s months",
    "hosting %(hosting)s and power %(power)s",
    "customer %(customer)s",
    "everybody",
)
"""Of what a change of the catalog says: its rows are written for commands, in parts that are the same everywhere."""
_LINE = re.compile(r"catalog:(\d+): (.*)", re.DOTALL)


def in_words(problem: str) -> str:
    """A problem of the engine in the language of the page; as it is, where it is in none of the phrases."""
    if not in_chinese():
        return problem
    if found := _LINE.fullmatch(problem):
        return _("line %(number)s: %(what)s") % {"number": found[1], "what": in_words(found[2])}
    for phrase, pattern in _patterns().items():
        if found := pattern.fullmatch(problem):
            return _(phrase) % _figures(found.groupdict())
    return problem


def change_in_words(text: str) -> str:
    """What a change of the catalog says, in the language of the page, part by part."""
    if in_chinese():
        for fragment, pattern in _fragment_patterns().items():
            text = pattern.sub(partial(_translated, _(fragment)), text)
    return text


def _translated(words: str, found: re.Match[str]) -> str:
    return words % found.groupdict()


def without_line(problem: str) -> str:
    """A problem of a form: it has one table, so the line of the catalog that it wrote says nothing."""
    found = _LINE.fullmatch(problem)
    return found[2] if found else problem


def _figures(found: Mapping[str, str]) -> dict[str, str]:
    """Parts of a phrase. One that is a sentence itself is translated, too."""
    return {
        name: str(KINDS.get(text, text)) if name == "kind" else in_words(text) if name == "what" else text
        for name, text in found.items()
    }


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {phrase: _pattern(phrase) for phrase in PHRASES}


@cache
def _fragment_patterns() -> dict[str, re.Pattern[str]]:
    """Each stands alone, and its figures are names: they have no space and end before a comma."""
    return {each: re.compile(rf"(?<!\w){_pattern(each, '[^ ,]+').pattern}(?!\w)") for each in FRAGMENTS}


def _pattern(phrase: str, figure: str = ".+?") -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", phrase)
    texts = [re.escape(part) if at % 2 == 0 else f"(?P<{part}>{figure})" for at, part in enumerate(parts)]
    return re.compile("".join(texts), re.DOTALL)
