"""Slurm, asked through an executable that answers as scontrol does; users and virtual machines."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Literal

import pytest

from cardhour_agent.resolve import slurm
from cardhour_agent.resolve.answer import Answer, NoAnswer
from cardhour_agent.resolve.place import Container, Job, Machine, User
from cardhour_agent.resolve.slurm import SlurmResolver
from cardhour_agent.resolve.users import MachineResolver, UserResolver
from tests.services.waiting import wait_until

SLUID = "s5K1KKYAYG5D00"

ANSWERS = """#!/bin/sh
[ "$1 $2 $4" = "show job --json" ] || exit 64
if [ -e "{folder}/$3.json" ]; then cat "{folder}/$3.json"; exit 0; fi
echo "slurm_load_jobs error: Invalid job id specified" >&2
exit 1
"""


def write_job(folder: Path, name: str, **job: object) -> None:
    """As ``scontrol show job --json`` writes one."""
    whole = {"job_id": 3385, "account": "physics", "user_name": "alice", "user_id": 1000, "state": ["RUNNING"], **job}
    folder.joinpath(f"{name}.json").write_text(json.dumps({"jobs": [whole], "last_backfill": {}, "errors": []}))


def scontrol(folder: Path, script: str = ANSWERS, owner: Literal["account", "user"] = "account") -> SlurmResolver:
    path = folder / "scontrol"
    path.write_text(script.replace("{folder}", str(folder)))
    path.chmod(0o755)
    return SlurmResolver(path, owner)


def test_a_job_works_for_its_account(tmp_path: Path) -> None:
    write_job(tmp_path, "3385")
    assert scontrol(tmp_path).find(Job(name="3385")) == Answer(owner="slurm:physics", workload="3385")


def test_or_for_its_user_where_settings_say_so(tmp_path: Path) -> None:
    write_job(tmp_path, "3385")
    answer = scontrol(tmp_path, owner="user").find(Job(name="3385"))
    assert answer == Answer(owner="slurm:alice", workload="3385")


def test_a_job_known_by_its_sluid_is_the_same_workload(tmp_path: Path) -> None:
    write_job(tmp_path, SLUID)
    assert scontrol(tmp_path).find(Job(name=SLUID)) == Answer(owner="slurm:physics", workload="3385")


def test_a_job_that_the_controller_does_not_know_is_not_found(tmp_path: Path) -> None:
    assert scontrol(tmp_path).find(Job(name="99")) is None
    assert scontrol(tmp_path).find(User(uid=0)) is None


def test_an_answer_about_another_job_is_not_taken(tmp_path: Path) -> None:
    write_job(tmp_path, "99", job_id=98)
    assert scontrol(tmp_path).find(Job(name="99")) is None


def test_a_job_without_an_account_is_nobodys(tmp_path: Path) -> None:
    write_job(tmp_path, "3385", account="")
    answer = scontrol(tmp_path).find(Job(name="3385"))
    assert answer is not None
    assert answer.owner == "unknown:slurm_bad_name"


def reason_of(resolver: SlurmResolver) -> str:
    with pytest.raises(NoAnswer) as raised:
        resolver.find(Job(name="3385"))
    return raised.value.reason


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/bin/sh\necho 'Unable to contact slurm controller (connect failure)' >&2; exit 1\n", "bad_answer"),
        ("#!/bin/sh\necho 'JobId=3385 JobName=x'\n", "bad_answer"),
        ("#!/none/such\n", "unreachable"),
    ],
)
def test_an_scontrol_that_fails_gives_no_answer(tmp_path: Path, script: str, reason: str) -> None:
    assert reason_of(scontrol(tmp_path, script)) == reason


def test_a_node_without_scontrol_gives_no_answer(tmp_path: Path) -> None:
    assert reason_of(SlurmResolver(tmp_path / "none")) == "unreachable"


def test_an_scontrol_that_hangs_is_ended_with_all_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "TIMEOUT_S", 0.3)
    (tmp_path / "held").touch()
    os.mkfifo(tmp_path / "alive")
    resolver = scontrol(tmp_path, "#!/bin/sh\n(exec 9<>{folder}/alive; exec sleep 600) &\nwait\n")
    assert reason_of(resolver) == "timeout"
    # Told to end, they end when the machine lets them.
    wait_until(lambda: not any(_leads_to(each, tmp_path / "alive") for each in Path("/proc").glob("[0-9]*/fd/9")))


def _leads_to(descriptor: Path, path: Path) -> bool:
    try:
        return descriptor.readlink() == path
    except OSError:
        return False


def test_an_answer_beyond_the_limit_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "BYTES_MAX", 100)
    write_job(tmp_path, "3385", comment="x" * 1000)
    assert reason_of(scontrol(tmp_path)) == "bad_answer"


def test_a_user_is_named_by_the_user_database() -> None:
    uid = os.getuid()
    assert UserResolver().find(User(uid=uid)) == Answer(owner=f"user:{pwd.getpwuid(uid).pw_name}")


def test_a_user_without_an_account_is_a_number() -> None:
    assert UserResolver().find(User(uid=4_000_000)) == Answer(owner="user:4000000")


def test_a_rootless_container_is_its_users_whatever_its_labels_say() -> None:
    place = Container(runtime="podman", container_id="3f" * 32, uid=4_000_000)
    assert UserResolver().find(place) == Answer(owner="user:4000000", workload="podman:3f3f3f3f3f3f")
    assert UserResolver().find(Job(name="1")) is None


def test_a_virtual_machine_is_its_own_owner() -> None:
    answer = MachineResolver().find(Machine(instance="instance-0000002a"))
    assert answer == Answer(owner="libvirt:instance-0000002a", workload="instance-0000002a")
    assert MachineResolver().find(User(uid=0)) is None
