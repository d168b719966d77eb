"""Where SQL text lives: ``.sql`` files beside this module, one statement each, values only as parameters."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def sql(name: str) -> str:
    """The text of ``<name>.sql``, such as ``rollup/quick``."""
    return files("cardhour_ingest.warehouse").joinpath(f"{name}.sql").read_text(encoding="utf-8")
