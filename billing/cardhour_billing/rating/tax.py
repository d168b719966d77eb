"""Tax: which rule holds for a line, and what a document's lines come to under their rules.

Owns the rule over product × customer × date, and the arithmetic of EN 16931: tax per category and rate on the sum of
its lines, rounded once. Does not own the rows (``models``) nor rounding (``money``). Plain Python.
A rule for a customer beats one for everybody; then an exact model beats a prefix, and a longer prefix a shorter one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Literal, NamedTuple

from msgspec import Struct

from cardhour_billing.exact import parts_within
from cardhour_billing.money import Money, net_within, percent_text, tax_on_top, total
from cardhour_billing.rating.binding import times_meet

Category = Literal["standard", "reduced", "zero", "exempt", "reverse-charge"]

CODES: dict[str, str] = {"standard": "S", "reduced": "S", "zero": "Z", "exempt": "E", "reverse-charge": "AE"}
"""EN 16931 (UNCL5305) category code of each category."""

RATED = ("standard", "reduced")
"""Categories with a rate above zero; the others have none."""

REVERSE_CHARGE = "reverse-charge"
REVERSE_CHARGE_NOTE = (
    "Reverse charge: the customer accounts for the tax (Articles 44 and 196, Directive 2006/112/EC). "
    "反向征收：由客户自行申报缴纳税款。"
)
"""What a document must say where nothing else is given."""


class TaxRule(Struct, frozen=True, kw_only=True):
    """A current rule. Valid ``[from_ms, to_ms)``; no end where ``to_ms`` is ``None``."""

    id: int
    category: str
    rate_ppm: int
    """Parts per million: 60 000 for 6 %."""
    customer: str = ""
    """Empty: everybody."""
    model: str = ""
    """Exact, or a prefix ending in ``*``; empty: everything."""
    note: str = ""
    """Legal sentence that the document prints."""
    from_ms: int
    to_ms: int | None = None

    @property
    def key(self) -> str:
        """Category and rate, which lines and tax rows are told apart by: ``standard 6``."""
        return f"{self.category} {self.percent}"

    @property
    def percent(self) -> str:
        return percent_text(self.rate_ppm)

    @property
    def rate(self) -> Fraction:
        return Fraction(self.rate_ppm, 1_000_000)

    @property
    def sentence(self) -> str:
        """The legal sentence: the rule's own, or the one that its category cannot do without."""
        return self.note or (REVERSE_CHARGE_NOTE if self.category == REVERSE_CHARGE else "")

    def holds_at(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms and (self.to_ms is None or at_ms < self.to_ms)


class TaxRules:
    """Rules by customer and model."""

    def __init__(self, rows: Iterable[TaxRule]) -> None:
        self.rows = tuple(rows)
        self._by_subject: dict[tuple[str, str], list[TaxRule]] = {}
        for row in self.rows:
            self._by_subject.setdefault((row.customer, row.model), []).append(row)
        prefixes = {len(row.model) - 1 for row in self.rows if row.model.endswith("*")}
        self._prefix_lengths = sorted(prefixes, reverse=True)

    def find(self, customer: str, model: str, at_ms: int) -> TaxRule | None:
        """The rule that decides at ``at_ms``."""
        models = [model, *(f"{model[:n]}*" for n in self._prefix_lengths if n <= len(model)), ""]
        for whom in (customer, ""):
            for what in models:
                for row in self._by_subject.get((whom, what), ()):
                    if row.holds_at(at_ms):
                        return row
        return None


def overlaps(rows: Iterable[TaxRule]) -> Iterator[tuple[TaxRule, TaxRule]]:
    """Pairs of rules for the same customer and model that hold at one time."""
    groups: dict[tuple[str, str], list[TaxRule]] = {}
    for row in rows:
        groups.setdefault((row.customer, row.model), []).append(row)
    for group in groups.values():
        for one, other in combinations(group, 2):
            if times_meet(one.from_ms, one.to_ms, other.from_ms, other.to_ms):
                yield one, other


class Taxable(NamedTuple):
    """A rounded line and the rules it is under, all of one category and rate; none where nothing is taxed."""

    amount: Money
    rules: tuple[TaxRule, ...]
    included: bool
    """Whether ``amount`` has its tax in it."""
    exact_tax: Money | None = None
    """The tax of its whole category and rate, known beforehand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxSum:
    """What one category and rate comes to."""

    rule: TaxRule
    net: Money
    tax: Money
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The tax of a document. ``nets`` are the lines without tax, in their order; they sum to ``net``."""

    nets: tuple[Money, ...]
    rows: tuple[TaxSum, ...]
    net: Money
    tax: Money

    @property
    def total(self) -> Money:
        return self.net + self.tax


def assess(lines: Sequence[Taxable], currency: str) -> Assessment:
    """Tax for each category and rate, highest rate first.

    Exclusive: rate × the sum of net lines, rounded once. Inclusive: net = round(sum of gross ÷ (1 + rate)), tax is the
    rest, and the net goes to the lines by largest remainder, so that what was quoted is what is paid.
    """
    nets = [line.amount for line in lines]
    groups: dict[str, list[int]] = {}
    for at, line in enumerate(lines):
        if line.rules:
            groups.setdefault(line.rules[0].key, []).append(at)
    rows = [_sum(lines, group, nets, currency) for group in groups.values()]
    return Assessment(
        nets=tuple(nets),
        rows=tuple(sorted(rows, key=lambda row: (-row.rule.rate_ppm, row.rule.category))),
        net=total(nets, currency),
        tax=total((row.tax for row in rows), currency),
    )


def _sum(lines: Sequence[Taxable], group: Sequence[int], nets: list[Money], currency: str) -> TaxSum:
    rule = lines[group[0]].rules[0]
    exclusive = total((lines[at].amount for at in group if not lines[at].included), currency)
    tax = tax_on_top(exclusive, rule.rate)
    inclusive = [at for at in group if lines[at].included]
    if inclusive:
        gross = total((lines[at].amount for at in inclusive), currency)
        net = net_within(gross, rule.rate)
        tax = tax + (gross - net)
        for at, part in zip(
            inclusive, parts_within(net, [lines[at].amount for at in inclusive], rule.rate), strict=True
        ):
            nets[at] = part
    exact = next((lines[at].exact_tax for at in group if lines[at].exact_tax is not None), None)
    if exact is not None:
        if inclusive:
            nets[inclusive[0]] = nets[inclusive[0]] + tax - exact
        tax = exact
    notes = dict.fromkeys(each.sentence for at in group for each in lines[at].rules if each.sentence)
    return TaxSum(rule=rule, net=total((nets[at] for at in group), currency), tax=tax, notes=tuple(notes))
