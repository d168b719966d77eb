"""The audit log is a chain: entries that race follow one another; who edits, removes or inserts one is found."""

from __future__ import annotations

import hashlib
import json

import pytest
from django.db import DatabaseError, transaction

from cardhour_billing.audit.chain import HEADS_FILE, Wanted, entries, export_head, read_heads, verify_chain
from cardhour_billing.audit.log import FIRST, audit, digest_of
from cardhour_billing.config import BillingConfig, BillingSettings, StoreSettings, WebSettings
from cardhour_billing.models import AuditLog
from cardhour_billing.scheduler import run_due
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import parse_rfc3339
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at
from tests.billing.conftest import Store
from tests.billing.in_process import Installation
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_numbering import together
from tests.billing.test_rendering import without_guards

CLOCK = clock_at("2026-02-10T00:00:00Z")
TABLE = "billing_auditlog"


@pytest.fixture
def log(store: Store) -> Store:
    """Nine entries."""
    for number in range(1, 10):
        audit(CLOCK, "alice" if number % 2 else "bob", "note.add", f"n{number}", {"b": [number, None], "a": "卡时"})
    return store


def broken() -> str:
    return verify_chain().broken


def test_each_entry_follows_the_one_before(log: Store) -> None:
    rows = list(AuditLog.objects.all())
    assert [row.position for row in rows] == list(range(1, 10))
    assert [row.previous for row in rows] == [FIRST, *(row.digest for row in rows[:-1])]
    assert (verify_chain().entries, broken()) == (9, "")
    assert verify_chain().head == rows[-1].digest


def test_the_digest_is_taken_over_canonical_json(log: Store) -> None:
    """Anyone can compute it with the standard library."""
    row = AuditLog.objects.get(position=1)
    content = {
        "action": "note.add", "at_ms": parse_rfc3339("2026-02-10T00:00:00Z"), "detail": {"a": "卡时", "b": [1, None]},
        "position": 1, "previous": "0" * 64, "subject": "n1", "who": "alice",
    }  # fmt: skip
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert row.digest == hashlib.sha256(text.encode()).hexdigest()


def test_an_entry_that_was_rolled_back_leaves_no_gap(log: Store) -> None:
    with pytest.raises(ValueError, match="crash"), transaction.atomic():
        audit(CLOCK, "alice", "note.add", "lost", {})
        raise ValueError("crash")
    audit(CLOCK, "alice", "note.add", "kept", {})
    assert AuditLog.objects.get(subject="kept").position == 10
    assert not broken()


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE billing_auditlog SET who = 'carol' WHERE position = 4", "entry 4 of the audit log: changed (note.add"),
        ("UPDATE billing_auditlog SET at_ms = at_ms + 1 WHERE position >= 7", "entry 7 of the audit log: changed ("),
        ("DELETE FROM billing_auditlog WHERE position = 5", "entry 5 of the audit log: removed"),
        ("DELETE FROM billing_auditlog WHERE position IN (5, 6)", "entries 5 to 6 of the audit log: removed"),
        ("DELETE FROM billing_auditlog WHERE position = 1", "entry 1 of the audit log: removed"),
    ],
)
def test_the_first_entry_that_was_tampered_with_is_named(log: Store, tampering: str, found: str) -> None:
    without_guards(tampering, TABLE)
    assert broken().startswith(found)


def test_an_entry_changed_together_with_its_digest_is_named(log: Store) -> None:
    row = AuditLog.objects.get(position=4)
    row.who = "carol"
    without_guards(f"UPDATE {TABLE} SET who = 'carol', digest = '{digest_of(row)}' WHERE position = 4", TABLE)
    assert broken() == "entry 4 of the audit log: changed, together with its digest"


def moved_back(position: int) -> None:
    """Renumber the entries from ``position`` on, so that it is free."""
    without_guards(f"UPDATE {TABLE} SET position = position + 100 WHERE position >= {position}", TABLE)
    without_guards(f"UPDATE {TABLE} SET position = position - 99 WHERE position >= 100", TABLE)


def test_an_inserted_entry_is_named_although_the_rest_was_renumbered(log: Store) -> None:
    moved_back(5)
    forged = AuditLog(
        position=5, at_ms=0, who="carol", action="note.add", subject="forged", detail={}, previous="e" * 64
    )
    forged.digest = digest_of(forged)
    forged.save(force_insert=True)
    assert broken() == "entry 5 of the audit log: inserted"


def test_a_removed_entry_is_named_although_the_rest_was_renumbered(log: Store) -> None:
    without_guards(f"DELETE FROM {TABLE} WHERE position = 4", TABLE)
    without_guards(f"UPDATE {TABLE} SET position = position + 100 WHERE position > 4", TABLE)
    without_guards(f"UPDATE {TABLE} SET position = position - 101 WHERE position > 100", TABLE)
    assert broken() == "entry 4 of the audit log: removed, and those after it renumbered"


def test_two_entries_cannot_follow_the_same_one(log: Store) -> None:
    last = AuditLog.objects.get(position=8)
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditLog.objects.create(
            position=10, at_ms=0, who="x", action="x", subject="x", detail={}, previous=last.digest, digest="x"
        )


def test_what_the_chain_cannot_tell_an_exported_head_does(log: Store) -> None:
    """Whoever rewrites the end of the log, digests and all, or cuts it off, still cannot rewrite yesterday's print."""
    head = export_head(log.home, CLOCK)
    assert (head.position, head.at) == (9, "2026-02-10T00:00:00Z")
    heads = read_heads(log.home / HEADS_FILE)
    assert heads == (head,)
    assert (verify_chain(heads).broken, verify_chain(heads).heads_checked) == ("", 1)
    without_guards(f"DELETE FROM {TABLE} WHERE position > 7", TABLE)
    assert not broken()
    assert verify_chain(heads).broken == (
        "entry 8 of the audit log: removed; the head exported at 2026-02-10T00:00:00Z was entry 9"
    )
    for subject in ("other", "others"):
        audit(CLOCK, "carol", "note.add", subject, {})
    assert not broken()
    assert "changed since its head was exported" in verify_chain(heads).broken


def test_a_heads_file_that_is_none_is_refused_with_its_line(log: Store) -> None:
    export_head(log.home, CLOCK)
    with (log.home / HEADS_FILE).open("a") as file:
        file.write("not a head\n")
    with pytest.raises(Refuse, match="line 2 is not a head"):
        read_heads(log.home / HEADS_FILE)


def test_the_scheduler_exports_the_head_once_a_day(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PRICE)
    config = BillingConfig(
        home=store.home, store=StoreSettings(url=store.url), web=WebSettings(), billing=BillingSettings()
    )
    for at in ("2026-02-10T00:10:00Z", "2026-02-10T23:50:00Z", "2026-02-11T00:05:00Z"):
        run_due(config, MemoryLedger(), clock_at(at))
    assert [head.at for head in read_heads(store.home / HEADS_FILE)] == ["2026-02-10T00:10:00Z", "2026-02-11T00:05:00Z"]


def test_entries_are_found_by_who_action_subject_and_time(log: Store) -> None:
    audit(clock_at("2026-03-01T00:00:00Z"), "bob", "payment.record", "acme", {})
    assert [entry.position for entry in entries(Wanted(who="bob", action="note"))] == [2, 4, 6, 8]
    assert [entry.subject for entry in entries(Wanted(subject="n3"))] == ["n3"]
    assert [entry.action for entry in entries(Wanted(from_ms=parse_rfc3339("2026-03-01T00:00:00Z")))] == [
        "payment.record"
    ]
    assert entries(Wanted(to_ms=parse_rfc3339("2026-03-01T00:00:00Z"))).count() == 9


def test_entries_that_race_follow_one_another(store: Store) -> None:
    together(store, *(["tests.billing.auditor_process", name, "40"] for name in "abc"))
    rows = list(AuditLog.objects.all())
    assert 60 < len(rows) < 120  # some of each process were rolled back
    assert {row.who for row in rows} == set("abc")
    assert not broken()


def test_the_log_at_the_command_line(installation: Installation) -> None:
    (installation.folder / "catalog.toml").write_text(ISSUER + ACME + PRICE)
    assert installation.run("catalog", "apply", "catalog.toml", "--yes").returncode == 0
    listed = json.loads(installation.run("audit", "list", "--action", "catalog", "--format", "json").stdout)
    assert [each["position"] for each in listed] == list(range(1, len(listed) + 1))
    assert installation.run("audit", "export").returncode == 0
    whole = installation.run("audit", "verify")
    assert whole.returncode == 0, whole.stderr
    assert "1 exported heads agree" in whole.stderr
