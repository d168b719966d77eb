"""Gapless numbers: one series for each issuer, document type and fiscal year.

A number is taken inside the transaction that issues the document, under a lock on the issuer's row, so that a rollback
gives it back and two processes wait for each other. The issue date is today, never before the issuer's last.
"""

from __future__ import annotations

from datetime import date

from django.db import connection

from cardhour_billing.models import Issuer, NumberSeries
from cardhour_contract.errors import InvariantBroken

CODES = {"credit-note": "CN-"}
"""What numbers of a document type have between prefix and year; invoices have nothing."""

SEQUENCE_DIGITS = 4
"""``INV-2026-0001``; a ten-thousandth document simply has five digits."""


def take_number(issuer: Issuer, kind: str, today: date) -> tuple[NumberSeries, int, str, date]:
    """The next number: its series, sequence, text, and the date to issue under. Must run in a transaction."""
    if not connection.in_atomic_block:
        raise InvariantBroken("a number can only be taken inside the transaction that issues its document")
    Issuer.objects.select_for_update().get(pk=issuer.pk)
    years = {each.fiscal_year: each for each in NumberSeries.objects.filter(issuer=issuer, kind=kind)}
    issue_date = max([today, *(each.last_issue_date for each in years.values() if each.last_issue_date)])
    series = years.get(issue_date.year) or NumberSeries(issuer=issuer, kind=kind, fiscal_year=issue_date.year)
    series.last += 1
    series.last_issue_date = issue_date
    series.save()
    number = f"{issuer.number_prefix}-{CODES.get(kind, '')}{series.fiscal_year}-{series.last:0{SEQUENCE_DIGITS}d}"
    return series, series.last, number, issue_date
