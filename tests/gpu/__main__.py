"""Run the checks and the questions. Exit code 1 where a promise does not hold, 2 where there is no GPU to check."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pynvml

from tests.gpu import questions
from tests.gpu.metered import HEADING, Agent, joined
from tests.gpu.tenants import Tenant, tenants

QUICK = "CARDHOUR_GPU_QUICK"
"""Set: the tenants alone, and no questions."""
COUNTS = (1, 10, 50)


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def check(home: Path, *, accounting: bool) -> list[str]:
    """Tenants that come, stay, leave, are killed and live on without a context, under the agent."""
    agent = Agent(home)
    say("cardhour-agent doctor:\n" + agent.command("doctor").stdout)
    agent.start()
    try:
        first = [Tenant("steady", 6.0, 0.4), Tenant("lingering", 2.0, 0.0, linger=4.0), Tenant("killed", 30.0, 0.9)]
        for each in first:
            each.until("ready")
        briefs = [Tenant(f"brief {at}", seconds) for at, seconds in enumerate((0.1, 0.4, 2.0))]
        for each in briefs:
            each.end()
        first[2].kill()
        for each in first[:2]:
            each.end()
        agent.wait_for_reports(1)
        reports = agent.stop()
    finally:
        agent.kill()
    found = [joined(each, reports) for each in (*first, *briefs)]
    say("\n".join([HEADING, *(metered.line() for metered in found)]))
    return [problem for metered in found for problem in metered.problems(accounting=accounting)]


@contextmanager
def mps(folder: Path) -> Iterator[str]:
    """An MPS daemon of our own, in a folder of our own; why there is none where it does not start."""
    control = shutil.which("nvidia-cuda-mps-control")
    if control is None:
        yield "there is no nvidia-cuda-mps-control"
        return
    environment = {"CUDA_MPS_PIPE_DIRECTORY": str(folder / "pipe"), "CUDA_MPS_LOG_DIRECTORY": str(folder / "log")}
    for each in environment.values():
        Path(each).mkdir()
    os.environ.update(environment)
    done = subprocess.run([control, "-d"], capture_output=True, text=True, timeout=30)
    try:
        yield done.stderr.strip() if done.returncode else ""
    finally:
        subprocess.run([control], input="quit\n", capture_output=True, text=True, timeout=60)
        for name in environment:
            del os.environ[name]


def under_mps(folder: Path, handle: object) -> None:
    with mps(folder) as refused:
        if refused:
            say(f"LACKING: MPS: {refused}")
            return
        with tenants(("client 1", 6.0, 0.4, 0.0), ("client 2", 6.0, 0.4, 0.0)) as started:
            time.sleep(3)
            say(f"MPS clients {[each.pid for each in started]}")
            for what in ("Compute", "MPSCompute"):
                call = getattr(pynvml, f"nvmlDeviceGet{what}RunningProcesses_v3")
                listed = questions.answer(call, handle)
                say(f"  {what} list: {listed if isinstance(listed, str) else [each.pid for each in listed]}")
            found = questions.samples(handle, 0)
            say(f"  utilisation: {[(each.pid, each.smUtil) for each in found]}")


def main() -> int:
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    except pynvml.NVMLError as error:
        print(f"no GPU to check: {error}", file=sys.stderr)
        return 2
    accounting = questions.settings(handle, say)
    with tempfile.TemporaryDirectory(prefix="cardhour-gpu-") as folder:
        home = Path(folder, "home")
        home.mkdir()
        problems = check(home, accounting=accounting)
        if not os.environ.get(QUICK):
            asked: dict[str, Callable[[], None]] = {
                "accounting": lambda: questions.accounted(handle, say) if accounting else None,
                "presence in the lists": lambda: questions.presence(handle, say),
                "windows of utilisation": lambda: questions.windows(handle, say),
                "sums of utilisation": lambda: questions.sums(handle, say),
                "costs of calls": lambda: questions.costs(handle, say, COUNTS),
                "MPS": lambda: under_mps(Path(folder), handle),
            }
            for name, question in asked.items():
                try:
                    question()
                except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                    say(f"LACKING: {name}: {error}")
    for each in problems:
        say(f"WRONG: {each}")
    say("what was metered is what the tenants' own clocks say" if not problems else f"{len(problems)} problems")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
