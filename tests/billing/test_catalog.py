"""The catalog as code: what is refused, with the line; what applying twice does; what supersedes what."""

from __future__ import annotations

import pytest

from cardhour_billing.models import AuditLog, Binding, Customer, Price, Project
from cardhour_billing.models.bitemporal import NOT_SUPERSEDED
from cardhour_contract.errors import Refuse
from tests.billing.books import ACME, ISSUER, PRICE, apply, close
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger

MINIMAL = ISSUER + ACME + PRICE


def line_of(text: str, nth: int, header: str) -> int:
    """Line number of the nth ``header`` in ``text``."""
    return [number for number, line in enumerate(text.splitlines(), start=1) if line == header][nth]


def refusal(store: Store, text: str) -> tuple[str, ...]:
    with pytest.raises(Refuse) as refused:
        apply(store.home, text)
    return refused.value.problems


def test_the_minimal_catalog_applies_with_the_issuers_currency_and_zone(store: Store) -> None:
    assert [(change.kind, change.action) for change in apply(store.home, MINIMAL)] == [
        ("issuer", "add"),
        ("customer", "add"),
        ("binding", "add"),
        ("price", "add"),
    ]
    acme = Customer.objects.get(key="acme")
    assert (acme.currency, acme.timezone, acme.terms_days) == ("USD", "UTC", 30)
    assert Price.objects.get().unit_nano == 1_616_532_000


def test_applying_twice_changes_nothing(store: Store) -> None:
    apply(store.home, MINIMAL)
    entries = AuditLog.objects.count()
    assert apply(store.home, MINIMAL) == ()
    assert (Binding.objects.count(), Price.objects.count(), AuditLog.objects.count()) == (1, 1, entries)


def test_what_a_file_does_not_name_stays(store: Store) -> None:
    apply(store.home, MINIMAL)
    (change,) = apply(store.home, PRICE.replace("T4", "A100"))
    assert (change.kind, change.subject) == ("price", "A100")
    assert Price.objects.count() == 2
    assert Binding.objects.count() == 1


def test_a_customer_without_bindings_is_refused_with_its_line(store: Store) -> None:
    text = MINIMAL + '[[customer]]\nid = "lonely"\nname = "Lonely Ltd"\n'
    (problem,) = refusal(store, text)
    assert f"catalog.toml:{line_of(text, 1, '[[customer]]')}:" in problem
    assert "no binding" in problem
    assert not Customer.objects.exists()


def test_a_binding_to_an_unknown_customer_is_refused_with_its_line(store: Store) -> None:
    text = MINIMAL + '[[binding]]\nowner = "k8s:x"\ncustomer = "nobody"\nfrom = 2026-01-01T00:00:00Z\n'
    (problem,) = refusal(store, text)
    assert f"catalog.toml:{line_of(text, 1, '[[binding]]')}:" in problem
    assert "'nobody'" in problem


def test_every_problem_is_reported_together(store: Store) -> None:
    text = (
        ISSUER.replace("UTC", "Mars/Olympus")
        + '[[customer]]\nid = "acme corp"\nname = "Acme"\ncolour = "red"\n'
        + '[[binding]]\nowner = "a*b"\ncustomer = "acme"\nfrom = 2026-01-01T00:00:00\n'
        + '[[price]]\nmodel = "T4"\nper = "card-hour"\namount = 1.5\nfrom = 2026-01-01T00:00:00Z\n'
        + '[[price]]\nmodel = "T4"\nper = "card-hour"\namount = "1.5"\nfrom = 2026-01-01T00:07:00Z\n'
        + "[[discount]]\npercent = 5\n"
    )
    problems = "\n".join(refusal(store, text))
    for expected in ("Mars/Olympus", "colour", "a*b", "no offset", "in quotes", "quarter hour", "[discount]"):
        assert expected in problems
    assert problems.count("catalog.toml:") >= 7


@pytest.mark.parametrize("second", ["2026-06-01T00:00:00Z", "2025-01-01T00:00:00Z"])
def test_overlapping_bindings_are_refused_with_the_line(store: Store, second: str) -> None:
    text = MINIMAL + f'[[binding]]\nowner = "k8s:acme"\ncustomer = "acme"\nfrom = {second}\n'
    (problem,) = refusal(store, text)
    assert f"catalog.toml:{line_of(text, 1, '[[binding]]')}:" in problem
    assert "bound twice" in problem


def test_a_more_specific_binding_is_no_overlap(store: Store) -> None:
    on_node = '[[binding]]\nowner = "k8s:acme"\ncustomer = "acme"\nproject = "lab"\nnode = "n7"\n'
    apply(store.home, MINIMAL + on_node + "from = 2026-01-01T00:00:00Z\n")
    assert Project.objects.get().key == "lab"


def test_overlapping_prices_are_refused_with_the_line(store: Store) -> None:
    text = MINIMAL + PRICE.replace("2026-01-01", "2026-06-01")
    (problem,) = refusal(store, text)
    assert f"catalog.toml:{line_of(text, 1, '[[price]]')}:" in problem
    assert "two prices" in problem


def test_a_price_that_overlaps_one_in_force_says_which(store: Store) -> None:
    apply(store.home, MINIMAL)
    (problem,) = refusal(store, PRICE.replace("2026-01-01", "2026-06-01"))
    assert "in force from 2026-01-01T00:00:00Z" in problem


def test_ending_a_price_supersedes_it_and_keeps_the_old_row(store: Store) -> None:
    apply(store.home, MINIMAL)
    ended = PRICE + "to = 2026-06-01T00:00:00Z\n" + PRICE.replace("2026-01-01", "2026-06-01").replace("1.616532", "2")
    apply(store.home, ended)
    old, superseding, new = Price.objects.order_by("id")
    assert (old.valid_to_ms, superseding.supersedes_id) == (None, old.pk)
    assert list(Price.objects.filter(NOT_SUPERSEDED).order_by("id")) == [superseding, new]


def test_a_price_used_by_an_issued_invoice_cannot_be_edited(store: Store) -> None:
    apply(store.home, MINIMAL)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z")
    close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=True)
    text = MINIMAL.replace("1.616532", "1.7")
    (problem,) = refusal(store, text)
    assert f"catalog.toml:{line_of(text, 0, '[[price]]')}:" in problem
    assert "EC-2026-0001" in problem
    assert "to = 2026-02-01T00:00:00Z" in problem
    (problem,) = refusal(store, PRICE + "to = 2026-01-20T00:00:00Z\n")
    assert "EC-2026-0001" in problem


def test_a_used_price_can_end_after_what_was_billed_and_stays_used(store: Store) -> None:
    apply(store.home, MINIMAL)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z")
    close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=True)
    ended = PRICE + "to = 2026-02-01T00:00:00Z\n"
    apply(store.home, ended + PRICE.replace("2026-01-01", "2026-02-01").replace("1.616532", "2"))
    assert "EC-2026-0001" in refusal(store, ended.replace("1.616532", "1.7"))[0]


def test_a_draft_does_not_pin_its_price(store: Store) -> None:
    apply(store.home, MINIMAL)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z")
    close(ledger, "2026-01", "2026-02-10T00:00:00Z")
    apply(store.home, MINIMAL.replace("1.616532", "1.7"))
    (invoice,) = close(ledger, "2026-01", "2026-02-10T00:00:00Z").invoices
    assert invoice.document.lines[0].unit_price == "1.70"


def test_the_zone_of_a_customer_with_issued_months_cannot_change(store: Store) -> None:
    apply(store.home, MINIMAL)
    moved = ACME.replace('name = "Acme Ltd"', 'name = "Acme Ltd"\ntimezone = "Asia/Shanghai"')
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z")
    close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=True)
    assert "time zone" in refusal(store, moved)[0]


def test_a_catalog_that_is_no_toml_says_where(store: Store) -> None:
    (problem,) = refusal(store, ISSUER + "[[customer]\n")
    assert "line 7" in problem


def test_lines_are_not_guessed_where_text_only_looks_like_a_header(store: Store) -> None:
    text = ISSUER + 'address = """\n[[price]]\n"""\n' + ACME + PRICE.replace("card-hour", "hour")
    (problem,) = refusal(store, text)
    assert "catalog.toml: [price]" in problem


def test_a_new_installation_must_name_its_issuer(store: Store) -> None:
    assert any("[issuer] is missing" in problem for problem in refusal(store, ACME + PRICE))
