"""The migrations as they are written for a cluster: what the golden files hold.

After a deliberate migration: ``python -m tests.ingest.warehouse.cluster``, and read the difference before committing.
"""

from __future__ import annotations

from pathlib import Path

from cardhour_ingest.warehouse.cluster import Cluster
from cardhour_ingest.warehouse.migrate import MIGRATION_TABLE, Migration, migrations, statements

FLEET = Cluster(name="fleet")
GOLDEN = Path(__file__).parent / "golden" / "cluster"


def rendered(text: str) -> list[str]:
    """The statements that are sent to a cluster for those in ``text``."""
    return [written for statement in statements(text) for written in FLEET.render(statement)]


def sources() -> list[Migration]:
    """Every migration, and before them the table that says which were applied."""
    return [Migration(number=0, name="migration", text=MIGRATION_TABLE), *migrations()]


def golden_text(migration: Migration) -> str:
    lines = (line.rstrip() for line in ";\n\n".join(rendered(migration.text)).splitlines())
    return "\n".join(lines) + ";\n"


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for each in sources():
        (GOLDEN / f"{each.label}.sql").write_text(golden_text(each), encoding="utf-8")
