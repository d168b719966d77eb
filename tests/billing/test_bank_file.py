"""Statements as banks write them: every way is read exactly, or asked about; none is guessed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cardhour_billing.bank.file import BankMap, StatementLine, read_map, read_statement
from cardhour_contract.errors import Refuse

CHINESE = """账户明细,,,,,
账号：0000 1111,,,,,
交易日期,收入金额,支出金额,对方户名,附言,交易流水号
20260210,"10,600.00",,清禾智能科技有限公司,货款 EC-2026-0001,T0001
20260211,,"1,000.00",示例供应商,电费,T0002
合计,,,,,
,"10,600.00","1,000.00",,,
"""
ENGLISH = "Value Date,Amount,Payer,Reference\n2026-02-10,106.00,Acme Ltd,EC-2026-0001\n"


def statement(tmp_path: Path, text: str | bytes, columns: BankMap | None = None) -> tuple[StatementLine, ...]:
    file = tmp_path / "statement.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_statement(file, columns or BankMap(), "CNY")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_chinese_statement_with_letterhead_and_totals(tmp_path: Path, encoding: str) -> None:
    text = CHINESE.replace("合计,,,,,\n", "")
    received, paid = statement(tmp_path, text.encode(encoding))
    assert (received.day, str(received.amount), received.payer, received.reference, received.bank_id) == (
        date(2026, 2, 10), "10600.00", "清禾智能科技有限公司", "货款 EC-2026-0001", "T0001",
    )  # fmt: skip
    assert (str(paid.amount), paid.row) == ("-1000.00", 5)


def test_a_row_that_is_no_transaction_and_looks_like_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refuse, match=r"statement.csv:6: '合计' is not a day such as 20260131"):
        statement(tmp_path, CHINESE)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-02-10", date(2026, 2, 10)),
        ("2026/2/10", date(2026, 2, 10)),
        ("20260210", date(2026, 2, 10)),
        ("2026年2月10日", date(2026, 2, 10)),
        ("10.02.2026", date(2026, 2, 10)),
        ("13/02/2026", date(2026, 2, 13)),
        ("02/13/2026", date(2026, 2, 13)),
        ("10 Feb 2026", date(2026, 2, 10)),
        ("2026-02-10 09:31:00", date(2026, 2, 10)),
    ],
)
def test_days_that_can_be_read_in_one_way(tmp_path: Path, text: str, day: date) -> None:
    (line,) = statement(tmp_path, f"date,amount\n{text},1\n")
    assert line.day == day


def test_a_day_that_can_be_read_in_two_ways_is_asked_about(tmp_path: Path) -> None:
    with pytest.raises(Refuse, match=r"'03/04/2026' may be 2026-04-03 or 2026-03-04; say date_format"):
        statement(tmp_path, "date,amount\n03/04/2026,1\n")
    assert statement(tmp_path, "date,amount\n03/04/2026,1\n25/04/2026,1\n")[0].day == date(2026, 4, 3)
    told = BankMap(date_format="%m/%d/%Y")
    assert statement(tmp_path, "date,amount\n03/04/2026,1\n", told)[0].day == date(2026, 3, 4)


@pytest.mark.parametrize(
    ("figures", "amounts"),
    [
        (["1,234.56"], ["1234.56"]),
        (["1.234,56"], ["1234.56"]),
        (["1234,5"], ["1234.50"]),
        (["1,234"], ["1234.00"]),
        (["1,234", "5,6"], ["1.23", "5.60"]),
        (["(12.00)", "12.00-", "−12.00", "+12.00"], ["-12.00", "-12.00", "-12.00", "12.00"]),
        (["¥ 1,000.00", "CNY 5", "１２.３０"], ["1000.00", "5.00", "12.30"]),
        (["12.3000"], ["12.30"]),
    ],
)
def test_figures_are_read_by_the_convention_of_their_file(
    tmp_path: Path, figures: list[str], amounts: list[str]
) -> None:
    text = "date;amount\n" + "".join(f"2026-02-10;{figure}\n" for figure in figures)
    if figures == ["1,234", "5,6"]:  # the comma is the decimal mark, so three decimals are too many for CNY
        with pytest.raises(Refuse, match=r"'1,234' is not an amount of CNY"):
            statement(tmp_path, text)
        return
    assert [str(line.amount) for line in statement(tmp_path, text)] == amounts


def test_a_statement_with_a_bad_row_is_refused_whole_with_every_problem(tmp_path: Path) -> None:
    with pytest.raises(Refuse) as refused:
        statement(tmp_path, ENGLISH + "2026-02-30,1,x,y\n2026-02-11,one,x,y\n")
    assert [problem.rpartition("/")[2] for problem in refused.value.problems] == [
        "statement.csv:3: '2026-02-30' is not a day such as 2026-01-31",
        "statement.csv:4: 'one' is not an amount of CNY",
    ]


def test_columns_that_nobody_knows_are_asked_for_and_mapped(tmp_path: Path) -> None:
    text = "Wann;Wieviel;Wer;Wozu;Womit\n2026-02-10;106,00;Acme;EC-1;SEPA\n"
    with pytest.raises(Refuse, match="say in a map which of these they are: 'Wann', 'Wieviel', 'Wer', 'Wozu', 'Womit'"):
        statement(tmp_path, text)
    (tmp_path / "map.toml").write_text(
        'date = "Wann"\namount = "Wieviel"\npayer = "Wer"\nreference = ["Wozu", "Womit"]\n'
    )
    (line,) = statement(tmp_path, text, read_map(tmp_path / "map.toml"))
    assert (str(line.amount), line.payer, line.reference) == ("106.00", "Acme", "EC-1 SEPA")


def test_a_map_with_a_slip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text('dat = "Wann"\n')
    with pytest.raises(Refuse, match="unknown field `dat`"):
        read_map(tmp_path / "map.toml")


def test_currencies_of_lines(tmp_path: Path) -> None:
    text = "date,amount,币种\n2026-02-10,1.5,人民币\n2026-02-10,2.5,usd\n2026-02-10,3,\n"
    assert [str(line.amount.currency) for line in statement(tmp_path, text)] == ["CNY", "USD", "CNY"]
    with pytest.raises(Refuse, match=r"'1\.5' is not an amount of JPY"):
        statement(tmp_path, "date,amount,币种\n2026-02-10,1.5,JPY\n")


@pytest.mark.parametrize("content", [b"\x00\xff\x81", b"", b"a,b\n1,2\n"])
def test_what_is_no_statement_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Refuse):
        statement(tmp_path, content)
