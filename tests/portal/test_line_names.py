"""Lines of documents are frozen in both languages; a page shows them in its own."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.utils.translation import override

import cardhour_billing
from cardhour_billing.portal.line_names import BOTH, in_one_language

ENGINE = Path(cardhour_billing.__file__).parent
_CHINESE = re.compile("[\u4e00-\u9fff]+")


@pytest.mark.parametrize(
    ("frozen", "english", "chinese"),
    [
        ("Lease 租赁 server-11, 8 cards 卡", "Lease server-11, 8 cards", "包租 server-11，8 张卡"),
        ("Lease 租赁 s, 1 card 卡: credit 退款", "Lease s, 1 card: credit", "包租 s，1 张卡：退款"),
        ("Grant 赠金: Trial allowance", "Grant: Trial allowance", "赠送额度：Trial allowance"),
        ("Commitment h, shortfall 承诺用量补差", "Commitment h, shortfall", "承诺用量补差 h"),
        (
            "A100: correction 更正 2026-06, EC-1: 1.0000 → 2.0000 card-hours 卡时, 2.00 → 4.00 CNY",
            "A100: correction of 2026-06, EC-1: 1.0000 → 2.0000 card-hours, 2.00 → 4.00 CNY",
            "A100：更正 2026-06, EC-1: 1.0000 → 2.0000 卡时, 2.00 → 4.00 CNY",
        ),
        (
            "A100: credit of line 2 of EC-1 冲减 EC-1 第 2 行",
            "A100: credit of line 2 of EC-1",
            "A100：冲减 EC-1 第 2 行",
        ),
        ("Tax 6% 税", "Tax 6%", "税 6%"),
        ("volume 用量档 1000–2000 · less 5% 折扣", "volume 1000–2000 · less 5%", "用量档 1000–2000 · 折扣 5%"),
        ("对象存储 Object storage", "对象存储 Object storage", "对象存储 Object storage"),
    ],
)
def test_a_line_is_named_in_the_language_of_the_page(frozen: str, english: str, chinese: str) -> None:
    """What an issuer named, such as an add-on, stays as it is."""
    with override("en"):
        assert in_one_language(frozen) == english
    with override("zh-hans"):
        assert in_one_language(frozen) == chinese


def test_every_chinese_word_that_the_engine_writes_into_a_line_is_known() -> None:
    written: set[str] = set()
    for folder in ("charges", "leases", "rating", "frozen", "invoices", "statements/sources.py"):
        for file in [ENGINE / folder] if folder.endswith(".py") else (ENGINE / folder).rglob("*.py"):
            tree = ast.parse(file.read_text("utf-8"))
            notes = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, ast.Module)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in notes:
                    written.update(_CHINESE.findall(node.value))
    known = {word for frozen, _, _ in BOTH for word in _CHINESE.findall(frozen)}
    assert len(written & known) > 15
    assert {each for each in written - known if each not in _CHINESE.findall(LEGAL)} == set()


LEGAL = "反向征收：由客户自行申报缴纳税款。"
"""The note of a reverse charge, which the law wants as it is."""
