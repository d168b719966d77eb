"""The bad rows of a usage file: what is wrong, where, in sentences and as a file to mend.

Owns how a problem is told and counted. Does not own the rules that a row breaks.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cardhour_contract.errors import Refuse
from cardhour_ingest.usage_lines import UsageLines
from cardhour_ingest.usage_text import NOTES, without_notes

TOLD_MAX = 20
"""Problems told one by one: a screenful. Past that the file was made wrongly, and more of the same does not help."""

BAD_ROWS_MAX = 100_000
"""Bad rows after which reading stops: it is the wrong file, or a wrong export, and the list must not fill memory."""


class Problem(NamedTuple):
    """One thing wrong with one row; ``column`` is empty where it concerns the whole line."""

    line: int
    column: str
    reason: str


class Problems:
    """Collects what is wrong with a file, by line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._by_line: dict[int, list[Problem]] = {}

    def add(self, line: int, column: str, reason: str) -> None:
        """Remember one; raises Refuse once there are too many bad rows to go on."""
        self._by_line.setdefault(line, []).append(Problem(line, column, reason))
        if len(self._by_line) > BAD_ROWS_MAX:
            told = [self._sentence(problem) for problem in self.listed()[:TOLD_MAX]]
            raise Refuse(*told, f"{self.path}: more than {BAD_ROWS_MAX} rows are bad; reading stopped there")

    def __len__(self) -> int:
        return len(self._by_line)

    def __contains__(self, line: int) -> bool:
        return line in self._by_line

    @property
    def lines(self) -> list[int]:
        return list(self._by_line)

    def columns(self, line: int) -> set[str]:
        """The columns of a line in which something is wrong."""
        return {problem.column for problem in self._by_line.get(line, ())}

    def listed(self) -> list[Problem]:
        """All of them, by line."""
        return [problem for line in sorted(self._by_line) for problem in self._by_line[line]]

    def refusal(self) -> Refuse:
        """The error that tells the first ones, and how many there are."""
        problems = self.listed()
        told = [self._sentence(problem) for problem in problems[:TOLD_MAX]]
        if len(problems) > TOLD_MAX:
            told.append(f"{self.path}: and {len(problems) - TOLD_MAX} more")
        return Refuse(*told)

    def reason(self, line: int) -> tuple[str, str]:
        """The columns and the reasons of one line, each joined to one text."""
        problems = self._by_line[line]
        columns = dict.fromkeys(problem.column for problem in problems if problem.column)
        return " ".join(columns), "; ".join(problem.reason for problem in problems)

    def _sentence(self, problem: Problem) -> str:
        column = f", column {problem.column}" if problem.column else ""
        return f"{self.path}, line {problem.line}{column}: {problem.reason}"


def bad_file(path: Path) -> Path:
    """``usage.bad.csv`` beside ``usage.csv`` or ``usage.csv.gz``."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".csv") + ".bad.csv")


def write_bad_rows(problems: Problems, header: Sequence[str], digest: str) -> Path:
    """Write the bad rows as they stood, followed by line, column and reason; whole or not at all.

    A row that cannot be taken apart stands in the first column as it is, bytes that are no text escaped, cut at the
    longest line. Raises Refuse where the file cannot be written, or is no longer the one that was read.
    """
    own = without_notes(header)
    target = bad_file(problems.path)
    part = target.with_name(target.name + ".part")
    try:
        with UsageLines(problems.path) as lines, part.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow([*own, *NOTES])
            for number, content in lines:
                if number in problems:
                    text = content.decode(errors="backslashreplace")
                    fields = next(csv.reader([text]), [])
                    row = fields[: len(own)] if len(fields) == len(header) else [text, *[""] * (len(own) - 1)]
                    writer.writerow([*row, number, *problems.reason(number)])
            if lines.digest != digest:
                raise Refuse(f"{problems.path}: changed while it was imported: nothing was applied, import it again")
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    except OSError as error:
        raise Refuse(f"{target}: the bad rows cannot be written: {error.strerror}; nothing was applied") from error
    finally:
        part.unlink(missing_ok=True)
    return target
