"""Invoice documents to typeset and to show: one as a finance department gets it, and the awkward ones.

Owns sample data, nothing else. Amounts are worked out by hand: quantity × price rounds to the amount.
"""

from __future__ import annotations

from msgspec.structs import replace

from cardhour_billing.frozen.document import (
    Bank,
    CustomerParty,
    DocumentLine,
    InvoiceDocument,
    IssuerParty,
    Period,
    TaxRow,
)

HOUR_US = 3_600_000_000


def line(
    position: int,
    model: str,
    quantity: str,
    price: str,
    amount: str,
    *,
    first_day: str = "2026-10-01",
    last_day: str = "2026-10-31",
    description: str = "",
) -> DocumentLine:
    """A line for October 2026 whose exact quantity is the printed one."""
    whole, _, decimals = quantity.lstrip("-").partition(".")
    quantity_us = int(whole) * HOUR_US + int(decimals.ljust(9, "0")) * 36 // 10
    return DocumentLine(
        position=position,
        model=model,
        description=description,
        first_day=first_day,
        last_day=last_day,
        quantity_us=-quantity_us if quantity.startswith("-") else quantity_us,
        printed_quantity=quantity,
        unit_price=price,
        amount=amount,
    )


ISSUED = InvoiceDocument(
    state="issued",
    number="EC-2026-0424",
    issue_date="2026-11-03",
    due_date="2026-12-03",
    terms_days=30,
    issuer=IssuerParty(
        name="Example Compute 示例算力",
        legal_name="Example Compute Co., Ltd.",
        address=("88 Example Road, Hangzhou", "杭州市示例路 88 号"),
        tax_id="91330100XXXXXXXX0X",
        bank=Bank(
            account_name="示例算力科技有限公司", bank="Example Bank 示例银行杭州分行", account="0000 1111 2222 3333"
        ),
    ),
    customer=CustomerParty(
        id="qinghe",
        name="清禾智能科技有限公司",
        legal_name="Qinghe AI Technology Ltd.",
        address=("12 Sample Street, Shanghai", "上海市样例街 12 号"),
        tax_id="91310100XXXXXXXX1X",
        po_number="QH-2026-117",
    ),
    period=Period(
        first_day="2026-10-01",
        last_day="2026-10-31",
        timezone="Asia/Shanghai",
        started_at="2026-09-30T16:00:00Z",
        ended_at="2026-10-31T16:00:00Z",
    ),
    currency="CNY",
    decimals=2,
    lines=(
        line(1, "A100-SXM4-80GB", "3287.7723", "22.84", "75092.72"),
        line(2, "A800-SXM4-80GB", "8410.2500", "18.62", "156598.86"),
        line(3, "H800", "1204.112358", "41.9", "50452.31", last_day="2026-10-15", description="until 15 October"),
        line(4, "H800", "996.5", "39.5", "39361.75", first_day="2026-10-16", description="from 16 October"),
        line(
            5, "A100-SXM4-80GB MIG 1g.10gb", "72.0000", "3.263", "234.94", first_day="2026-10-12", last_day="2026-10-12"
        ),
        line(6, "T4", "-89.5439", "1.616532", "-144.75", description="correction of September"),
    ),
    net="321595.83",
    tax=(TaxRow(category="standard", rate_percent="6", net="321595.83", tax="19295.75"),),
    total="340891.58",
    due="340891.58",
    digest="8f3c2a915b7e4d0c9a1f36e2b84d7c5501e9fa73c26db84e0f1a5937d2c477d0",
)

DRAFT = replace(ISSUED, state="draft", number=None, issue_date=None, due_date=None, digest=None)

CHINESE = replace(
    ISSUED,
    customer=replace(ISSUED.customer, language="zh-hans", name="清禾智能", legal_name="清禾智能科技有限公司"),
    issuer=replace(ISSUED.issuer, legal_name="示例算力科技有限公司", name="示例算力"),
)

YEN = replace(
    ISSUED,
    currency="JPY",
    decimals=0,
    lines=(line(1, "RTX 4090", "1200.2500", "88", "105622"), line(2, "L40S", "12.0000", "151.25", "1815")),
    net="107437",
    tax=(),
    total="107437",
    due="107437",
)

DINAR = replace(
    ISSUED,
    currency="KWD",
    decimals=3,
    lines=(line(1, "H100", "100.1234", "0.912345", "91.347"),),
    net="91.347",
    tax=(),
    total="91.347",
    due="91.347",
)

LONG = replace(
    ISSUED,
    customer=replace(
        ISSUED.customer,
        name="超长名称科技（上海）人工智能与高性能计算联合研究开发中心有限责任公司第二分公司",
        legal_name='Long & Sons <b>"Quoted"</b> #panic() $x$ *bold* _under_ \\ Aktiengesellschaft für Rechenleistung',
        po_number="PO" + "X" * 60,
    ),
    lines=tuple(
        line(at, f"MODEL-{at:03d}" + ("-VERY-LONG-PART-NUMBER" * 4 if at % 25 == 0 else ""), "1.0000", "1.5", "1.50")
        for at in range(1, 121)
    ),
    net="180.00",
    tax=(
        TaxRow(category="standard", rate_percent="6", net="100.00", tax="6.00"),
        TaxRow(category="reduced", rate_percent="13", net="80.00", tax="10.40"),
    ),
    total="196.40",
    due="196.40",
)

EMPTY = replace(DRAFT, lines=(), net="0.00", tax=(), total="0.00", due="0.00")

ODD_GLYPHS = replace(ISSUED, customer=replace(ISSUED.customer, name="Emoji 🚀 سلام ไทย 한국 日本\x07\u202e"))


def charge(position: int, kind: str, name: str, amount: str, unit: str = "item", **more: str) -> DocumentLine:
    """A line that is not rated from usage. Where it is negative, so is its quantity."""
    usual = line(position, more.pop("model", ""), more.pop("quantity", "1"), more.pop("price", amount), amount, **more)
    return replace(usual, kind=kind, source=f"{kind}:{position}", description=name, unit=unit, quantity_us=0)


MIXED = replace(
    ISSUED,
    lines=(
        *ISSUED.lines[:2],
        charge(3, "lease", "A100 servers 包租 2 台", "266800.00", "server-month", quantity="2", price="133400.00"),
        charge(4, "add-on", "Object storage 对象存储", "1200.00", "month"),
        charge(5, "commitment", "True-up of the quarter 季度承诺补足", "50000.00"),
        charge(
            6, "adjustment", "EC-2026-0399 line 2", "-1820.00", quantity="-1", price="1820.00", model="H800",
            first_day="2026-09-01", last_day="2026-09-30",
        ),
        charge(7, "grant", "Trial allowance 试用额度", "-10000.00"),
        charge(8, "carried", "Carried from September 9 月结转", "3.00"),
    ),
    net="537874.58",
    tax=(
        TaxRow(category="standard", rate_percent="13", net="268000.00", tax="34840.00", code="S"),
        TaxRow(category="standard", rate_percent="6", net="269874.58", tax="16192.47", code="S"),
    ),
    total="588907.05",
    due="88907.05",
)  # fmt: skip
"""Every kind of line, two rates, and half a million paid ahead."""

CREDIT_NOTE = replace(
    ISSUED,
    kind="credit-note",
    number="EC-CN-2026-0007",
    original="EC-2026-0424",
    reason="goodwill",
    lines=(charge(1, "adjustment", "Outage of 5 October 10 月 5 日故障", "-1000.00", model="H800"),),
    net="-1000.00",
    tax=(TaxRow(category="standard", rate_percent="6", net="-1000.00", tax="-60.00", code="S"),),
    total="-1060.00",
    due="-1060.00",
)
