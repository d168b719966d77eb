"""Faults of a node's cards: opened by a reading, closed by the first later scan that finds the card healthy.

Owns which faults are open. Does not own what counts as a fault (the device does) or what it costs (the ledger does).
"""

from __future__ import annotations

from collections.abc import Iterable

from cardhour_contract.record import Fault


class FaultBook:
    """Open faults, at most one a card; the first reason stays until it is healthy again."""

    def __init__(self, still_open: Iterable[Fault] = ()) -> None:
        self.open: dict[str, Fault] = {each.card: each for each in still_open}
        self.news: list[Fault] = []
        """Opened or closed since the last report."""

    def observe(self, card: str, reason: str, at_ms: int) -> None:
        """A reading that found a card out of order."""
        if card not in self.open:
            fault = Fault(card=card, opened_at_ms=at_ms, reason=reason)
            self.open[card] = fault
            self.news.append(fault)

    def scanned(self, healthy: Iterable[str], at_ms: int) -> bool:
        """A successful scan found these cards healthy. Says whether that closed a fault."""
        closed = [self.open.pop(card) for card in healthy if card in self.open]
        for each in closed:
            self.news.append(
                Fault(
                    card=each.card,
                    opened_at_ms=each.opened_at_ms,
                    closed_at_ms=max(at_ms, each.opened_at_ms),
                    reason=each.reason,
                )
            )
        return bool(closed)

    def take_news(self) -> tuple[Fault, ...]:
        news, self.news = tuple(self.news), []
        return news
