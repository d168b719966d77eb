"""``cardhour node``: whose key is whose, decided by staff, audited, and never taken back."""

from __future__ import annotations

import sqlite3

from cardhour_contract.signing import SigningKey
from tests.billing.in_process import Installation

OLD, NEW = (str(SigningKey(bytes([number]) * 32).public) for number in (1, 2))
OLD_ID, NEW_ID = (SigningKey(bytes([number]) * 32).public.key_id for number in (1, 2))


def states(home: Installation) -> dict[str, str]:
    return {row["key_id"]: row["state"] for row in home.rows("node", "list")}


def test_a_key_is_enrolled_rotated_and_revoked(installation: Installation) -> None:
    wrong = installation.run("node", "enrol", "n01", "ed25519:typo")
    assert (wrong.returncode, "key show" in wrong.stderr) == (2, True)
    enrolled = installation.run("node", "enrol", "n01", OLD)
    assert enrolled.returncode == 0, enrolled.stderr
    assert OLD_ID in enrolled.stderr
    assert installation.run("node", "rotate", "n01", NEW, "--overlap-hours", "1").returncode == 0
    assert states(installation) == {OLD_ID: "ending", NEW_ID: "good"}

    revoke = ("node", "revoke", "n01", "--reason", "the disk was sold")
    declined = installation.run(*revoke, answer="n\n")
    assert (declined.returncode, "for good?" in declined.stderr) == (1, True)
    assert states(installation) == {OLD_ID: "ending", NEW_ID: "good"}
    assert installation.run(*revoke, "--yes").returncode == 0
    assert states(installation) == {OLD_ID: "revoked", NEW_ID: "revoked"}
    again = installation.run(*revoke, "--yes")
    assert again.returncode == 0
    with sqlite3.connect(installation.home / "billing.db") as books:
        audited = books.execute("SELECT action, subject, detail FROM billing_auditlog ORDER BY position").fetchall()
    books.close()
    assert [(action, subject) for action, subject, _ in audited][:3] == [
        ("node enrol", "n01"),
        ("node rotate", "n01"),
        ("node revoke", "n01"),
    ]
    assert OLD in audited[0][2]
    assert "the disk was sold" in audited[2][2]
