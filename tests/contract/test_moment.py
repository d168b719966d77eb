"""Instants: RFC 3339 with an offset, exact to the millisecond, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardhour_contract.errors import Refuse
from cardhour_contract.moment import (
    LAST_MS,
    QUARTER_MS,
    ceil_to,
    floor_to,
    format_rfc3339,
    from_ms,
    parse_rfc3339,
    to_ms,
)

instants = st.integers(0, LAST_MS)


@given(instants)
def test_an_instant_survives_being_written_and_read(at_ms: int) -> None:
    assert parse_rfc3339(format_rfc3339(at_ms)) == at_ms
    assert to_ms(from_ms(at_ms)) == at_ms


@given(st.integers(DAY := 86_400_000, LAST_MS - DAY), st.integers(-1439, 1439))
def test_an_offset_changes_the_text_and_not_the_instant(at_ms: int, minutes: int) -> None:
    local = from_ms(at_ms).astimezone(timezone(timedelta(minutes=minutes)))
    assert parse_rfc3339(local.isoformat(timespec="milliseconds")) == at_ms


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-01-31T08:00:00+08:00", 1_769_817_600_000),
        ("2026-01-31t00:00:00.5z", 1_769_817_600_500),
        ("2026-01-31 00:00:00.123000Z", 1_769_817_600_123),
        ("9999-12-31T23:59:59.999Z", LAST_MS),
    ],
)
def test_the_forms_that_rfc_3339_allows(text: str, at_ms: int) -> None:
    assert parse_rfc3339(text) == at_ms


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-01-31T00:00:00", "has no offset"),
        ("2026-01-31", "has no offset"),
        ("2026-01-31T00:00:00.1234Z", "finer than a millisecond"),
        ("2026-02-30T00:00:00Z", "is not a time"),
        ("2026-01-31T24:00:00Z", "is not a time"),
        ("2026-01-31T00:00:00+25:00", "is not a time"),
        ("0001-01-01T00:00:00+01:00", "is not a time"),
        ("yesterday", "is not an RFC 3339 time"),
        ("2026-01-31T00:00:00Z ", "is not an RFC 3339 time"),
        ("٢٠٢٦-01-31T00:00:00Z", "is not an RFC 3339 time"),
    ],
)
def test_everything_else_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(Refuse, match=why):
        parse_rfc3339(text)


def test_a_datetime_without_an_offset_or_too_fine_is_refused() -> None:
    with pytest.raises(Refuse, match="no offset"):
        to_ms(datetime(2026, 1, 1))  # noqa: DTZ001  the naive datetime is the case
    with pytest.raises(Refuse, match="finer"):
        to_ms(datetime(2026, 1, 1, microsecond=1, tzinfo=UTC))


@given(instants)
def test_an_instant_lies_between_the_quarters_around_it(at_ms: int) -> None:
    below, above = floor_to(at_ms, QUARTER_MS), ceil_to(at_ms, QUARTER_MS)
    assert below <= at_ms <= above
    assert above - below in (0, QUARTER_MS)
    assert below % QUARTER_MS == above % QUARTER_MS == 0
