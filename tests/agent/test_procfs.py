"""Who a pid is, asked of this machine's own /proc; and what cannot be asked."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cardhour_agent import descriptors
from cardhour_agent.exits import Exits
from cardhour_agent.ntp import ntp_synced
from cardhour_agent.proc_identities import LOOKED_MS, ProcIdentities
from cardhour_agent.procfs import boot_id, look_at, read_process
from cardhour_agent.resolve.asker import Asker
from cardhour_agent.resolve.owners import Owners
from cardhour_agent.resolve.place import Container, User
from cardhour_agent.resolve.users import UserResolver
from cardhour_contract.clock import SystemClock, VirtualClock
from cardhour_contract.errors import Refuse
from cardhour_contract.identity import process_key, unnamed_workload

CONTAINER = "3f" * 32


@pytest.fixture
def exits() -> Iterator[Exits]:
    watched = Exits(SystemClock())
    yield watched
    watched.close()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until it is told to end."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def identities(exits: Exits, proc: Path = Path("/proc"), system: tuple[str, ...] = ()) -> ProcIdentities:
    """Users are asked for, and nobody else."""
    clock = SystemClock()
    owners = Owners({"user": Asker(UserResolver(), clock, 60_000)}, clock)
    return ProcIdentities("node-1", boot_id(), clock, exits, owners, system, proc)


def end(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGKILL)
    child.wait()


def write_process(proc: Path, pid: int, *, command: str = "python", ticks: int = 77, cgroup: str = "/") -> None:
    """A process as the kernel writes it."""
    folder = proc / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("stat").write_text(f"{pid} ({command}) S 1 " + " ".join(["0"] * 17) + f" {ticks} 0 0\n")
    folder.joinpath("status").write_text("Name:\tx\nUid:\t4000000\t4000000\t4000000\t4000000\n")
    folder.joinpath("comm").write_text(command + "\n")
    folder.joinpath("cgroup").write_text(f"0::{cgroup}\n")


def test_a_real_process_is_named_by_its_user_and_start(exits: Exits, child: subprocess.Popen[bytes]) -> None:
    answer = identities(exits).identify(child.pid)
    assert answer.owner == f"user:{pwd.getpwuid(os.getuid()).pw_name}"
    assert answer.process.uid == os.getuid()
    assert answer.process.command == Path(sys.executable).name[:15]
    assert answer.process.start_ticks > 0
    assert answer.key == process_key("node-1", boot_id(), child.pid, answer.process.start_ticks)
    assert answer.workload == unnamed_workload(answer.key)
    assert answer.process.start_ticks >= read_process(os.getpid()).start_ticks


def test_a_process_that_is_gone_before_it_was_ever_seen_is_unknown(
    exits: Exits, child: subprocess.Popen[bytes]
) -> None:
    end(child)
    answer = identities(exits).identify(child.pid)
    assert answer.owner == "unknown:exited"
    assert answer.process.start_ticks == 0


def test_a_process_that_ends_while_the_driver_still_lists_it_keeps_its_answer(
    exits: Exits, child: subprocess.Popen[bytes]
) -> None:
    asked = identities(exits)
    before = asked.identify(child.pid)
    asked.sampled()
    end(child)
    assert asked.identify(child.pid) is before


def test_an_exit_is_noted_once_with_its_time(exits: Exits, child: subprocess.Popen[bytes]) -> None:
    clock = SystemClock()
    asked = identities(exits)
    answer = asked.identify(child.pid)
    asked.sampled()
    earliest_ms = clock.monotonic_ms()
    child.kill()
    while not (ended := asked.exits()):
        exits.wait(50)
    assert list(ended) == [answer.key]
    assert earliest_ms <= ended[answer.key] <= clock.monotonic_ms()
    assert asked.exits() == {}


def test_a_wait_is_ended_from_another_thread_or_a_signal_handler(exits: Exits) -> None:
    clock = SystemClock()
    exits.wake()
    before_ms = clock.monotonic_ms()
    exits.wait(600_000)
    assert clock.monotonic_ms() - before_ms < 60_000


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another process that lives as long as the test."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_pid_that_is_used_again_is_another_process(
    exits: Exits, tmp_path: Path, child: subprocess.Popen[bytes], other: subprocess.Popen[bytes]
) -> None:
    """One name in /proc, first of one real process, then of another that is like it in everything but its start."""
    asked = identities(exits, tmp_path)
    (tmp_path / "5").symlink_to(f"/proc/{child.pid}")
    for process in (child, other):
        (tmp_path / "5").unlink(missing_ok=True)
        (tmp_path / "5").symlink_to(f"/proc/{process.pid}")
        start_ticks = read_process(process.pid).start_ticks
        assert asked.identify(5).key == process_key("node-1", boot_id(), 5, start_ticks)
        asked.sampled()
        end(process)
    asked.close()


def test_what_is_kept_open_of_a_process_is_never_anothers(
    tmp_path: Path, child: subprocess.Popen[bytes], other: subprocess.Popen[bytes]
) -> None:
    (tmp_path / "5").symlink_to(f"/proc/{child.pid}")
    _, glimpse = look_at(5, tmp_path)
    (tmp_path / "5").unlink()
    (tmp_path / "5").symlink_to(f"/proc/{other.pid}")
    assert glimpse.is_unchanged(), "the first one goes on, whatever its name leads to"
    end(child)
    with pytest.raises(ProcessLookupError):
        glimpse.is_unchanged()
    glimpse.close()


def test_an_exec_is_seen_at_the_next_sample(exits: Exits) -> None:
    with subprocess.Popen(["sh", "-c", "read go; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        asked = identities(exits)
        before = asked.identify(process.pid)
        asked.sampled()
        process.stdin.write(b"go\nthere\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"there\n"
        after = asked.identify(process.pid)
        asked.close()
        process.kill()
    assert (before.process.command, after.process.command) == ("sh", "cat")
    assert after.key == before.key, "it is the same process"


def test_nothing_stays_open_of_those_who_are_gone_or_beyond_the_limit(
    exits: Exits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptors, "PROCESSES_MAX", 2)
    asked = identities(exits, tmp_path)
    pids = (4_999_997, 4_999_998, 4_999_999)

    def open_of() -> list[str]:
        """Whose files are open, by the folder that they are in."""
        found = []
        for each in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile, by another thread
                found.append(each.readlink())
        return sorted(link.parent.name for link in found if link.is_relative_to(tmp_path))

    for pid in pids:
        write_process(tmp_path, pid, ticks=pid)
    for _ in range(2):
        assert [asked.identify(pid).process.start_ticks for pid in pids] == list(pids)
        asked.sampled()
        assert open_of() == ["4999997", "4999997", "4999998", "4999998"]
    asked.identify(4_999_998)
    asked.sampled()
    assert open_of() == ["4999998", "4999998"]
    asked.close()
    assert open_of() == []


def test_a_change_of_command_or_group_is_seen_at_once_and_one_of_the_user_alone_within_a_minute(
    exits: Exits, tmp_path: Path
) -> None:
    clock = VirtualClock(0)
    asked = ProcIdentities("node-1", boot_id(), clock, exits, Owners({}, clock), (), tmp_path)

    def seen() -> tuple[str, str, int | None]:
        found = asked.identify(5).process
        asked.sampled()
        return found.command, found.cgroup, found.uid

    write_process(tmp_path, 5)
    assert seen() == ("python", "/", 4_000_000)
    write_process(tmp_path, 5, command="train")
    assert seen() == ("train", "/", 4_000_000)
    write_process(tmp_path, 5, command="train", cgroup="/job")
    assert seen() == ("train", "/job", 4_000_000)
    (tmp_path / "5" / "status").write_text("Uid:\t7\t7\t7\t7\n")
    assert seen()[2] == 4_000_000
    clock.sleep_ms(LOOKED_MS)
    assert seen() == ("train", "/job", 7)


def test_a_command_with_parentheses_and_spaces_does_not_shift_the_fields(tmp_path: Path) -> None:
    write_process(tmp_path, 5, command="a (b) c) S 1", ticks=4242)
    facts = read_process(5, tmp_path)
    assert (facts.start_ticks, facts.command) == (4242, "a (b) c) S 1")


def test_system_commands_are_nobodys(exits: Exits, tmp_path: Path) -> None:
    write_process(tmp_path, 5, command="nvidia-cuda-mps")  # the kernel cuts names to 15 bytes
    answer = identities(exits, tmp_path, ("nvidia-cuda-mps-server",)).identify(5)
    assert answer.owner == "system:nvidia-cuda-mps-server"


def test_a_tenants_process_named_like_the_system_is_the_tenants(exits: Exits, tmp_path: Path) -> None:
    write_process(tmp_path, 5, command="Xorg", cgroup=f"/docker/{CONTAINER}")
    assert identities(exits, tmp_path, ("Xorg",)).identify(5).owner == "unknown:docker_off"


def test_in_a_container_the_uid_is_no_user_of_the_node(exits: Exits, tmp_path: Path) -> None:
    write_process(tmp_path, 5, cgroup=f"/docker/{CONTAINER}")
    assert read_process(5, tmp_path).places == (Container(runtime="docker", container_id=CONTAINER),)
    write_process(tmp_path, 6, cgroup="/system.slice/ollama.service")
    assert read_process(6, tmp_path).places == (User(uid=4_000_000),)


def test_a_login_stays_who_it_is_after_su(exits: Exits, tmp_path: Path) -> None:
    write_process(tmp_path, 5, cgroup="/user.slice/user-4000001.slice/session-3.scope")
    assert identities(exits, tmp_path).identify(5).owner == "user:4000001"


@pytest.mark.parametrize(
    "path",
    [
        f"/docker/{CONTAINER}",
        f"/system.slice/docker-{CONTAINER}.scope",
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-{CONTAINER}.scope",
        f"/kubepods/besteffort/pod0f5e/{CONTAINER}",
        f"/docker/{'00' * 32}/kubelet/kubepods/pod1/{CONTAINER}",
    ],
)
def test_the_innermost_container_is_told_from_the_cgroup(tmp_path: Path, path: str) -> None:
    write_process(tmp_path, 5, cgroup=path)
    facts = read_process(5, tmp_path)
    assert (facts.container_id, facts.cgroup) == (CONTAINER, path)


def test_no_container_is_made_up(tmp_path: Path) -> None:
    write_process(tmp_path, 5, cgroup="/user.slice/user-1000.slice/session-3.scope")
    assert read_process(5, tmp_path).container_id == ""


def test_a_host_without_proc_is_refused_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(Refuse, match="mount the host's /proc"):
        boot_id(tmp_path)


def test_the_boot_has_a_name() -> None:
    assert len(boot_id()) == 36


def test_the_kernel_says_whether_its_clock_is_synchronised_or_nothing() -> None:
    assert ntp_synced() in (True, False, None)
