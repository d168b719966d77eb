"""Logging of billing's processes: structlog to standard error, one level for all of them.

Owns the configuration. Does not own what is told. Ingest notes each batch for whoever looks for a fault; a command's
own output says what it did, and a service runs for months.
"""

from __future__ import annotations

import logging
import sys

import structlog


def configure() -> None:
    """Once, at the start of a process."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
