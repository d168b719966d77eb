"""Days and amounts as banks write them: found out from a whole file, where one value alone could be read two ways.

Owns the conventions. Does not own files (``file``) nor money (``money``). Nothing is guessed that would turn
3 April into 4 March: where a file leaves it open, it is asked for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from cardhour_billing.money import Money, read_amount
from cardhour_contract.errors import Refuse

DATE_FORMATS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%Y", "%m/%d/%Y",
    "%d %b %Y", "%d-%b-%Y",
)  # fmt: skip

_SIGNS = {"\u2212": "-", "\uff0d": "-", "\u2013": "-"}
_CURRENCY_MARKS = re.compile(r"[¥￥$€£]|\b[A-Z]{3}\b|元")


def date_format_of(path: Path, texts: Sequence[str]) -> str:
    """The one convention that every day of a file is written in."""
    fitting = [form for form in DATE_FORMATS if all(_day(text, form) for text in texts)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        # The one that most of them are in, so that what differs is reported by its row.
        return max(DATE_FORMATS, key=lambda form: sum(_day(text, form) is not None for text in texts))
    ways = " or ".join(str(_day(texts[0], form)) for form in fitting)
    raise Refuse(f"{path}: '{texts[0].strip()}' may be {ways}; say date_format in a map, such as \"{fitting[0]}\"")


def read_day(text: str, form: str) -> date:
    """A day, of which a time of day is left out."""
    found = _day(text, form)
    if found is None:
        raise Refuse(f"'{text.strip()}' is not a day such as {date(2026, 1, 31).strftime(form)}")
    return found


def decimal_point_of(texts: Iterable[str]) -> str:
    """``.`` or ``,``, whichever a file's figures have before their decimals."""
    for text in (_plain(each) for each in texts):
        points = [mark for mark in text if mark in ".,"]
        if len(set(points)) == 2:
            return points[-1]  # 1,234.56 and 1.234,56: the last of the two
        if len(points) == 1 and len(text) - text.index(points[0]) - 1 != 3:
            return points[0]  # 12,5: three digits would be thousands
    return "."


def read_figure(text: str, decimal: str, currency: str) -> Money:
    """An amount with its grouping, sign and mark; nothing is nothing."""
    plain = _plain(text)
    if not plain:
        return Money(amount=0, currency=currency)
    negative = plain.startswith(("-", "(")) or plain.endswith(("-", ")"))
    digits = plain.strip("+-()").replace("," if decimal == "." else ".", "").replace(" ", "").replace("'", "")
    digits = digits.replace(decimal, ".")
    whole, _, decimals = digits.partition(".")
    try:
        amount = read_amount(f"{whole or '0'}.{decimals.rstrip('0')}".rstrip("."), currency)
    except Refuse as error:
        raise Refuse(f"'{text.strip()}' is not an amount of {currency}") from error
    return -amount if negative else amount


def _plain(text: str) -> str:
    """Half-width, with one sort of minus, and without the mark of a currency."""
    folded = unicodedata.normalize("NFKC", "".join(_SIGNS.get(each, each) for each in text))
    return _CURRENCY_MARKS.sub("", folded).replace("\u00a0", " ").strip()


def _day(text: str, form: str) -> date | None:
    bare = unicodedata.normalize("NFKC", text.strip())
    day = bare if " " in form.replace("%d ", "x", 1) else re.split(r"[T ](?=\d{1,2}:)", bare)[0].strip()
    try:
        return datetime.strptime(day, form).replace(tzinfo=UTC).date()
    except ValueError:
        return None
