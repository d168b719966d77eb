"""How many processes descriptors are kept of: none may be missing for the spool or a socket."""

from __future__ import annotations

import resource
from collections.abc import Callable

import pytest

from cardhour_agent import descriptors
from cardhour_agent.descriptors import EACH, PROCESSES_MAX, RESERVED

UNLIMITED = resource.RLIM_INFINITY
ENOUGH = EACH * PROCESSES_MAX + RESERVED


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], list[int]]:
    """Stands in for the limits of this process, which other tests share."""
    now = [1024, 4096]

    def set_limits(which: int, limits: tuple[int, int]) -> None:
        now[:] = limits

    def given(soft: int, hard: int) -> list[int]:
        now[:] = (soft, hard)
        return now

    monkeypatch.setattr(resource, "getrlimit", lambda which: tuple(now))
    monkeypatch.setattr(resource, "setrlimit", set_limits)
    return given


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (1024, 524_288, ENOUGH),
        (1024, 4096, 4096),
        (1024, UNLIMITED, ENOUGH),
        (20_000, 524_288, 20_000),
        (UNLIMITED, UNLIMITED, UNLIMITED),
    ],
)
def test_the_limit_is_raised_as_far_as_is_of_use_and_allowed(
    limits: Callable[[int, int], list[int]], soft: int, hard: int, raised: int
) -> None:
    now = limits(soft, hard)
    descriptors.raise_limit()
    assert now == [raised, hard]


@pytest.mark.parametrize(
    ("soft", "processes"), [(1024, 256), (4096, 1280), (ENOUGH, PROCESSES_MAX), (UNLIMITED, PROCESSES_MAX), (64, 0)]
)
def test_what_everything_else_needs_is_left_over(
    limits: Callable[[int, int], list[int]], soft: int, processes: int
) -> None:
    limits(soft, UNLIMITED)
    assert descriptors.processes() == processes
