"""``[[lease]]``, ``[[add-on]]``, ``[[cost]]``: every problem is found with its line; a second time changes nothing."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from cardhour_billing.models import AddOn, Cost, Lease
from cardhour_contract.errors import Refuse
from tests.billing.books import apply
from tests.billing.conftest import Store
from tests.billing.test_lease_charges import BOOKS, LEASE, SETUP, STORAGE
from tests.billing.test_margin_month import COST


@pytest.fixture(autouse=True)
def books(store: Store) -> None:
    apply(store.home, BOOKS)


def refused(store: Store, text: str) -> str:
    with pytest.raises(Refuse) as refusal:
        apply(store.home, text)
    assert not (Lease.objects.exists() or AddOn.objects.exists() or Cost.objects.exists())
    return str(refusal.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("count = 8", ""), "count: say how many cards it is of on these nodes"),
        (("count = 8", 'count = 8\ncards = ["GPU-1"]'), "a lease is of one kind"),
        (('nodes = ["n8"]\ncount = 8', 'cards = ["GPU-1", "GPU-1"]\nservers = 1'), "cards: one is named twice"),
        (
            ('nodes = ["n8"]\ncount = 8', 'cards = ["GPU-1"]\ncount = 2\nservers = 1'),
            "1 cards are named, and count says 2",
        ),
        (('nodes = ["n8"]', ""), "servers: say how many servers are paid for"),
        (
            ('per = "server-month"', 'per = "card-month"\nservers = 2'),
            "servers: a price per card-month is paid for cards",
        ),
        (('nodes = ["n8"]', 'servers = 1\nsla_credit = "100"'), "sla_credit: of a pool nobody can say"),
        (('per = "server-month"', 'per = "server-month"\nsla_credit = "2000"'), "'2000' is not a rate in percent"),
        (('amount = "133400"', 'amount = "133400"\nnon_refundable = true'), "means something only with billed"),
        (('amount = "133400"', "amount = 133400"), "write the price in quotes"),
        (('per = "server-month"', 'per = "week"'), "Invalid enum value 'week'"),
        (("2026-10-01T00:00:00+08:00", "2026-10-01T00:07:00+08:00"), "off a quarter hour"),
        (('customer = "acme"', 'customer = "nobody"'), "customer 'nobody' is not in this file nor known"),
    ],
)
def test_what_is_wrong_with_a_lease_is_said_with_its_line(store: Store, change: tuple[str, str], says: str) -> None:
    text = LEASE.replace(*change)
    assert text != LEASE
    found = refused(store, text)
    assert says in found
    assert "catalog.toml:2" in found


def test_one_card_in_two_leases_at_one_time_is_refused(store: Store) -> None:
    found = refused(store, LEASE + LEASE.replace("acme-1", "acme-2").replace("10-01", "11-01"))
    assert "n8 is in two leases at one time, acme-1 and acme-2" in found
    apply(
        store.home,
        LEASE + "to = 2026-11-01T00:00:00+08:00\n" + LEASE.replace("acme-1", "acme-2").replace("10-01", "11-01"),
    )
    assert Lease.objects.count() == 2


def test_an_id_twice_in_a_file_is_refused(store: Store) -> None:
    assert "'acme-1' is also at" in refused(store, LEASE + LEASE.replace("n8", "n9"))
    assert "'acme-disk' is also at" in refused(store, STORAGE + STORAGE)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (STORAGE.replace('"12.5"', '"0"'), "quantity: '0' is not above zero"),
        (STORAGE.replace('"12.5"', '"a lot"'), "'a lot' is not a decimal number"),
        (SETUP + 'billed = "advance"\n', "what is paid once is billed with the month of its from"),
        (COST.replace("= 24", "= 0"), "depreciation_months is from 1 to 240"),
        (COST.replace("server = 8", "server = 9999"), "cards_per_server is from 1 to 1024"),
        (COST + COST.replace("2026-01-01", "2026-02-01"), "model 'A100' has two costs at one time"),
    ],
)
def test_what_is_wrong_with_an_add_on_or_a_cost(store: Store, text: str, says: str) -> None:
    assert says in refused(store, text)


def test_applying_twice_changes_nothing_and_a_change_supersedes(store: Store) -> None:
    everything = LEASE + STORAGE + SETUP + COST
    assert [change.action for change in apply(store.home, everything)] == ["add"] * 4
    assert apply(store.home, everything) == ()
    changed = apply(store.home, everything.replace('"400"', '"450"').replace('"4000"', '"5000"') + "# later\n")
    assert [(change.kind, change.action) for change in changed] == [("add-on", "change"), ("cost", "change")]
    assert "400.00 CNY" in changed[0].detail
    assert "450.00 CNY" in changed[0].detail
    assert (AddOn.objects.count(), Cost.objects.count(), Lease.objects.count()) == (3, 2, 1)


def test_a_customer_that_only_leases_needs_no_binding(store: Store) -> None:
    bare = '[[customer]]\nid = "metal"\nname = "Metal Ltd"\n'
    apply(store.home, bare + LEASE.replace('"acme"', '"metal"'))
    assert apply(store.home, bare) == ()
    with pytest.raises(Refuse, match="'other' has no binding, lease or add-on"):
        apply(store.home, bare.replace("metal", "other"))


def test_a_lease_cannot_pass_to_another_customer(store: Store) -> None:
    apply(store.home, LEASE)
    other = BOOKS.replace('"acme"', '"beta"').replace("k8s:acme", "k8s:beta")
    with pytest.raises(Refuse, match="'acme-1' is acme's"):
        apply(store.home, other + LEASE.replace('"acme"', '"beta"'))


def test_leases_are_facts(store: Store) -> None:
    """The database itself refuses to change what was recorded."""
    apply(store.home, LEASE + STORAGE + COST)
    for table in (Lease, AddOn, Cost):
        with pytest.raises(IntegrityError, match="insert-only"), transaction.atomic():
            table.objects.all().update(recorded_at_ms=1)
        with pytest.raises(IntegrityError, match="insert-only"), transaction.atomic():
            table.objects.all().delete()
