"""The books of a small provider, written into an empty store: nine customers, three months, four currencies.

Owns sample data for pages. Charges are computed by the same money functions that invoices are, so that every page
adds up. Django must be set up before this is imported.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from msgspec import json, to_builtins

from cardhour_billing import money
from cardhour_billing.charges.finding import kept, noted
from cardhour_billing.closing.checklist import Check
from cardhour_billing.closing.unassigned import OwnerUse
from cardhour_billing.frozen.document import (
    Bank,
    CardShare,
    CustomerParty,
    DayShare,
    DocumentLine,
    InvoiceDocument,
    IssuerParty,
    Language,
    Period,
    TaxRow,
    encode,
)
from cardhour_billing.frozen.inputs import FrozenInputs
from cardhour_billing.models import (
    CloseRun,
    Customer,
    Invoice,
    InvoiceLine,
    Issuer,
    NumberSeries,
    PortalUser,
    Price,
    PriceBook,
    StaffRole,
)
from cardhour_billing.month import BillingPeriod, Month, billing_period
from cardhour_billing.rating.rate import Terms
from cardhour_billing.rating.tax import TaxRule
from cardhour_contract.moment import CARD_HOUR_US, format_rfc3339, parse_rfc3339
from tests.portal.signing_in import PASSWORD

STAFF, CLERK, VIEWER = "lin.yue", "zhou.min", "wen.jie"
"""Logins of staff: admin, billing, viewer."""
CUSTOMER, MEMBER, OTHER_CUSTOMER, LOST = "chen.yi", "xu.fan", "ada", "nobody.yet"
"""Logins: Qinghe AI's admin and member, Lakeside Institute's admin, and one given to no customer."""

PRICES = {"A100-SXM4-80GB": "22.84", "A800-SXM4-80GB": "18.62", "H800": "41.90", "L40S": "9.35", "RTX 4090": "2.99"}
"""Price of a card-hour in CNY; divided by a fixed rate for other currencies."""

_CUSTOMERS: tuple[tuple[str, str, str, Language, str, dict[str, int]], ...] = (
    ("qinghe", "Qinghe AI", "Qinghe AI Technology Ltd.", "en", "CNY",
     {"A100-SXM4-80GB": 3287, "A800-SXM4-80GB": 8410, "RTX 4090": 1290}),
    ("xingchi", "星驰汽车", "星驰汽车股份有限公司", "zh-hans", "CNY", {"A800-SXM4-80GB": 15284, "H800": 2100}),
    ("shanlan", "Shanlan Robotics", "Shanlan Robotics Co., Ltd.", "en", "CNY", {"A100-SXM4-80GB": 9020}),
    ("hengxin", "衡信科技", "衡信科技有限公司", "zh-hans", "CNY", {"L40S": 4120}),
    ("mozhi", "墨知语言", "墨知语言技术有限公司", "zh-hans", "CNY", {"H800": 20930, "A100-SXM4-80GB": 900}),
    ("lakeside", "Lakeside Institute", "Lakeside Institute for Very Long Names in Computational Biology e. V.", "en",
     "USD", {"A100-SXM4-80GB": 5210}),
    ("northlight", "Northlight Labs", "Northlight Labs, Inc.", "en", "USD", {"H800": 11730, "L40S": 640}),
    ("sakura", "Sakura Render", "株式会社サクラレンダー", "en", "JPY", {"RTX 4090": 8800}),
    ("dune", "Dune Analytics", "Dune Analytics W.L.L.", "en", "KWD", {"A100-SXM4-80GB": 77}),
)  # fmt: skip
_PER_CNY = {"CNY": (1, 1), "USD": (10, 71), "JPY": (21, 1), "KWD": (1, 23)}
_ZONES = {"CNY": "Asia/Shanghai", "USD": "America/New_York", "JPY": "Asia/Tokyo", "KWD": "Asia/Kuwait"}
BEGAN_MS = parse_rfc3339("2025-12-31T16:00:00Z")
VAT = TaxRule(id=1, category="standard", rate_ppm=60_000, from_ms=BEGAN_MS)
MONTHS = (Month(year=2026, month=8), Month(year=2026, month=9), Month(year=2026, month=10))
_GROWTH = ((93, 97, 81), (97, 100, 103), (103, 113, 100))
_CARD_WEIGHTS = [90, 88, 71, 90, 64, 90, 90, 83, 12, 77, 90, 55]
_STILL_DRAFTS = {
    "xingchi": (noted("no_price_from", hours="212.50", model="H800", currency="CNY", day="2026-10-28"),),
    "shanlan": (),
}
"""Customers whose October is not issued, and what keeps it from being."""


def write() -> None:
    """Write everything. The store must be migrated and empty."""
    issuer = Issuer.objects.create(
        name="Example Compute", legal_name="Example Compute Co., Ltd.",
        address="88 Example Road, Hangzhou\n杭州市示例路 88 号",
        tax_id="91330100XXXXXXXX0X", bank_account_name="示例算力科技有限公司", bank="Example Bank 示例银行杭州分行",
        bank_account="0000 1111 2222 3333", currency="CNY", timezone="Asia/Shanghai", number_prefix="EC",
    )  # fmt: skip
    customers = {
        key: Customer.objects.create(
            issuer=issuer, key=key, name=name, legal_name=legal_name, language=language, currency=currency,
            address="12 Sample Street\n上海市样例街 12 号", timezone=_ZONES[currency],
            po_number="QH-2026-117" if key == "qinghe" else "",
        )
        for key, name, legal_name, language, currency, _ in _CUSTOMERS
    }  # fmt: skip
    _write_users(customers)
    series = NumberSeries.objects.create(issuer=issuer, kind="invoice", fiscal_year=2026)
    book = PriceBook.objects.create(key="list")
    for at, month in enumerate(MONTHS):
        for order, (key, *_, hours) in enumerate(_CUSTOMERS):
            grown = {model: each * _GROWTH[at][order % 3] // 100 for model, each in hours.items()}
            draft = month == MONTHS[-1] and key in _STILL_DRAFTS
            _write_invoice(customers[key], month, grown, None if draft else series, book)
    _write_close()


def _write_close() -> None:
    """What the close of October found, and what a draft came to before."""
    draft = Invoice.objects.get(customer__key="shanlan", state=Invoice.State.DRAFT)
    draft.net_before, draft.before_at_ms = draft.net - 112_740, draft.computed_at_ms
    draft.save()
    checks = (
        Check(
            severity="warning",
            check="unassigned",
            said=(noted("unassigned", hours="212.50", owners="1"), noted("list_value", value="4,853.50 CNY")),
            mend=noted("do_bind"),
            worth="4,853.50 CNY",
            card_hours="212.50",
            owners=(OwnerUse(owner="k8s:acme-eval", hours="212.50", worth="4,853.50 CNY"),),
        ),
        Check(
            severity="warning",
            check="unobserved",
            said=(noted("unobserved", hours="657.00"),),
            mend=noted("do_balance", span="--from 2026-09-30T16:00:00Z --to 2026-10-31T16:00:00Z"),
            card_hours="657.00",
        ),
        Check(
            severity="warning",
            check="dead letters",
            said=(noted("unread", letters="41"), noted("list_value", value="388.20 CNY")),
            worth="388.20 CNY",
            card_hours="17.00",
            mend=noted("do_replay"),
        ),
        Check(severity="fine", check="ledger", said=(noted("ledger_fine", cards="416"),)),
        Check(severity="fine", check="e-mail", said=(noted("none_lacking"),)),
    )
    ended_ms = parse_rfc3339("2026-11-03T01:38:00Z")
    CloseRun.objects.create(
        token="sample",
        month=str(MONTHS[-1]),
        issue=False,
        who=STAFF,
        state=CloseRun.State.DONE,
        done=9,
        of=9,
        drafts=2,
        blocked=1,
        checks=to_builtins(checks),
        started_at_ms=ended_ms - 9_000,
        heard_at_ms=ended_ms,
        finished_at_ms=ended_ms,
    )


def _write_users(customers: dict[str, Customer]) -> None:
    hashed = make_password(PASSWORD)  # once: it is slow on purpose
    for login, role, first, last in (
        (STAFF, "admin", "Lin", "Yue"), (CLERK, "billing", "Zhou", "Min"), (VIEWER, "viewer", "Wen", "Jie"),
    ):  # fmt: skip
        user = User(username=login, password=hashed, first_name=first, last_name=last, is_staff=True)
        user.save()
        StaffRole.objects.create(user=user, role=role)
    User.objects.create(username=LOST, password=hashed)
    for login, key in ((CUSTOMER, "qinghe"), (MEMBER, "qinghe"), (OTHER_CUSTOMER, "lakeside")):
        user = User.objects.create(username=login, password=hashed)
        PortalUser.objects.create(user=user, customer=customers[key], is_admin=login != MEMBER)


def _write_invoice(
    customer: Customer, month: Month, hours: dict[str, int], series: NumberSeries | None, book: PriceBook
) -> None:
    period = billing_period(month, customer.timezone)
    lines, prices = [], []
    for position, (model, whole) in enumerate(hours.items(), 1):
        times, parts = _PER_CNY[customer.currency]
        nano = money.parse_price(PRICES[model], "CNY").nano * times // parts
        price = money.UnitPrice(nano=nano - nano % 10_000, currency=customer.currency)
        prices.append(price)
        lines.append(
            _line(position, model, whole * CARD_HOUR_US + 2_780_123_456, price, month, taxed=customer.currency == "CNY")
        )
    net = money.total((money.parse_amount(line.amount, customer.currency) for line in lines), customer.currency)
    tax = net.allocate([6, 94])[0] if customer.currency == "CNY" else money.Money(amount=0, currency=customer.currency)
    if series is not None:
        series.last += 1
        series.save()
    number = f"EC-2026-{400 + series.last:04d}" if series else None
    issued_on = month.next.first_day + timedelta(days=2)
    document = InvoiceDocument(
        state="issued" if series else "draft", number=number,
        issue_date=issued_on.isoformat() if series else None,
        due_date=(issued_on + timedelta(days=30)).isoformat() if series else None,
        terms_days=30, issuer=_issuer(customer.issuer), customer=_customer(customer),
        period=Period(
            first_day=month.first_day.isoformat(), last_day=period.last_day.isoformat(), timezone=customer.timezone,
            started_at=format_rfc3339(period.start_ms), ended_at=format_rfc3339(period.end_ms),
        ),
        currency=customer.currency, decimals=money.exponent(customer.currency), lines=tuple(lines), net=str(net),
        tax=(TaxRow(category="standard", rate_percent="6", net=str(net), tax=str(tax)),) if tax.amount else (),
        total=str(net + tax), due=str(net + tax), digest=f"{month.month:02d}" * 32 if series else None,
    )  # fmt: skip
    row = Invoice.objects.create(
        issuer=customer.issuer, customer=customer, period=str(month), period_start_ms=period.start_ms,
        period_end_ms=period.end_ms, currency=customer.currency, net=net.amount, tax=tax.amount,
        total=net.amount + tax.amount, usage_net=net.amount, recurring_net=0, frozen=encode(document),
        computed_at_ms=period.end_ms,
        findings=[] if series else kept(_STILL_DRAFTS[customer.key]),
        held=0 if series else len(_STILL_DRAFTS[customer.key]),
    )  # fmt: skip
    for line, price in zip(lines, prices, strict=True):
        known = Price.objects.filter(book=book, model=line.model, currency=customer.currency).first()
        InvoiceLine.objects.create(
            invoice=row, position=line.position, model=line.model, quantity_us=line.quantity_us, unit_nano=price.nano,
            amount=money.parse_amount(line.amount, customer.currency).amount,
            price=known or _price(book, line.model, price),
        )  # fmt: skip
    if series is not None:
        row.state, row.number, row.series, row.sequence = Invoice.State.ISSUED, number, series, series.last
        row.issue_date, row.due_date = issued_on, issued_on + timedelta(days=30)
        row.issued_at_ms, row.digest, row.inputs = period.end_ms, document.digest or "", _inputs(customer, period)
        row.save()


def _inputs(customer: Customer, period: BillingPeriod) -> bytes:
    """Frozen inputs of nobody's usage: enough to credit and to void."""
    terms = Terms(customer=customer.key, currency=customer.currency)
    kept = FrozenInputs(
        terms=terms, month=str(period.month), timezone=period.timezone, start_ms=period.start_ms, end_ms=period.end_ms,
        cuts_ms=(), quarters="", quarters_digest="", bindings=(), prices=(), lines=(),
        taxes=(VAT,) if customer.currency == "CNY" else (),
    )  # fmt: skip
    return json.encode(kept)


def _price(book: PriceBook, model: str, price: money.UnitPrice) -> Price:
    since = {"valid_from_ms": BEGAN_MS, "recorded_at_ms": BEGAN_MS}
    return Price.objects.create(book=book, model=model, currency=price.currency, unit_nano=price.nano, **since)


def _line(
    position: int, model: str, quantity_us: int, price: money.UnitPrice, month: Month, *, taxed: bool
) -> DocumentLine:
    days = monthrange(month.year, month.month)[1]
    weights = _weights(days, position + month.month)
    amount = price.charge(quantity_us)
    return DocumentLine(
        position=position, model=model, first_day=f"{month}-01", last_day=f"{month}-{days:02d}",
        quantity_us=quantity_us, printed_quantity=money.printed_quantity(quantity_us, price), unit_price=str(price),
        amount=str(amount), tax_category=VAT.key if taxed else "",
        days=tuple(
            DayShare(day=f"{month}-{day:02d}", quantity_us=share_us, amount=str(share))
            for day, (share_us, share) in enumerate(
                zip(money.allocate(quantity_us, weights), amount.allocate(weights), strict=True), 1
            )
        ),
        cards=tuple(
            CardShare(
                card=f"GPU-{position}{card:02x}a4f1c-7d0e-4b6a-9c55-0f3e2d81a7b4",
                node=f"hz-{model[:4].lower().strip()}-{card // 8}", quantity_us=share_us, amount=str(share),
            )
            for card, (share_us, share) in enumerate(
                zip(money.allocate(quantity_us, _CARD_WEIGHTS), amount.allocate(_CARD_WEIGHTS), strict=True)
            )
        ),
    )  # fmt: skip


def _weights(days: int, seed: int) -> list[int]:
    """A month with quiet weekends and no two days alike."""
    quiet = [date(2026, seed % 12 + 1, 1).weekday() + day for day in range(days)]
    return [60 + (day * 37 * seed) % 31 - (22 if weekday % 7 > 4 else 0) for day, weekday in enumerate(quiet)]


def _issuer(issuer: Issuer) -> IssuerParty:
    return IssuerParty(
        name=issuer.name, legal_name=issuer.legal_name, tax_id=issuer.tax_id,
        address=tuple(issuer.address.splitlines()),
        bank=Bank(account_name=issuer.bank_account_name, bank=issuer.bank, account=issuer.bank_account),
    )  # fmt: skip


def _customer(customer: Customer) -> CustomerParty:
    language: Language = "zh-hans" if customer.language == "zh-hans" else "en"
    return CustomerParty(
        id=customer.key, name=customer.name, legal_name=customer.legal_name, language=language,
        po_number=customer.po_number, address=tuple(customer.address.splitlines()),
    )  # fmt: skip
