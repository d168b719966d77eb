"""What was found of a month, without a language: a kind and its figures, and the sentence that each kind is in English.

Owns the kinds and their sentences. Does not own when one is found (``zone_close``, the providers of charges,
``checklist``) nor other languages: the portal translates the sentence of a kind and puts the same figures in it.
Figures are texts that read alike in every language: ids, models, days, grouped numbers, money with its currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from cardhour_billing.figures import grouped
from cardhour_billing.money import card_hours

SENTENCES = {
    # What keeps a draft from being issued.
    "no_price": "%(hours)s card-hours of %(model)s have no price in %(currency)s",
    "no_price_from": "%(hours)s card-hours of %(model)s have no price in %(currency)s (first on %(day)s)",
    "no_tax": "no tax rule covers %(model)s",
    "no_tax_from": "no tax rule covers %(model)s for this customer (first on %(day)s)",
    "no_tax_line": "no tax rule covers '%(line)s' for this customer",
    "no_tax_commitment": "no tax rule covers commitment %(commitment)s for this customer",
    "no_tax_id_customer": "a reverse charge needs the tax_id of the customer, and none is given",
    "no_tax_id_issuer": "a reverse charge needs the tax_id of the issuer, and none is given",
    "lease_conflict": "%(owner)s of %(customer)s used %(hours)s card-hours of %(card)s on %(node)s, which lease "
    "%(lease)s gives to %(lessee)s (first on %(day)s): bind the owner to the lessee there, or end the lease before",
    "currency_commitment": "commitment %(key)s is in %(currency)s, and the customer pays %(billed)s",
    "currency_lease": "lease %(key)s is priced in %(currency)s, and the customer is billed in %(billed)s: apply the "
    "catalog again, or end it",
    "currency_add_on": "add-on %(key)s is priced in %(currency)s, and the customer is billed in %(billed)s: apply the "
    "catalog again, or end it",
    "currency_month": "%(month)s was billed in %(currency)s: correct it with a credit note",
    # What a clerk should know, and may issue anyway.
    "too_little": "below the smallest invoice of %(amount)s: carried forward",
    "moved": "comes to another total than was confirmed: look at it, then issue it",
    "month_runs": "%(month)s ends at %(at)s: these drafts will grow",
    "month_late": "late usage of %(month)s may come in until %(at)s: these drafts may change",
    "unobserved": "%(hours)s card-hours were not observed, and are billed to nobody",
    "conflicts": "%(cards)s cards were claimed by nodes where they are not at home: %(hours)s card-hours that do not "
    "count",
    "unread": "%(letters)s messages could not be read",
    "unread_hours": "they speak of up to %(hours)s card-hours of this month",
    "unread_mute": "%(letters)s say nothing that can be valued",
    "unassigned": "%(hours)s card-hours have no customer (owners: %(owners)s)",
    "list_value": "%(value)s at list price",
    "list_value_none": "without a list price",
    "list_value_part": "some of it without a list price",
    "changed": "%(percent)s %%, %(before)s last month, %(now)s now",
    "without_tax_id": "without tax_id: %(customers)s",
    "without_tax_id_more": "without tax_id: %(customers)s and %(more)s more",
    "without_email": "cardhour send cannot reach, for want of email: %(customers)s",
    "without_email_more": "cardhour send cannot reach, for want of email: %(customers)s and %(more)s more",
    "breached": "%(pages)s pages do not add up, so nothing of this month can be issued",
    # What was checked and is fine.
    "all_priced": "all usage and charges have their price and their tax",
    "ledger_fine": "the pages of %(cards)s cards add up",
    "none_unread": "no message waits to be read",
    "none_unassigned": "all usage has its customer",
    "none_changed": "no customer's bill is %(percent)s %% above or below the month before",
    "none_lacking": "given for every customer that is billed",
    # What to do about it.
    "do_price": "add its [[price]] to the catalog, apply it, and close again",
    "do_tax": "add a [[tax]] rule to the catalog, apply it, and close again",
    "do_tax_id": "add the tax_id to the catalog, apply it, and close again",
    "do_wait": "close again when it is settled",
    "do_rebuild": "cardhour ledger rebuild %(span)s",
    "do_balance": "cardhour balance %(span)s names the longest",
    "do_move": "cardhour ledger conflicts %(span)s, then cardhour card move",
    "do_replay": "cardhour dead-letters list; mend the cause, then cardhour dead-letters replay",
    "do_bind": "add a [[binding]] for each owner below, or leave what is your own",
    "do_look": "look at its lines before it is issued",
    "do_add_tax_id": "add it to [[customer]], unless they have none",
    "do_add_email": "add it to [[customer]]",
}
"""Placeholders are figures. Every sentence is translated where pages are (``portal/locale``), which a test holds."""


class Finding(Struct, frozen=True):
    """One thing that was found. ``about`` names what it is of where that is not plain: a customer, an earlier month."""

    kind: str
    figures: dict[str, str] = {}
    about: str = ""

    def __str__(self) -> str:
        return self.said(SENTENCES[self.kind], ": ")

    def said(self, sentence: str, colon: str) -> str:
        """It in words: ``sentence`` is that of its kind, in any language."""
        text = sentence % self.figures
        return f"{self.about}{colon}{text}" if self.about else text

    def of(self, name: str) -> Finding:
        """The same, said of ``name``."""
        return Finding(self.kind, self.figures, f"{name}: {self.about}" if self.about else name)


def noted(kind: str, **figures: object) -> Finding:
    """A finding with its figures as text."""
    return Finding(kind, {name: str(figure) for name, figure in figures.items()})


def hours_said(quantity_us: int) -> str:
    """Card-hours as a sentence has them: as on every page, and exactly where that would say none."""
    text = card_hours(quantity_us, decimals=2)
    return grouped(text if quantity_us == 0 or text.strip("-0.") else card_hours(quantity_us))


def joined(findings: Iterable[Finding]) -> str:
    """Parts of one sentence, in English."""
    return "; ".join(map(str, findings))


def kept(findings: Iterable[Finding]) -> list[Mapping[str, Any]]:
    """As the books keep them."""
    return [msgspec.to_builtins(each) for each in findings]


def read_kept(rows: object) -> tuple[Finding, ...]:
    """What ``kept`` wrote."""
    return msgspec.convert(rows, tuple[Finding, ...])
