"""The error tree: every error names what happens next.

    CardHourError
    ├── Retry             the same call may succeed later: wait and repeat, nothing is lost
    ├── Reject            this message can never be accepted: to the dead letters, with the path to the bad field
    ├── Refuse            a person gave bad input: say what, where, and what to do; exit code 2
    └── InvariantBroken   the program or its data contradict themselves: stop, never guess

Owns the dispositions. Does not own messages: whoever raises says what happened.
"""

from __future__ import annotations


class CardHourError(Exception):
    """Base of every error that CardHour raises on purpose."""


class Retry(CardHourError):
    """A foreign part (broker, database, driver) did not answer. Repeat later; the input is kept."""


class Reject(CardHourError):
    """A message that can never be accepted.

    reason: a stable word for counting and filtering, such as ``bad_payload`` or ``clock_skew``.
    path: where in the message, in JSONPath form (``$.usage.share[3]``); ``$`` is the whole message.
    """

    def __init__(self, reason: str, detail: str, *, path: str = "$") -> None:
        super().__init__(f"{reason} at {path}: {detail}")
        self.reason = reason
        self.detail = detail
        self.path = path


class Refuse(CardHourError):
    """Input from a person that cannot be used. Nothing was changed.

    problems: every problem found, one sentence each, so that all can be mended in one go.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class InvariantBroken(CardHourError):
    """Something that must always hold does not. The process stops rather than write a wrong figure."""
