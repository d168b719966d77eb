"""Looking at an installation: what is configured, what answers, what is wrong, and how to mend it.

Owns the checks. Each looks at one thing, changes nothing, and turns trouble into a finding instead of failing. Does not
own printing (``commands.doctor``).
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from cardhour_billing.config import BillingConfig, load_config
from cardhour_contract.errors import CardHourError
from cardhour_contract.settings import Loader, StreamSettings, home_directory

GIB = 1024**3
DISK_LOW_GIB = 10
"""Below this a month of a few hundred cards may no longer fit."""
DISK_EMPTY_GIB = 1
CONNECT_S = 3
"""How long a broker may take to accept a connection; one that needs longer is no use to an agent either."""


class Finding(Struct, frozen=True, kw_only=True):
    """What one check saw. ``mend`` says what to do; empty where nothing is."""

    check: str
    state: Literal["ok", "note", "wrong"]
    what: str
    mend: str = ""


def examine() -> Iterator[Finding]:
    """Every finding, in the order in which trouble is best mended."""
    yield from _home()
    try:
        config = load_config()
    except CardHourError as error:
        yield Finding(check="settings", state="wrong", what=str(error), mend="correct the setting and run this again")
        return
    present = config.settings_file.exists()
    yield Finding(
        check="settings", state="ok", what=str(config.settings_file) if present else "defaults; no settings file"
    )
    for check in (_store, _catalog, _logins, _warehouse, _stream, _mail, _webhook, _gpu, _fonts):
        yield _guarded(check, config)


def _guarded(check: Callable[[BillingConfig], Finding], config: BillingConfig) -> Finding:
    name = check.__name__.strip("_")
    try:
        return check(config)
    except CardHourError as error:
        return Finding(check=name, state="wrong", what=str(error), mend="mend this, then run cardhour doctor again")


def _home() -> Iterator[Finding]:
    home = home_directory()
    there = next(path for path in (home, *home.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        mend = "name a folder of your own in CARDHOUR_HOME"
        yield Finding(check="home", state="wrong", what=f"{there} cannot be written to", mend=mend)
    elif there != home:
        yield Finding(check="home", state="note", what=f"{home} does not exist yet", mend="the first command makes it")
    elif home.stat().st_mode & 0o077:
        yield Finding(check="home", state="note", what=f"{home} can be read by others", mend=f"chmod 700 {home}")
    else:
        yield Finding(check="home", state="ok", what=str(home))
    free = shutil.disk_usage(there).free // GIB
    state: Literal["ok", "note", "wrong"] = (
        "ok" if free >= DISK_LOW_GIB else "note" if free >= DISK_EMPTY_GIB else "wrong"
    )
    yield Finding(
        check="disk", state=state, what=f"{free} GiB free", mend="" if state == "ok" else "make room, or move the home"
    )


def _store(config: BillingConfig) -> Finding:
    from cardhour_billing.store import answering, pending, place, set_up

    set_up()
    if not config.on_postgresql and not config.sqlite_path.exists():
        return Finding(
            check="store",
            state="note",
            what=f"{config.sqlite_path} does not exist yet",
            mend="the first command makes it",
        )
    with answering():
        missing = pending()
    if missing:
        mend = "the next command that needs the store applies them"
        return Finding(check="store", state="note", what=f"{place()} lacks {len(missing)} migrations", mend=mend)
    return Finding(check="store", state="ok", what=place())


def _catalog(config: BillingConfig) -> Finding:
    if not _has_tables(config):
        return Finding(check="catalog", state="note", what="empty", mend="cardhour catalog apply FILE.toml")
    from cardhour_billing.models import Customer, Issuer, Price
    from cardhour_billing.models.bitemporal import NOT_SUPERSEDED

    customers, prices = Customer.objects.count(), Price.objects.filter(NOT_SUPERSEDED).count()
    if not Issuer.objects.exists() or not customers or not prices:
        return Finding(check="catalog", state="note", what="incomplete", mend="cardhour catalog apply FILE.toml")
    return Finding(check="catalog", state="ok", what=f"{customers} customers, {prices} prices")


def _logins(config: BillingConfig) -> Finding:
    mend = "cardhour user add NAME --staff --role admin"
    if not _has_tables(config):
        return Finding(check="logins", state="note", what="nobody can enter the portal yet", mend=mend)
    from django.contrib.auth.models import User

    staff = User.objects.filter(is_staff=True, is_active=True)
    if not staff.filter(staff_role__role="admin").exists():
        return Finding(check="logins", state="note", what="no admin of staff yet", mend=mend)
    return Finding(check="logins", state="ok", what=f"{User.objects.count()} logins, {staff.count()} of them staff")


def _has_tables(config: BillingConfig) -> bool:
    from cardhour_billing.store import answering, pending

    if not config.on_postgresql and not config.sqlite_path.exists():
        return False
    with answering():
        return not pending()


def _warehouse(config: BillingConfig) -> Finding:
    from cardhour_billing.usage.store import opened_warehouse, warehouse_settings
    from cardhour_ingest.warehouse.engine import FOLDER

    if not warehouse_settings(config).url and not (config.home / FOLDER).exists():
        mend = "the first command makes it"
        return Finding(check="warehouse", state="note", what=f"{config.home / FOLDER} does not exist yet", mend=mend)
    with opened_warehouse(config) as warehouse:
        from cardhour_ingest.warehouse.rollup import open_pairs

        waiting = open_pairs(warehouse)
        where = warehouse.target.path or warehouse.target.url
    what = f"{where} answers; {waiting:,} hours wait for the rollup" if waiting else f"{where} answers"
    return Finding(check="warehouse", state="ok", what=what)


def _stream(config: BillingConfig) -> Finding:
    loader = Loader(config.settings_file)
    stream = loader.section("stream", StreamSettings)
    loader.finish()
    if stream.kind == "spool":
        return Finding(check="stream", state="ok", what="this machine's own spool; no broker")
    silent = [server for server in stream.bootstrap_servers if not _accepts(server)]
    if silent or not stream.bootstrap_servers:
        what = f"no answer from {', '.join(silent)}" if silent else "kafka without bootstrap_servers"
        return Finding(
            check="stream", state="wrong", what=what, mend="start the broker, or correct [stream] bootstrap_servers"
        )
    return Finding(
        check="stream", state="ok", what=f"Kafka at {', '.join(stream.bootstrap_servers)} accepts connections"
    )


def _mail(config: BillingConfig) -> Finding:
    mail = config.mail
    if not mail.host:
        return Finding(
            check="mail", state="note", what="no mail server", mend="set [mail] where invoices are to be sent"
        )
    return _reached("mail", f"{mail.host}:{mail.port}", "[mail] host and port")


def _webhook(config: BillingConfig) -> Finding:
    url = urlsplit(config.webhook.url)
    if not url.hostname:
        return Finding(check="webhook", state="ok", what="nobody is told of events")
    port = url.port or (443 if url.scheme == "https" else 80)
    return _reached("webhook", f"{url.hostname}:{port}", "[webhook] url")


def _reached(check: str, server: str, setting: str) -> Finding:
    if _accepts(server):
        return Finding(check=check, state="ok", what=f"{server} accepts connections")
    return Finding(check=check, state="wrong", what=f"no answer from {server}", mend=f"start it, or correct {setting}")


def _accepts(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S):
            return True
    except (OSError, ValueError):
        return False


def _gpu(config: BillingConfig) -> Finding:
    # Only whether the driver's library is there: what the cards say is the agent's business.
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        what = "no NVIDIA driver on this machine: billing needs none, an agent does"
        return Finding(check="gpu", state="note", what=what, mend="run cardhour-agent on the machines with GPUs")
    return Finding(check="gpu", state="ok", what="the NVIDIA driver's library is here")


def _fonts(config: BillingConfig) -> Finding:
    missing = [
        name for name in ("justmytype_intl_cjk", "justmytype_western_core") if not importlib.util.find_spec(name)
    ]
    if missing:
        mend = "pip install cardhour-billing again: its fonts come with it"
        return Finding(
            check="fonts", state="wrong", what=f"missing: {', '.join(missing)}; no PDF can be made", mend=mend
        )
    return Finding(check="fonts", state="ok", what="Latin and Chinese fonts for documents are installed")
