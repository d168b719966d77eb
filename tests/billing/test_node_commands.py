"""``cardhour node``: whose key is whose, decided by staff, audited, and never taken back."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from cardhour_contract.signing import SigningKey
from tests.billing.test_commands import cardhour

OLD, NEW = (str(SigningKey(bytes([number]) * 32).public) for number in (1, 2))
OLD_ID, NEW_ID = (SigningKey(bytes([number]) * 32).public.key_id for number in (1, 2))


def states(home: Path) -> dict[str, str]:
    done = cardhour(home, "node", "list", "--format", "json")
    assert done.returncode == 0, done.stderr
    return {row["key_id"]: row["state"] for row in json.loads(done.stdout)}


def test_a_key_is_enrolled_rotated_and_revoked(tmp_path: Path) -> None:
    wrong = cardhour(tmp_path, "node", "enrol", "n01", "ed25519:typo")
    assert (wrong.returncode, "key show" in wrong.stderr) == (2, True)
    enrolled = cardhour(tmp_path, "node", "enrol", "n01", OLD)
    assert enrolled.returncode == 0, enrolled.stderr
    assert OLD_ID in enrolled.stderr
    assert cardhour(tmp_path, "node", "rotate", "n01", NEW, "--overlap-hours", "1").returncode == 0
    assert states(tmp_path) == {OLD_ID: "ending", NEW_ID: "good"}

    revoke = ("node", "revoke", "n01", "--reason", "the disk was sold")
    declined = cardhour(tmp_path, *revoke, answer="n\n")
    assert (declined.returncode, "for good?" in declined.stderr) == (1, True)
    assert states(tmp_path) == {OLD_ID: "ending", NEW_ID: "good"}
    assert cardhour(tmp_path, *revoke, "--yes").returncode == 0
    assert states(tmp_path) == {OLD_ID: "revoked", NEW_ID: "revoked"}
    again = cardhour(tmp_path, *revoke, "--yes")
    assert again.returncode == 0
    with sqlite3.connect(tmp_path / "home" / "billing.db") as books:
        audited = books.execute("SELECT action, subject, detail FROM billing_auditlog ORDER BY position").fetchall()
    books.close()
    assert [(action, subject) for action, subject, _ in audited][:3] == [
        ("node enrol", "n01"),
        ("node rotate", "n01"),
        ("node revoke", "n01"),
    ]
    assert OLD in audited[0][2]
    assert "the disk was sold" in audited[2][2]
