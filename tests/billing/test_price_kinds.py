"""Invoices under each kind of price, whole: against golden files, with their sums worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardhour_billing.answers.explanation import Explainer
from cardhour_billing.answers.verification import verify
from cardhour_billing.charges.finding import joined
from cardhour_billing.models import Invoice
from cardhour_billing.money import Money, total
from cardhour_billing.month import billing_period, parse_month
from cardhour_billing.rating.binding import BindingRow, Bindings
from cardhour_billing.rating.cuts import cuts_ms
from cardhour_billing.rating.price import ContractRow, PriceRow, Prices
from cardhour_billing.rating.rate import Rating, Terms, rate
from cardhour_billing.rating.rate_scheme import Band, Kind, Tier
from cardhour_contract.moment import CARD_HOUR_US, HOUR_MS, format_rfc3339, parse_rfc3339
from tests.billing.books import apply, close, on_sqlite
from tests.billing.conftest import Store
from tests.billing.golden import assert_golden
from tests.billing.memory_ledger import MemoryLedger

__all__ = ["on_sqlite"]

AFTER = "2026-12-10T00:00:00Z"

PARTIES = """
[issuer]
name = "Example Compute"
currency = "{currency}"
timezone = "{zone}"
number_prefix = "EC"
[[customer]]
id = "acme"
name = "Acme Ltd"
[[binding]]
owner = "k8s:acme"
customer = "acme"
from = 2026-01-01T00:00:00Z
"""


def parties(currency: str = "EUR", zone: str = "Europe/Berlin") -> str:
    return PARTIES.format(currency=currency, zone=zone)


def price(model: str, rest: str, since: str = "2026-01-01T00:00:00Z") -> str:
    return f'[[price]]\nmodel = "{model}"\nper = "card-hour"\nfrom = {since}\n{rest}\n'


STEPS = '[{ to = "1000", amount = "10" }, { amount = "8" }]'
GRADUATED = f'scheme = "graduated"\ntiers = {STEPS}'
VOLUME = f'scheme = "volume"\ntiers = {STEPS}'
NIGHTS = (
    'amount = "2"\nbands = [{ name = "night 夜间", from = "22:00", to = "06:00", amount = "1" },'
    ' { name = "weekend 周末", days = "weekends", from = "06:00", to = "22:00", amount = "1.5" }]'
)


def held(*uses: tuple[str, int], since: str = "2026-10-01T00:00:00+02:00") -> MemoryLedger:
    """Hours on models, each use on a card of its own."""
    ledger = MemoryLedger()
    for at, (model, hours) in enumerate(uses):
        end = format_rfc3339(parse_rfc3339(since) + hours * HOUR_MS)
        ledger.hold("k8s:acme", model, since, end, card=f"GPU-{at}")
    return ledger


CONTRACT = (
    '[[contract]]\nid = "acme-2026"\ncustomer = "acme"\nbook = "gold"\ndiscount = "15"\nfrom = 2026-01-01T00:00:00Z\n'
    + price("A100", 'amount = "20"\ncontract = "acme-2026"')
    + price("V100", 'amount = "9"\nbook = "gold"')
    + price("A100", 'amount = "24"')
    + price("V100", 'amount = "10"')
    + price("T4", 'amount = "1.333333333"')
)

CHANGED = price("T4", 'amount = "10"\nto = 2026-10-16T00:00:00+02:00') + price(
    "T4", 'amount = "9"', "2026-10-16T00:00:00+02:00"
)

CASES = {
    # 1 000 × 10 + 500 × 8
    "graduated": (parties() + price("A100", GRADUATED), held(*[("A100", 500)] * 3), "14000.00"),
    # a group: 700 h of one and 500 h of the other fill the tiers together, 1 000 × 10 + 200 × 8
    "graduated_group": (
        parties() + price("A100 class", GRADUATED + '\nmodels = ["A100-40", "A100-80*"]'),
        held(("A100-40", 700), ("A100-80 SXM", 500)),
        "11600.00",
    ),
    # 1 010 × 8
    "volume": (parties() + price("A100*", VOLUME), held(("A100", 505), ("A100", 505)), "8080.00"),
    # From Saturday 20:00 to Monday 08:00 over the night in which Berlin's clock goes back: 37 hours. Weekend 2 + 16,
    # night 2 + 7 + 2 + 6 with the repeated hour, and two on Monday morning: 18 × 1.5 + 17 × 1 + 2 × 2
    "bands_dst": (parties() + price("A100", NIGHTS), held(("A100", 37), since="2026-10-24T20:00:00+02:00"), "48.00"),
    "yen": (parties("JPY", "Asia/Tokyo") + price("T4", 'amount = "251.5"'), held(("T4", 3)), "755"),
    "dinar": (parties("KWD", "Asia/Kuwait") + price("T4", 'amount = "0.1235"'), held(("T4", 3)), "0.371"),
    # negotiated 10 × 20, book 10 × 9 × 0.85, list 10 × 1.333333333 × 0.85 = 200 + 76.50 + 11.33
    "contract": (parties() + CONTRACT, held(("A100", 10), ("V100", 10), ("T4", 10)), "287.83"),
    # 15 days × 24 × 10, then 16 days and the repeated hour
    "price_changes": (parties() + CHANGED, held(("T4", 31 * 24 + 1)), "7065.00"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_golden_invoice(store: Store, case: str) -> None:
    text, ledger, net = CASES[case]
    apply(store.home, text)
    (closed,) = close(ledger, "2026-10", AFTER, issue=True, files=True).invoices
    assert closed.document.net == net
    invoice = Invoice.objects.get()
    assert all(check.agrees for check in verify(invoice, ledger)), verify(invoice, ledger)
    assert_golden(closed.document, case)


def test_applying_every_kind_of_price_twice_changes_nothing(store: Store) -> None:
    for case in ("graduated", "bands_dst", "graduated_group", "contract"):
        text = CASES[case][0].replace("A100", f"A100 {case}")
        apply(store.home, text)
        assert apply(store.home, text) == ()


def test_a_graduated_line_is_explained_as_its_part_of_the_usage(store: Store) -> None:
    text, ledger, _ = CASES["graduated"]
    apply(store.home, text)
    close(ledger, "2026-10", AFTER, issue=True, files=True)
    second = Explainer(Invoice.objects.get(), 2, ledger)
    cards = second.cards()
    assert (cards.quantity_us, str(cards.amount)) == (500 * CARD_HOUR_US, "4000.00")
    assert sum(part.quantity_us for part in cards.parts) == cards.quantity_us
    assert total((part.amount for part in cards.parts), "EUR") == cards.amount
    day = second.days().parts[0]
    assert sum(part.quantity_us for part in second.days().parts) == cards.quantity_us
    assert day.name["day"] == "2026-10-01"


def test_what_the_list_the_contract_and_the_discount_come_to_stands_on_the_line(store: Store) -> None:
    text, ledger, _ = CASES["contract"]
    apply(store.home, text)
    (closed,) = close(ledger, "2026-10", AFTER).invoices
    found = {
        line.model: (line.list_amount, line.contracted_amount, line.amount, line.unit_price, line.description)
        for line in closed.document.lines
    }
    assert found == {
        "A100": ("240.00", "200.00", "200.00", "20.00", ""),
        "V100": ("100.00", "90.00", "76.50", "7.65", "less 15% 折扣"),
        "T4": ("13.33", "13.33", "11.33", "1.133333333", "less 15% 折扣"),
    }


def test_a_model_without_a_price_anywhere_is_a_finding(store: Store) -> None:
    apply(store.home, parties() + CONTRACT)
    (blocked,) = close(held(("H100", 3)), "2026-10", AFTER).blocked
    assert joined(blocked.findings) == "3.00 card-hours of H100 have no price in EUR (first on 2026-10-01)"


# properties

OCTOBER = billing_period(parse_month("2026-10"), "Europe/Berlin")
KINDS: tuple[Kind, ...] = ("per-unit", "graduated", "volume")
MODELS = ("A100", "A100-80", "T4")


@st.composite
def priced(draw: st.DrawFn) -> tuple[Prices, Terms]:
    """A list for every model, a book and a negotiated price for some, of any kind and with any bands."""
    rows: list[PriceRow] = []
    for model, book in [("*", "list"), ("A100*", "list"), ("T4", "gold"), ("A100", "@acme-2026")]:
        nanos = draw(st.lists(st.integers(0, 10**11), min_size=3, max_size=3))
        bound = draw(st.integers(1, 500 * CARD_HOUR_US))
        kind: Kind = draw(st.sampled_from(KINDS))
        tiers = (Tier(to_us=bound, nano=nanos[0]), Tier(nano=nanos[1])) if kind != "per-unit" else ()
        minutes = draw(st.tuples(st.integers(0, 95), st.integers(1, 96)))
        band = Band(name="b", nano=nanos[2], from_minute=minutes[0] * 15, to_minute=minutes[1] * 15)
        rows.append(
            PriceRow(
                id=len(rows) + 1,
                book=book,
                model=model,
                currency="EUR",
                nano=nanos[0],
                kind=kind,
                tiers=tiers,
                from_ms=0,
                bands=(band,) if draw(st.booleans()) else (),
            )
        )
    middle_ms = OCTOBER.day_starts_ms[draw(st.integers(0, 30))]
    contract = ContractRow(
        id=1, key="acme-2026", customer="acme", book="gold", discount_ppm=draw(st.integers(0, 999_999)),
        from_ms=middle_ms,
    )  # fmt: skip
    return Prices(rows), Terms(customer="acme", currency="EUR", contracts=(contract,))


@given(priced(), st.lists(st.tuples(st.sampled_from(MODELS), st.integers(0, 700), st.integers(1, 500)), min_size=1))
def test_lines_sum_to_the_usage_and_rating_again_changes_nothing(
    catalog: tuple[Prices, Terms], uses: list[tuple[str, int, int]]
) -> None:
    prices, terms = catalog
    ledger = MemoryLedger()
    for at, (model, start, hours) in enumerate(uses):
        start_ms = OCTOBER.start_ms + start * HOUR_MS
        end_ms = min(start_ms + hours * HOUR_MS + at, OCTOBER.end_ms)
        ledger.hold("k8s:acme", model, format_rfc3339(start_ms), format_rfc3339(end_ms), card=f"GPU-{at}")
    bindings = Bindings([BindingRow(id=1, owner="k8s:acme", customer="acme", from_ms=0)])
    cuts = cuts_ms(OCTOBER, bindings, prices, terms=[terms])
    usage = list(ledger.billable(OCTOBER.start_ms, OCTOBER.end_ms, cuts))

    def rated() -> Rating:
        return rate(usage, period=OCTOBER, bindings=bindings, prices=prices, terms={"acme": terms}, list_currency="EUR")

    rating = rated()
    lines = rating.lines["acme"]
    assert rated() == rating
    assert sum(line.quantity_us for line in lines) == sum(row.billable_us for row in usage)
    assert len({line.key for line in lines}) == len(lines)
    for line in lines:
        assert line.quantity_us > 0
        assert line.amount == line.unit_price.charge(line.quantity_us)
        assert line.costs.contracted.amount >= line.amount.amount
        assert line.costs.listed is not None
        for shares in (line.days, line.cards):
            assert sum(share.quantity_us for share in shares.values()) == line.quantity_us
            assert total((share.amount for share in shares.values()), "EUR") == line.amount
    claimed = sum(claim.billable_us for line in lines for claim in line.claims)
    assert claimed == sum(line.quantity_us for line in lines)
    _assert_tiers_count_the_month(prices, rating)


def _assert_tiers_count_the_month(prices: Prices, rating: Rating) -> None:
    """Before discount, the lines of one price, contract and band come to what their whole quantity costs at it."""
    wholes: dict[tuple[str, int, str], tuple[int, Money, int]] = {}
    for line in rating.lines["acme"]:
        key = (line.key.contract, line.key.price, line.key.band)
        us, money, count = wholes.get(key, (0, Money(amount=0, currency="EUR"), 0))
        wholes[key] = us + line.quantity_us, money + line.costs.contracted, count + 1
    by_id = {row.id: row for row in prices.rows}
    for (_, price_id, band), (us, money, count) in wholes.items():
        exact = by_id[price_id].rate(band).cost(us, "EUR")
        assert abs(money.amount - exact) <= count * 0.5
