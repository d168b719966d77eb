"""Python's collector of cycles, in processes that run for long: it looks seldom, and never at what stays anyway."""

from __future__ import annotations

import gc

COLLECT_AFTER, OLDER_AFTER, OLDEST_AFTER = 50_000, 20, 50
"""When Python looks for cycles: after so many new objects, and among older ones after so many such looks."""


def seldom_collect() -> None:
    """To be called when everything is imported. Python else looks through all its objects again and again.

    Messages, and the figures of a page, are many objects and next to no cycles, so that looking at them finds nothing:
    it took a fifth of ingest's time, and a third of a page that adds up ten thousand cards.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, OLDER_AFTER, OLDEST_AFTER)
