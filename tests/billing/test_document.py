"""The frozen document: what was written is what is read, for ever."""

from __future__ import annotations

import pytest
from msgspec import structs

from cardhour_billing.frozen.document import decode, encode
from cardhour_contract.errors import InvariantBroken
from tests.billing.books import ACME, ISSUER, PRICE, apply, close
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger

PARTIES = """
[issuer]
name = "示例算力"
legal_name = "示例算力科技有限公司"
address = ["杭州市示例路 88 号", "浙江"]
tax_id = "91330100XXXXXXXX0X"
currency = "CNY"
timezone = "Asia/Shanghai"
number_prefix = "EC"
bank = { account_name = "示例算力科技有限公司", bank = "示例银行杭州分行", account = "0000 1111 2222 3333" }
[[customer]]
id = "qinghe"
name = "Qinghe AI"
legal_name = "清禾智能科技有限公司"
address = "上海市样例街 12 号"
tax_id = "91310100XXXXXXXX1X"
po_number = "QH-2026-117"
language = "zh-Hans"
terms_days = 10
[[binding]]
owner = "k8s:qinghe*"
customer = "qinghe"
from = 2026-01-01T00:00:00+08:00
"""


def test_a_document_carries_both_parties_as_they_were(store: Store) -> None:
    apply(store.home, PARTIES + PRICE.replace("1.616532", "22.84"))
    ledger = MemoryLedger()
    ledger.hold("k8s:qinghe-lab", "T4", "2026-01-05T00:00:00+08:00", "2026-01-06T00:00:00+08:00")
    (closed,) = close(ledger, "2026-01", "2026-02-10T17:00:00Z", issue=True).invoices
    document = closed.document
    apply(store.home, PARTIES.replace("清禾智能科技有限公司", "新名有限公司"))
    (later,) = close(ledger, "2026-01", "2026-03-10T00:00:00Z").invoices
    assert later.document == document
    assert document.customer.legal_name == "清禾智能科技有限公司"
    assert (document.customer.language, document.customer.po_number) == ("zh-hans", "QH-2026-117")
    assert document.issuer.address == ("杭州市示例路 88 号", "浙江")
    assert document.issuer.bank.account == "0000 1111 2222 3333"
    assert (document.issue_date, document.due_date) == ("2026-02-11", "2026-02-21")  # already the 11th in Shanghai
    assert (document.period.first_day, document.period.last_day) == ("2026-01-01", "2026-01-31")
    assert document.total == "548.16"


def test_what_was_frozen_reads_back_equal_and_in_the_same_bytes(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PRICE)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z")
    (closed,) = close(ledger, "2026-01", "2026-02-10T00:00:00Z").invoices
    assert decode(encode(closed.document)) == closed.document
    assert encode(decode(encode(closed.document))) == encode(closed.document)
    assert encode(structs.replace(closed.document, total="0.00")) != encode(closed.document)


@pytest.mark.parametrize("stored", [b"", b"{}", b'{"version":2}', b"\xff"])
def test_a_document_that_cannot_be_read_stops_everything(stored: bytes) -> None:
    with pytest.raises(InvariantBroken):
        decode(stored)
