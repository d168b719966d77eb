"""The agent's numbers in Prometheus's text format, on a loopback port.

Owns metric names and the port. Does not own the numbers (``status`` and the parts that count). Names follow
Prometheus's conventions: base units, ``_total`` on counters. Nothing here is loaded while the port is 0.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from cardhour_agent.device import Device
from cardhour_agent.nvml.watched import WatchedNvml
from cardhour_agent.outbox import Outbox
from cardhour_agent.shipper import Shipper
from cardhour_agent.status import Status
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse
from cardhour_contract.spool import Depth, Spool

ADDRESS = "127.0.0.1"
"""Loopback only: the page names cards, and has no password. A collector on the node reads it."""

DEEP_REPORTS = 10_000
DEPTH_MS = 60_000
"""How long a look at a spool of more than so many reports is good for: a look reads every row."""

CLIENT_S = 10
"""How long one scrape may keep the others waiting."""

IDLE_S = 3600.0
"""How often the server looks round while nobody asks: a stop wakes it, and each look would wake a processor."""

PREFIX = "cardhour_agent_"

_log = structlog.get_logger("cardhour.metrics")

Values = Iterable[tuple[tuple[str, ...], float]]
"""Label values, and the number under them."""


class Sources(NamedTuple):
    """Whose numbers are shown."""

    status: Status
    outbox: Outbox
    shipper: Shipper | None
    device: Device
    spool: Path
    spool_bytes_max: int


class AgentCollector(Collector):
    """Asked at each scrape, on the server's thread."""

    def __init__(self, sources: Sources, clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        self._version = version("cardhour-agent")
        self._spool: Spool | None = None
        """Opened by the first scrape, since it belongs to the thread that opened it."""
        self._depth: Depth | None = None
        self._looked_ms = 0

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(f"{PREFIX}build", "The agent's version.", {"version": self._version})
        yield from self._sampling(self._sources.status)
        yield from self._delivery()
        if isinstance(self._sources.device, WatchedNvml):
            device = self._sources.device
            yield _counter("nvml_restarts", "Processes that ask the driver, started anew.", max(0, device.starts - 1))
            yield _gauge("nvml_stuck_processes", "Killed processes that the driver holds on to.", len(device.unended))

    def _sampling(self, status: Status) -> Iterator[Metric]:
        card, models = ("card", "model"), status.models.copy()
        held = {(card, models.get(card, "")): ms / 1000 for card, ms in status.held_ms.copy().items()}
        yield _counters("card_held_seconds", "Time in which a process held the card.", card, held.items())
        told = {(card, state): ms / 1000 for (card, state), ms in status.told_ms.copy().items()}
        yield _counters(
            "card_seconds", "Time told of, by state; all but observed is a gap.", ("card", "state"), told.items()
        )
        yield _gauge("cards", "Cards that the last good sample listed.", status.cards)
        yield _counter("samples", "Samples taken.", status.samples)
        failures = {(reason,): count for reason, count in status.failures.copy().items()}
        yield _counters("sample_failures", "Samples in which the driver did not answer.", ("reason",), failures.items())
        of_cards = status.card_failures.copy()
        yield _counters(
            "card_failures", "Samples in which a card did not answer.", ("card", "reason"), of_cards.items()
        )
        if status.succeeded_at_ms is not None:
            at_s = status.succeeded_at_ms / 1000
            yield _gauge("last_success_timestamp_seconds", "When the driver last answered a sample.", at_s)
        yield _counter("reports", "Reports made.", status.reports)

    def _delivery(self) -> Iterator[Metric]:
        sources, depth = self._sources, self._spool_depth()
        yield _counter("dropped_reports", "Reports that the full spool refused; told of later.", sources.outbox.dropped)
        yield _counter(
            "merged_reports",
            "Reports that became part of another while the spool was nearly full.",
            sources.outbox.merged,
        )
        yield _gauge("spool_reports", "Reports that wait in the spool.", depth.reports)
        yield _gauge("spool_bytes", "Size of what waits in the spool.", depth.bytes)
        yield _gauge("spool_limit_bytes", "Size at which the spool is full.", sources.spool_bytes_max)
        oldest_at_ms = depth.oldest_at_ms
        age_s = 0.0 if oldest_at_ms is None else max(0, self._clock.now_ms() - oldest_at_ms) / 1000
        yield _gauge("spool_oldest_age_seconds", "Age of the oldest report in the spool; 0 where it is empty.", age_s)
        if sources.shipper is not None:
            yield _counter("shipped_reports", "Reports that the broker has acknowledged.", sources.shipper.shipped)
            yield _counter("ship_failures", "Sends that failed, and were repeated.", sources.shipper.failures)

    def _spool_depth(self) -> Depth:
        now_ms = self._clock.monotonic_ms()
        deep = self._depth is not None and self._depth.reports > DEEP_REPORTS
        if self._depth is None or not deep or now_ms - self._looked_ms >= DEPTH_MS:
            if self._spool is None:
                self._spool = Spool(self._sources.spool)
            self._depth = self._spool.depth()
            self._looked_ms = now_ms
        return self._depth

    def close(self) -> None:
        """On the thread that scraped."""
        if self._spool is not None:
            self._spool.close()


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, help_, value)


def _counter(name: str, help_: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, help_, value)


def _counters(name: str, help_: str, labels: Iterable[str], values: Values) -> Metric:
    family = CounterMetricFamily(PREFIX + name, help_, labels=list(labels))
    for key, value in values:
        family.add_metric(list(key), value)
    return family


class _Quiet(WSGIRequestHandler):
    """A scrape is nothing to log."""

    timeout = CLIENT_S

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Http(WSGIServer):
    """One scrape after the other."""

    def handle_error(self, request: object, client_address: object) -> None:
        _log.warning("a scrape failed", client=str(client_address), error=repr(sys.exception()))


class _Server:
    """Answers scrapes one after the other, on a thread of its own."""

    def __init__(self, port: int, collector: AgentCollector) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(collector)
        self._collector = collector
        self._http: WSGIServer = make_server(ADDRESS, port, make_wsgi_app(registry), _Http, _Quiet)
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        # A socket that takes no more connections can be read at once, which ends the server's wait.
        self._http.socket.shutdown(socket.SHUT_RD)
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _serve(self) -> None:
        try:
            self._http.serve_forever(IDLE_S)
        finally:
            self._collector.close()


@contextmanager
def served(port: int, sources: Sources, clock: Clock) -> Iterator[None]:
    """Serve the numbers meanwhile. Raises Refuse where the port is not to be had."""
    try:
        server = _Server(port, AgentCollector(sources, clock))
    except OSError as error:
        raise Refuse(
            f"port {port} on {ADDRESS} cannot be opened ({error.strerror}): give [agent] metrics_port another, or 0"
        ) from error
    try:
        yield
    finally:
        server.close()
