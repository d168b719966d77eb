"""The list of statements of account, for staff: how each stands, and what its reader said.

Owns what it shows. Does not own what may become of a statement (``statements``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from cardhour_billing.figures import grouped
from cardhour_billing.models import Statement, StatementEvent
from cardhour_billing.money import Money
from cardhour_billing.portal.line_names import in_one_language
from cardhour_billing.portal.records.catalog_lists import by_customer, of_customer, plain
from cardhour_billing.portal.records.noun import Column, Fact, Filter, Look, Noun, Part, Words
from cardhour_billing.portal.records.texts import amount, instant, rfc3339
from cardhour_billing.portal.statement_page import signed
from cardhour_billing.statements.statement import document_of


def _rows() -> QuerySet[Statement]:
    """Each with what was said last, which is its state."""
    last = StatementEvent.objects.filter(statement=OuterRef("pk")).order_by("-pk").values("kind")[:1]
    found = Statement.objects.select_related("customer").defer("frozen")
    return found.annotate(state=Coalesce(Subquery(last), Value("draft")))


def _days(row: Statement, _look: Look) -> str:
    return f"{row.first_day} – {row.last_day}"


def _revision(row: Statement, _look: Look) -> str:
    return _("revision %(number)s") % {"number": row.revision} if row.revision > 1 else ""


def _states() -> Sequence[tuple[str, Words]]:
    return [("draft", _("Draft")), ("sent", _("Sent")), ("disputed", _("Disputed")), ("confirmed", _("Confirmed"))]


def _said(row: Statement, look: Look) -> Iterator[Sequence[str]]:
    for each in row.events.order_by("-pk"):
        yield instant(each.at_ms, look), each.kind, str(each.line or ""), each.note, each.who


def _lines(row: Statement, _look: Look) -> Iterator[Sequence[str]]:
    disputed = set(row.events.exclude(line=None).values_list("line", flat=True))
    for line in document_of(row).lines:
        state = "disputed" if line.position in disputed else ""
        yield str(line.position), in_one_language(line.name), line.document, state, grouped(line.amount)


STATEMENTS = Noun(
    slug="statements", group="billing", title=_("Statements"), one=_("Statement"),
    help=_("What customers were shown of their accounts, and what they said: confirmed, or disputed line by line."),
    empty=_("No statements of account yet. Draw one up with cardhour statement draft, and send it."),
    rows=_rows, search=("customer__name", "customer__key"), order="-drawn",
    columns=(
        Column(key="days", head=_("Days"), text=_days, order=("first_day", "last_day", "revision"),
               small=_revision),
        of_customer(),
        Column(key="statement", head=_("Number"), text=plain("pk"), raw=lambda row, _look: row.pk, order=("pk",),
               number=True, wide=True),
        Column(key="state", head=_("State"), text=plain("state"), order=("state",), pill=True),
        Column(key="opening", head=_("Opening balance"), text=lambda row, _look: amount(row.opening, row.currency),
               raw=lambda row, _look: str(Money(amount=row.opening, currency=row.currency)), number=True, wide=True),
        Column(key="closing", head=_("Closing balance"), text=lambda row, _look: amount(row.closing, row.currency),
               raw=lambda row, _look: str(Money(amount=row.closing, currency=row.currency)), number=True),
        Column(key="currency", head=_("Currency"), text=plain("currency"), order=("currency",), wide=True),
        Column(key="drawn", head=_("Drawn up"), text=lambda row, look: instant(row.drawn_at_ms, look),
               raw=lambda row, _look: rfc3339(row.drawn_at_ms), order=("drawn_at_ms",), wide=True),
    ),
    filters=(
        by_customer(),
        Filter(key="is", label=_("State"), choices=_states, match=lambda value: Q(state=value)),
    ),
    parts=(
        Part(title=_("What was said"), heads=(_("When"), _("What"), _("Line"), _("Words"), _("By")), rows=_said,
             numbers=frozenset({2})),
        Part(title=_("Lines"), heads=(_("Line"), _("Charge"), _("Document"), _("State"), _("Amount")), rows=_lines,
             numbers=frozenset({4})),
    ),
    facts=(
        Fact(name=_("Customer"), text=lambda row, _look: row.customer.name),
        Fact(name=_("State"), text=plain("state"), pill=True),
        Fact(name=_("Opening balance"), text=lambda row, _look: f"{amount(row.opening, row.currency)} {row.currency}"),
        Fact(name=_("Charges"), text=lambda row, _look: signed(document_of(row).charged)),
        Fact(name=_("Payments"), text=lambda row, _look: signed(document_of(row).paid, turned=True)),
        Fact(name=_("Closing balance"), text=lambda row, _look: f"{amount(row.closing, row.currency)} {row.currency}"),
        Fact(name=_("Drawn up"), text=lambda row, look: f"{instant(row.drawn_at_ms, look)}, {row.who}"),
    ),
)  # fmt: skip
