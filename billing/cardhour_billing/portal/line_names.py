"""What a line of a document is called, in the one language of the page.

A document is frozen with both languages in it, since its paper prints both; a page is in one. Here stand the pieces
that the engine writes in both, each with its English and its Chinese. What customers and issuers named stays as it is.
Does not own what a line is called: that is frozen.
"""

from __future__ import annotations

import re

from cardhour_billing.portal.sentences import in_chinese

BOTH = (
    (r"Lease 租赁 (.+?), (\d+) (cards?) 卡", r"Lease \1, \2 \3", r"包租 \1，\2 张卡"),
    (r": supplement 补收", ": supplement", "：补收"),
    (r": credit 退款", ": credit", "：退款"),
    (
        r"SLA credit 服务赔付 (.+?): (\S+), (\S+) faulted card-hours 故障卡时",
        r"SLA credit \1: \2, \3 faulted card-hours",
        r"服务赔付 \1：\2，故障 \3 卡时",
    ),
    (r"Grant 赠金: ", "Grant: ", "赠送额度："),
    (
        r"Use beyond commitment (.+): (\S+) h at (\S+) 超出承诺用量",
        r"Use beyond commitment \1: \2 h at \3",
        r"超出承诺用量 \1：\2 卡时，单价 \3",
    ),
    (r"Commitment (.+), shortfall 承诺用量补差", r"Commitment \1, shortfall", r"承诺用量补差 \1"),
    (r": correction 更正 ", ": correction of ", "：更正 "),
    (r" card-hours 卡时", " card-hours", " 卡时"),
    (r": carried forward from (\S+) 上期结转", r": carried forward from \1", r"：\1 结转"),
    (r": credit of line (\d+) of (\S+) 冲减 \S+ 第 \d+ 行", r": credit of line \1 of \2", r"：冲减 \2 第 \1 行"),
    (r"Tax (\S+)% 税", r"Tax \1%", r"税 \1%"),
    (r"Paid ahead 预付款抵扣", "Paid ahead", "预付款抵扣"),
    (r"incl\. (\S+)% tax 含税 \S+%", r"incl. \1% tax", r"含税 \1%"),
    (r"volume 用量档 ", "volume ", "用量档 "),
    (r"less (\S+)% 折扣", r"less \1%", r"折扣 \1%"),
)
"""What is frozen, and what a page says instead."""
_BOTH = tuple((re.compile(frozen), english, chinese) for frozen, english, chinese in BOTH)


def in_one_language(text: str) -> str:
    """``Lease 租赁 server-11, 8 cards 卡`` as ``Lease server-11, 8 cards`` or ``包租 server-11，8 张卡``."""
    for frozen, english, chinese in _BOTH:
        text = frozen.sub(chinese if in_chinese() else english, text)
    return text
