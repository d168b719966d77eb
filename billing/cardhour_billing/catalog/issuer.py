"""``[issuer]`` of a catalog: the legal entities that bill. Owns a table's columns, and who they are afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from cardhour_billing.catalog.change import Change, party_change
from cardhour_billing.catalog.checks import a_country, a_name, an_endpoint, an_id, check
from cardhour_billing.catalog.noun import CatalogFile, Noun, Planning
from cardhour_billing.models import Issuer
from cardhour_billing.money import exponent
from cardhour_billing.month import zone
from cardhour_contract.errors import Refuse

FAPIAO_CODE_DIGITS = 19


class BankTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``bank = { … }`` of the issuer."""

    account_name: str = ""
    bank: str = ""
    account: str = ""


class IssuerTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[issuer]``, or ``[[issuer]]`` where there are several: a legal entity that bills."""

    name: str
    currency: str
    timezone: str
    id: str = "default"
    legal_name: str = ""
    address: str | list[str] = ""
    tax_id: str = ""
    country: str = ""
    endpoint: str = ""
    fapiao_item: str = ""
    fapiao_code: str = ""
    bank: BankTable = BankTable()
    number_prefix: str = "INV"


def _problems(table: IssuerTable) -> list[str]:
    return check(
        *((a_country, each) for each in (table.country,) if each),
        *((an_endpoint, each) for each in (table.endpoint,) if each),
        *((_a_fapiao_code, each) for each in (table.fapiao_code,) if each),
        (an_id, table.id),
        (a_name, table.name),
        (exponent, table.currency),
        (zone, table.timezone),
        (an_id, table.number_prefix),
    )


def _a_fapiao_code(text: str) -> None:
    if not (len(text) == FAPIAO_CODE_DIGITS and text.isascii() and text.isdigit()):
        raise Refuse(f"'{text}' is not a 商品和服务税收分类编码: {FAPIAO_CODE_DIGITS} digits")


def columns(table: IssuerTable) -> dict[str, Any]:
    """The columns that the table sets."""
    return {
        "name": table.name,
        "legal_name": table.legal_name,
        "address": lines(table.address),
        "tax_id": table.tax_id,
        "country": table.country,
        "endpoint": table.endpoint,
        "fapiao_item": table.fapiao_item,
        "fapiao_code": table.fapiao_code,
        "bank_account_name": table.bank.account_name,
        "bank": table.bank.bank,
        "bank_account": table.bank.account,
        "currency": table.currency,
        "timezone": table.timezone,
        "number_prefix": table.number_prefix,
    }


def lines(address: str | list[str]) -> str:
    """A postal address as it is stored: lines separated by line breaks."""
    parts = address.splitlines() if isinstance(address, str) else address
    return "\n".join(line.strip() for line in parts if line.strip())


def issuers_after(file: CatalogFile) -> dict[str, Issuer]:
    """Who bills, by id, as they would stand once ``file`` was applied: the oldest first. Nothing is saved."""
    stored = {each.key: each for each in Issuer.objects.order_by("pk")}
    return stored | {each.table.id: Issuer(key=each.table.id, **columns(each.table)) for each in file.of(IssuerTable)}


def _changes(planning: Planning) -> Iterator[Change]:
    seen: set[str] = set()
    for located in planning.file.of(IssuerTable):
        table = located.table
        if table.id in seen:
            planning.problems.append(f"{located.where}: issuer '{table.id}' is in this file twice: give each an id")
        seen.add(table.id)
        for other in planning.issuers.values():
            if other.key != table.id and other.number_prefix == table.number_prefix:
                planning.problems.append(
                    f"{located.where}: number_prefix: '{table.number_prefix}' is that of issuer '{other.key}': two "
                    "documents would have one number"
                )
        known = Issuer.objects.filter(key=table.id).values().first()
        if change := party_change("issuer", table.id, known, columns(table)):
            yield change


def _write(change: Change, recorded_at_ms: int) -> None:
    Issuer.objects.update_or_create(key=change.subject, defaults=change.fields)


ISSUER = Noun(name="issuer", table=IssuerTable, problems=_problems, changes=_changes, write=_write, alone=True)
