"""Logging of the agent's processes: structlog to standard error, one format for all of them.

Owns the configuration. Does not own what is told.
"""

from __future__ import annotations

import logging
import sys

import structlog


def quiet() -> None:
    """For a command whose answer says all that the log would."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def configure() -> None:
    """Once, at the start of a process."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    # The client tells every refused connection as an error, several a second; the shipper tells what it means, once.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
