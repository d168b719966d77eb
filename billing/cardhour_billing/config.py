"""Settings of billing: the sections ``[store]``, ``[web]`` and ``[billing]`` of ``cardhour.toml``.

Owns what each setting means and its default. Does not own reading (``cardhour_contract.settings``) nor Django's names
for the same things (``settings``). Every command reads them first, so that the driver of PostgreSQL is imported only
where the store is one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from cardhour_billing.outgoing import MailSettings, WebhookSettings, check_mail, check_webhook
from cardhour_contract.errors import Refuse
from cardhour_contract.settings import FILE_NAME, Loader, home_directory

STORE_FILE = "billing.db"


class StoreSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[store]``: where customers, prices and invoices are kept."""

    url: str = ""
    """Path of a SQLite file, or ``postgresql://user:password@host:port/name``. Default: ``billing.db`` in the home."""

    def __repr__(self) -> str:
        return "StoreSettings(url=…)"  # it may hold a password


class WebSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[web]``: the portal."""

    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    """Host names that the portal answers to."""
    url: str = ""
    """Where people reach the portal, such as ``https://billing.example.com``, for links in mail. Empty: links that a
    page sends begin as the page does, and other mail has none."""
    https: bool = False
    """Whether people reach the portal by https (through a proxy). Cookies are then sent by https only."""
    failed_logins_max: int = 5
    """Failed logins of one name from one address before both must wait for ``lockout_minutes``."""
    lockout_minutes: int = 15
    second_factor: tuple[Literal["viewer", "billing", "admin"], ...] = ()
    """Roles of staff that must have a second factor. Anybody may have one."""
    api_calls_per_minute: int = 300
    """Calls of one API key in a minute, however many processes answer them."""
    processes: Annotated[int, Meta(ge=0, le=64)] = 0
    """Processes of ``cardhour web`` that answer; 0: one for each core, and at most four."""


class BillingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[billing]``: how months are closed."""

    grace_hours: int = 48
    """Hours after the end of a month in which late usage may still come in, and nothing is issued."""
    auto_issue: bool = False
    """Whether the scheduler issues after the grace hours. Otherwise it prepares drafts, and a person issues."""
    check_minutes: int = 15
    """How often the scheduler looks for months to close."""
    notable_change_percent: int = 20
    """A draft that is so much above or below the month before stands in the checklist of the close."""
    adjust_months: int = 3
    """Closed months before the one that is billed, in which what has changed since is billed or credited."""
    minimum_invoice: int = 0
    """Smallest invoice, in units of its currency; what is below it is carried forward."""
    check_einvoices: bool = False
    """Whether each XML is held against the official rules before it is kept, and before it is sent."""
    write_off_max: int = 5
    """Most that a payment may leave unpaid and still settle, in units of its currency."""
    dunning_days: tuple[int, ...] = (7, 21, 35)
    """Days after the due date at which each level of reminder is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingConfig:
    """Everything billing reads from the settings file and the environment.

    home: folder that everything of this installation lives under.
    """

    home: Path
    store: StoreSettings
    web: WebSettings
    billing: BillingSettings
    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    mail: MailSettings = field(default_factory=MailSettings)

    @property
    def settings_file(self) -> Path:
        return self.home / FILE_NAME

    @property
    def on_postgresql(self) -> bool:
        return self.store.url.startswith(("postgresql://", "postgres://"))

    @property
    def sqlite_path(self) -> Path:
        """The SQLite file; relative paths are under the home."""
        return self.home / Path(self.store.url.removeprefix("sqlite:///") or STORE_FILE).expanduser()


def load_config(environ: Mapping[str, str] = os.environ) -> BillingConfig:
    """The settings of this installation. Raises Refuse with every problem. Creates nothing."""
    home = home_directory(environ)
    loader = Loader(home / FILE_NAME, environ)
    config = BillingConfig(
        home=home,
        store=loader.section("store", StoreSettings),
        web=loader.section("web", WebSettings),
        billing=loader.section("billing", BillingSettings),
        webhook=loader.section("webhook", WebhookSettings),
        mail=loader.section("mail", MailSettings),
    )
    loader.finish()
    _check_url(config.store.url)
    _check_portal(config.web.url)
    check_webhook(config.webhook)
    check_mail(config.mail)
    return config


def _check_portal(url: str) -> None:
    """Refuse a ``[web] url`` that links cannot begin with."""
    parts = urlsplit(url)
    after = parts.path.strip("/") or parts.query or parts.fragment
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or after):
        raise Refuse(f"[web] url: '{url}' is not an address such as https://billing.example.com, with nothing after it")


def _check_url(url: str) -> None:
    """Refuse a ``[store] url`` of no known kind: a mistyped scheme must not become a file of that name."""
    scheme, separator, _ = url.partition("://")
    if not separator or scheme == "sqlite":
        return
    if scheme not in ("postgresql", "postgres"):
        raise Refuse(
            f"[store] url: '{scheme}://…' is neither a SQLite path nor postgresql://user:password@host:port/name"
        )
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(url)
    except ProgrammingError as error:
        # Without the driver's own sentence, which repeats the URL and so its password.
        raise Refuse("[store] url: not of the form postgresql://user:password@host:port/name") from error
