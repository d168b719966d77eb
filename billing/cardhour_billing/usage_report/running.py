"""Making a report while it is downloaded, with a row in the store that says how far it is.

Owns the stream, its row and the limit on how many a customer may run at a time. Nothing is kept of a report but that
row: asking again makes it again, from what is known then.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
from django.db import transaction

from cardhour_billing.focus.export import documents_of, pieces
from cardhour_billing.models import ReportRun
from cardhour_billing.month import Month
from cardhour_billing.month_usage.content import MonthUsage
from cardhour_billing.month_usage.keeping import month_usage
from cardhour_billing.receivables.allocating import locked
from cardhour_billing.usage.ledger import WarehouseLedger
from cardhour_billing.usage_report.formats import csv_bytes, json_bytes, xlsx_bytes
from cardhour_billing.usage_report.order import Order
from cardhour_billing.usage_report.rows import detailed_rows, priced_rows
from cardhour_contract.clock import Clock
from cardhour_contract.errors import CardHourError, Refuse
from cardhour_contract.moment import MINUTE_MS, SECOND_MS

if TYPE_CHECKING:
    from cardhour_billing.usage.ledger import Ledger
    from cardhour_ingest.warehouse.client import Warehouse

RUNNING_MAX = 2
"""Reports of one customer at a time: each holds a worker of the portal."""

LOST_MS = 2 * MINUTE_MS
"""A report that has not said how far it is for so long died with its process."""

OpenWarehouse = Callable[[], AbstractContextManager["Warehouse"]]


class Running:
    """A report being made. Iterate to make it; its row follows."""

    def __init__(self, order: Order, open_warehouse: OpenWarehouse, clock: Clock, who: str) -> None:
        self._order, self._open, self._clock = order, open_warehouse, clock
        documents = documents_of(order.months, order.customer.key) if order.form == "focus" else []
        self._documents = documents
        of = (
            len(documents)
            if order.form == "focus"
            else len(order.months)
            if order.priced
            else len(list(order.spans_ms()))
        )
        now_ms = clock.now_ms()
        with transaction.atomic():
            locked(order.customer)  # two that ask at the same moment are counted one after the other
            running = ReportRun.objects.filter(
                customer=order.customer, state=ReportRun.State.RUNNING, seen_at_ms__gt=now_ms - LOST_MS
            )
            if running.count() >= RUNNING_MAX:
                raise Refuse(f"{RUNNING_MAX} reports are being made already: wait until one is done")
            self.run = ReportRun.objects.create(
                customer=order.customer, first_day=order.first, last_day=order.last, grouping=order.grouping,
                form=order.form, of=of, who=who, started_at_ms=now_ms, seen_at_ms=now_ms,
            )  # fmt: skip

    def __iter__(self) -> Generator[bytes, None, None]:
        ending, outcome = ReportRun.State.STOPPED, ""
        try:
            for piece in self._bytes():
                self.run.size += len(piece)
                self._say()
                yield piece
            ending, self.run.done = ReportRun.State.DONE, self.run.of
        except CardHourError as error:
            ending, outcome = ReportRun.State.FAILED, str(error)
            raise  # the connection is cut, so that half a file is not taken for a whole one
        except Exception:
            ending, outcome = ReportRun.State.FAILED, "an error of ours: ask your provider to look at the portal's log"
            raise
        finally:
            self.run.state, self.run.outcome, self.run.seen_at_ms = ending, outcome, self._clock.now_ms()
            self.run.save()

    def _bytes(self) -> Iterator[bytes]:
        order = self._order
        if order.form == "focus":
            with self._open() as warehouse:
                before = ""
                for piece in pieces(self._documents, WarehouseLedger(warehouse)):
                    self.run.rows += piece.rows
                    if piece.number != before:
                        self.run.done, before = self.run.done + bool(before), piece.number
                    yield piece.text.encode()
            return
        tables = self._counted(self._priced() if order.priced else self._detailed())
        if order.form == "csv":
            yield from csv_bytes(tables, self.columns)
        elif order.form == "json":
            yield from json_bytes(tables, self.facts)
        else:
            yield from xlsx_bytes(tables, self.columns, self.facts)

    @property
    def columns(self) -> tuple[str, ...]:
        """What each row has."""
        amounts = ("net", "currency") if self._order.priced else ()
        return (*self._order.by, "kind", "card_hours", "quantity_us", *amounts)

    @property
    def facts(self) -> dict[str, object]:
        """What was asked for."""
        order = self._order
        return {
            "customer": order.customer.key,
            "first_day": order.first.isoformat(),
            "last_day": order.last.isoformat(),
            "timezone": order.customer.timezone,
            "one_row_for_each": ", ".join(order.by),
        }

    def _priced(self) -> Iterator[pa.Table]:
        def usage_of(month: Month) -> MonthUsage:
            found = month_usage(self._order.customer, month, self._ledger, self._clock)
            self.run.done += 1
            return found

        yield from priced_rows(self._order, usage_of)

    def _detailed(self) -> Iterator[pa.Table]:
        def done(spans: int) -> None:
            self.run.done = spans
            self._say()

        with self._open() as warehouse:
            yield from detailed_rows(self._order, warehouse, done)

    def _counted(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        for table in tables:
            self.run.rows += table.num_rows
            yield table

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        with self._open() as warehouse:
            yield WarehouseLedger(warehouse)

    def _say(self) -> None:
        """Say how far it is, at most once a second: a commit waits for the disk."""
        now_ms = self._clock.now_ms()
        if now_ms - self.run.seen_at_ms >= SECOND_MS:
            self.run.seen_at_ms = now_ms
            self.run.save()
