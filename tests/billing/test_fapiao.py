"""Fapiao: asked for by line, issued elsewhere, taken back; never more than was invoiced, whoever asks."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import openpyxl
import pytest
from django.db import DatabaseError, connection, transaction

from cardhour_billing.fapiao import export as fapiao_export
from cardhour_billing.fapiao import requests as fapiao
from cardhour_billing.fapiao.amounts import Amounts, of_lines, part
from cardhour_billing.fapiao.requests import Item, Wanted
from cardhour_billing.frozen.document import decode
from cardhour_billing.models import AuditLog, FapiaoRequest, FapiaoRequestLine, Invoice
from cardhour_billing.money import Money
from cardhour_contract.errors import Refuse
from tests.billing.books import apply, clock_at, close, issued
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_numbering import together
from tests.billing.test_tax_invoices import CASES, CNY_ISSUER, INCLUSIVE

AFTER = "2026-02-10T00:00:00Z"
CLOCK = clock_at(AFTER)
DAY = date(2026, 2, 11)
ITEM = Item(name="*信息技术服务*算力服务", code="3040203000000000000")
NUMBER = "26332000000012345678"
RED = "26332000000012345679"


def yuan(text: str) -> Money:
    return Money(amount=int(text.replace(".", "")), currency="CNY")


@pytest.fixture
def invoice(store: Store) -> Invoice:
    """Two lines at 6 %: 2 284.00 and 11.32 net, 137.72 tax, 2 433.04 in all."""
    _, ledger, _ = CASES["cny_6"]
    apply(store.home, CNY_ISSUER)
    close(ledger, "2026-01", AFTER, issue=True)
    return issued("qinghe")[0]


def ask(*wanted: Wanted) -> FapiaoRequest:
    return fapiao.request(wanted, ITEM, special=True, remark="", clock=CLOCK, who="tests")


def lines(made: FapiaoRequest) -> list[tuple[int, int, int]]:
    return [(line.net, line.tax, line.gross) for line in made.lines.all()]


def test_a_request_for_an_invoice_asks_for_every_line_and_its_whole_total(invoice: Invoice) -> None:
    made = ask(Wanted(number="EC-2026-0001"))
    assert lines(made) == [(228400, 13704, 242104), (1132, 68, 1200)]
    assert sum(gross for _, _, gross in lines(made)) == invoice.total
    assert (made.buyer_name, made.buyer_tax_id, made.remark) == ("清禾智能", "91310100XXXXXXXX1X", "EC-2026-0001")
    assert AuditLog.objects.get(action="fapiao.request").detail["gross"] == invoice.total


def test_nothing_is_asked_for_twice(invoice: Invoice) -> None:
    ask(Wanted(number="EC-2026-0001", position=2))
    rest = ask(Wanted(number="EC-2026-0001"))
    assert lines(rest) == [(228400, 13704, 242104)]
    with pytest.raises(Refuse, match="nothing is left"):
        ask(Wanted(number="EC-2026-0001"))


def test_a_line_goes_to_several_requests_that_sum_to_it(invoice: Invoice) -> None:
    parts = [ask(Wanted(number="EC-2026-0001", position=1, gross=yuan("807.01"))) for _ in range(2)]
    parts.append(ask(Wanted(number="EC-2026-0001", position=1)))
    assert [lines(each)[0][2] for each in parts] == [80701, 80701, 80702]
    assert sum(lines(each)[0][0] for each in parts) == 228400
    with pytest.raises(Refuse, match=r"0.01 is asked for of line 1 of EC-2026-0001, and 0.00 is left"):
        ask(Wanted(number="EC-2026-0001", position=1, gross=yuan("0.01")))


def test_processes_that_ask_at_once_get_no_more_than_was_invoiced(store: Store, invoice: Invoice) -> None:
    """2 421.04 with tax gives a hundred yuan 24 times, to whichever process comes first."""
    printed = together(store, *[["tests.billing.fapiao_process", "EC-2026-0001"]] * 3)
    assert sum(map(int, printed)) == 24
    assert sum(FapiaoRequestLine.objects.values_list("gross", flat=True)) == 240_000


@pytest.mark.parametrize("net", [228401, -1])
def test_the_database_refuses_more_than_was_invoiced(invoice: Invoice, net: int) -> None:
    made = ask(Wanted(number="EC-2026-0001", position=1)) if net < 0 else ask(Wanted(number="EC-2026-0001", position=2))
    line = invoice.lines.get(position=1)
    other = FapiaoRequest.objects.create(
        customer=made.customer, buyer_name="x", buyer_tax_id="x", requested_at_ms=0, who="x"
    )
    with pytest.raises(DatabaseError), transaction.atomic():
        FapiaoRequestLine.objects.create(
            request=other, line=line, item="x", code="1" * 19, rate_percent="6", net=abs(net), tax=0, gross=abs(net)
        )


def test_a_fapiao_comes_back_with_its_number(invoice: Invoice) -> None:
    made = ask(Wanted(number="EC-2026-0001"))
    assert fapiao.state(made) == "requested"
    fapiao.record(made, NUMBER, DAY, clock=CLOCK, who="tests")
    assert fapiao.state(made) == "issued"
    with pytest.raises(Refuse, match="is issued, and only one that is requested can be issued"):
        fapiao.record(made, RED, DAY, clock=CLOCK, who="tests")
    with pytest.raises(Refuse, match="is issued, and only one that is requested can be withdrawn"):
        fapiao.withdraw(made, DAY, "no", clock=CLOCK, who="tests")


def test_red_letters_give_the_lines_back(invoice: Invoice) -> None:
    made = ask(Wanted(number="EC-2026-0001"))
    fapiao.record(made, NUMBER, DAY, clock=CLOCK, who="tests")
    fapiao.red_letter(made, RED, DAY, "wrong buyer", clock=CLOCK, who="tests")
    assert fapiao.state(made) == "red-lettered"
    assert lines(ask(Wanted(number="EC-2026-0001"))) == lines(made)


def test_a_request_is_withdrawn_before_it_is_issued(invoice: Invoice) -> None:
    made = ask(Wanted(number="EC-2026-0001"))
    fapiao.withdraw(made, DAY, "asked for too early", clock=CLOCK, who="tests")
    assert lines(ask(Wanted(number="EC-2026-0001"))) == lines(made)


@pytest.mark.parametrize("number", ["", "123", "2633200000001234567x", "263320000000123456789"])
def test_a_number_has_20_digits(invoice: Invoice, number: str) -> None:
    with pytest.raises(Refuse, match="20 digits"):
        fapiao.record(ask(Wanted(number="EC-2026-0001")), number, DAY, clock=CLOCK, who="tests")


def test_one_number_is_one_fapiao(invoice: Invoice) -> None:
    first, second = (ask(Wanted(number="EC-2026-0001", position=at)) for at in (1, 2))
    fapiao.record(first, NUMBER, DAY, clock=CLOCK, who="tests")
    with pytest.raises(Refuse, match=f"{NUMBER} is the fapiao of request {first.pk} already"):
        fapiao.record(second, NUMBER, DAY, clock=CLOCK, who="tests")


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (Item(name="", code=ITEM.code), "give what the fapiao calls the goods"),
        (Item(name=ITEM.name, code="304"), "19-digit"),
    ],
)
def test_a_request_says_what_is_missing(invoice: Invoice, item: Item, problem: str) -> None:
    with pytest.raises(Refuse, match=problem):
        fapiao.plan([Wanted(number="EC-2026-0001")], item)
    with pytest.raises(Refuse, match="no line 7 under a tax rule"):
        fapiao.plan([Wanted(number="EC-2026-0001", position=7)], ITEM)
    with pytest.raises(Refuse, match="asked for twice"):
        fapiao.plan([Wanted(number="EC-2026-0001"), Wanted(number="EC-2026-0001", position=1)], ITEM)


def test_a_fapiao_is_in_yuan(store: Store) -> None:
    text, ledger, _ = CASES["eu_two_rates"]
    apply(store.home, text)
    close(ledger, "2026-01", AFTER, issue=True)
    with pytest.raises(Refuse, match="is in EUR, and a fapiao is in CNY"):
        fapiao.plan([Wanted(number="BR-2026-0001")], ITEM)


def test_the_tax_of_an_included_price_is_what_is_left_of_it(store: Store) -> None:
    text, ledger, _ = CASES["cny_6_included"]
    apply(store.home, text)
    close(ledger, "2026-01", AFTER, issue=True)
    found = of_lines(decode(bytes(issued("qinghe")[0].frozen)))
    assert [(each.whole.net, each.whole.tax) for each in found.values()] == [(1887, 113), (943, 57)]
    assert part(Amounts(net=943, tax=57), Amounts(), 500) == Amounts(net=472, tax=28)
    assert text == INCLUSIVE


@pytest.mark.parametrize("table", ["fapiaorequest", "fapiaorequestline", "fapiaoevent"])
def test_what_was_recorded_never_changes(invoice: Invoice, table: str) -> None:
    fapiao.record(ask(Wanted(number="EC-2026-0001")), NUMBER, DAY, clock=CLOCK, who="tests")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM billing_{table}")


def test_the_file_to_ask_with_has_the_names_of_the_form(invoice: Invoice) -> None:
    table = fapiao_export.rows([ask(Wanted(number="EC-2026-0001"))])
    read = list(csv.DictReader(io.StringIO(fapiao_export.as_csv(table).decode("utf-8-sig"))))
    assert [row["价税合计"] for row in read] == ["2421.04", "12.00"]
    assert (read[0]["不含税金额"], read[0]["税额"], read[0]["税率"]) == ("2284.00", "137.04", "6%")
    assert read[0]["商品和服务税收分类编码"] == "\t3040203000000000000"  # Excel would drop its last digits
    assert read[0]["发票类型"] == "增值税专用发票"
    assert json.loads(fapiao_export.as_json(table))[0]["购方名称"] == "清禾智能"
    sheet = openpyxl.load_workbook(io.BytesIO(fapiao_export.as_xlsx(table))).active
    assert [cell.value for cell in sheet[2]][5:10] == ["3040203000000000000", "6%", 2284, 137.04, 2421.04]
    assert fapiao_export.as_xlsx(table) == fapiao_export.as_xlsx(table)


def test_a_ledger_without_tax_has_no_fapiao(store: Store) -> None:
    text = CNY_ISSUER[: CNY_ISSUER.index("[[tax]]")]
    apply(store.home, text)
    ledger = MemoryLedger()
    ledger.hold("k8s:qinghe", "A100", "2026-01-15T14:00:00Z", "2026-01-15T17:00:00Z")
    close(ledger, "2026-01", AFTER, issue=True)
    with pytest.raises(Refuse, match="nothing is left"):
        ask(Wanted(number="EC-2026-0001"))
