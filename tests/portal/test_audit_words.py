"""The audit log in both languages: every deed has a name, and its figures are told with their words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils.translation import override

import cardhour_billing
from cardhour_billing.models.fapiao import FapiaoEvent
from cardhour_billing.models.statement import StatementEvent
from cardhour_billing.portal.audit_words import ACTIONS, action_words, detail_words, subject_words

SOURCES = Path(cardhour_billing.__file__).parent
ZONE = "Asia/Shanghai"
PAYMENT = {
    "customer": "acme", "reference": "TT-1", "day": "2026-10-20", "currency": "CNY", "amount": "37976.69",
    "fee": "0.00", "write_off": "1.50",
}  # fmt: skip


def written() -> Iterator[str]:
    """Every action that the engine writes down in so many words."""
    for file in SOURCES.rglob("*.py"):
        for call in (each for each in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(each, ast.Call)):
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if name in ("audit", "record_keys", "_record", "_move", "_added"):
                yield from (
                    each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
                )


def test_every_action_has_a_name() -> None:
    found = {each for each in written() if each}
    kinds = {f"statement.{each}" for each in StatementEvent.Kind} | {f"fapiao.{each}" for each in FapiaoEvent.Kind}
    assert len(found) > 40
    assert (found | kinds) - set(ACTIONS) == set()


def test_figures_are_told_in_the_language_of_the_page() -> None:
    """Money with its currency, no fee of nothing."""
    with override("en"):
        assert action_words("payment.record") == "Payment recorded"
        told = "customer: acme, reference: TT-1, day: 2026-10-20, amount: 37,976.69 CNY, write-off: 1.50 CNY"
        assert detail_words(PAYMENT, ZONE) == told
    with override("zh-hans"):
        assert action_words("payment.record") == "登记收款"
        told = "客户：acme；附言：TT-1；日期：2026-10-20；金额：37,976.69 CNY；核销：1.50 CNY"
        assert detail_words(PAYMENT, ZONE) == told


@pytest.mark.parametrize(
    ("detail", "english"),
    [
        ({"line": None, "note": ""}, ""),
        ({"staff": True, "role": "admin", "customer": ""}, "staff: yes, role: admin"),
        ({"parts": [{"invoice": "EC-1", "amount": "5.00"}, {"invoice": "EC-2", "amount": "7.00"}]},
         "parts: EC-1 5.00, EC-2 7.00"),
        ({"letters": [f"{number}" for number in range(10)]}, "letters: 0, 1, 2, 3, 4, 5, 6, 7 +2"),
        ({"unheard_of": 3}, "unheard_of: 3"),
    ],
)  # fmt: skip
def test_what_says_nothing_is_left_out_and_what_is_long_is_counted(detail: dict[str, object], english: str) -> None:
    with override("en"):
        assert detail_words(detail, ZONE) == english


def test_a_change_of_the_catalog_has_days_of_the_zone() -> None:
    """It is kept in UTC, as commands write it."""
    detail = {"what": "book list less 4%, from 2026-07-31T16:00:00Z to 2026-08-31T17:30:00Z"}
    with override("en"):
        assert detail_words(detail, ZONE) == "book list less 4%, from 2026-08-01 to 2026-09-01 01:30"
        assert subject_words("catalog.add", "contract deal of acme") == "contract deal of acme"
    with override("zh-hans"):
        assert detail_words(detail, ZONE) == "价目表 list 折减 4%, 自 2026-08-01 至 2026-09-01 01:30"
        assert subject_words("catalog.add", "contract deal of acme") == "合同 deal · acme"
