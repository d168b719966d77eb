"""Finding the warehouse: a server, the engine in this process, or the engine that another process of ours serves.

Owns the ``[warehouse]`` settings and the choice between the three. Does not own the connection (``client``) nor the
lock (``engine``).
"""

from __future__ import annotations

import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import msgspec

from cardhour_contract.clock import Clock, SystemClock
from cardhour_contract.errors import Refuse, Retry
from cardhour_contract.settings import Secret
from cardhour_ingest.warehouse import engine
from cardhour_ingest.warehouse.client import DatabaseMissing, Target, Warehouse
from cardhour_ingest.warehouse.cluster import Cluster
from cardhour_ingest.warehouse.migrate import COMMAND, Migration, create_database, migrate, pending

OWNER_WAIT_MS = 5_000
"""How long to wait for another command to finish with the engine: most take a second or two, and two short commands
must not fail each other."""

_migrating = threading.Lock()
"""The threads of one process open the warehouse at the same moment; a migration must not meet itself half done."""

OWNER_POLL_MS = 50
"""A lock has no event that says it was released."""


class WarehouseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[warehouse]``: where usage is kept."""

    url: str = ""
    """A ClickHouse server, such as ``http://clickhouse:8123``. Empty: the engine inside this machine's process."""
    user: str = "default"
    password: Secret = msgspec.field(default_factory=lambda: Secret(""))
    database: str = "cardhour"
    cluster: Annotated[str, msgspec.Meta(pattern=r"^\w*$")] = ""
    """The cluster in ClickHouse's ``remote_servers`` that the server at ``url`` belongs to. Empty: it stands alone."""


def open_warehouse(settings: WarehouseSettings, home: Path, clock: Clock | None = None) -> Warehouse:
    """The warehouse, ready for use. Refuses a server with pending migrations and an engine that another keeps shut."""
    if settings.url:
        return _open_migrated(_server(settings), f"run `{COMMAND}`")
    return _open_engine(settings, home, clock or SystemClock(), resume=False)[0]


def migrate_warehouse(settings: WarehouseSettings, home: Path, *, resume: bool = False) -> list[Migration]:
    """Create the database where needed and apply what is pending; returns what was applied.

    ``resume`` also repeats a migration that was interrupted. An embedded warehouse is migrated whenever it is opened.
    """
    if not settings.url:
        warehouse, applied = _open_engine(settings, home, SystemClock(), resume=resume)
        warehouse.close()
        return applied
    target = _server(settings)
    create_database(target)
    with Warehouse(target) as warehouse:
        return migrate(warehouse, resume=resume)


def _server(settings: WarehouseSettings) -> Target:
    return Target(
        url=settings.url,
        user=settings.user,
        password=settings.password,
        database=settings.database,
        compress=True,
        cluster=Cluster(name=settings.cluster) if settings.cluster else None,
    )


def _open_migrated(target: Target, mend: str) -> Warehouse:
    """A connection to an engine whose tables are up to date, or a refusal that ends with ``mend``."""
    try:
        warehouse = Warehouse(target)
    except DatabaseMissing as error:
        raise Refuse(f"The warehouse at {target.url} has no database {target.database}: {mend}.") from error
    try:
        left = pending(warehouse)
        if left:
            raise Refuse(f"The warehouse at {target.url} lacks {len(left)} migrations, from {left[0].label}: {mend}.")
    except BaseException:
        warehouse.close()
        raise
    return warehouse


def _open_engine(
    settings: WarehouseSettings, home: Path, clock: Clock, *, resume: bool
) -> tuple[Warehouse, list[Migration]]:
    """Own the engine, or else speak to the process that does; wait a little for one that does not serve."""
    if settings.cluster:
        raise Refuse("[warehouse] cluster is set, but url is empty: name a ClickHouse server of the cluster.")
    if find_spec("chdb") is None:
        raise Refuse(
            "The embedded engine is not installed: run `pip install 'cardhour-ingest[embedded]'`, "
            "or name a ClickHouse server as url in [warehouse]."
        )
    give_up_ms = clock.monotonic_ms() + OWNER_WAIT_MS
    while True:
        claim = engine.Claim.take(home)
        if claim is not None:
            return _own(settings, claim, resume=resume)
        late = clock.monotonic_ms() >= give_up_ms
        served = engine.notice(home)
        if served is not None:
            # The owner migrated when it opened; what is pending now came with an installation since.
            target = Target(url=served.url, password=served.secret, database=settings.database)
            try:
                return _open_migrated(target, f"stop process {served.pid}, which serves it, and start it again"), []
            except Retry:  # it stopped after we read its notice
                if late:
                    raise
        if late:
            raise _in_use(home)
        clock.sleep_ms(OWNER_POLL_MS)


def _in_use(home: Path) -> Refuse:
    holder = engine.owner(home)
    who = f"process {holder.pid} ({holder.command})" if holder else "another process"
    return Refuse(
        f"The warehouse in {home / engine.FOLDER} is in use by {who}, which does not share it. "
        f"Wait until it has finished, or stop it, and run this again."
    )


def _own(settings: WarehouseSettings, claim: engine.Claim, *, resume: bool) -> tuple[Warehouse, list[Migration]]:
    """The engine in this process, migrated: it is the user's own machine, and nobody else can be using it."""
    target = Target(path=str(claim.folder), database=settings.database)
    try:
        warehouse = _opened_or_created(target, claim)
    except BaseException:
        claim.release()
        raise
    try:
        with _migrating:
            return warehouse, migrate(warehouse, resume=resume)
    except BaseException:
        warehouse.close()
        raise


def _opened_or_created(target: Target, claim: engine.Claim) -> Warehouse:
    """Opened first: to create the database is to start the engine and stop it again, which only a first start needs."""
    try:
        return Warehouse(target, hold=claim)
    except DatabaseMissing:
        create_database(target)
        return Warehouse(target, hold=claim)
