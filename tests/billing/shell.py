"""A shell script whose ``cardhour`` commands run in this process, so that a page of them takes seconds.

Owns the way from the shell's words to an ``Installation`` and back. Everything else in the script is the shell's own:
variables, pipes, files.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import BinaryIO

from tests.billing.in_process import Done, Installation

PREAMBLE = """
set -euo pipefail
cardhour() {{
    printf '%s\\0' "$#" "$@" >&{asked}
    local code
    read -r code <&{answered}
    cat "{folder}/stdout"
    cat "{folder}/stderr" >&2
    return "$code"
}}
"""


def run_script(script: str, installation: Installation, folder: Path) -> Done:
    """Run it in the installation's folder; what passes between shell and commands is kept in ``folder``."""
    (asked, asks), (answered, answers) = os.pipe(), os.pipe()
    preamble = PREAMBLE.format(asked=asks, answered=answered, folder=folder)
    with (
        (folder / "printed").open("w+") as printed,
        (folder / "errors").open("w+") as errors,
        subprocess.Popen(
            ["bash", "-c", preamble + script], cwd=installation.folder, pass_fds=(asks, answered), stdout=printed,
            stderr=errors, stdin=subprocess.DEVNULL,
        ) as shell,
        os.fdopen(asked, "rb") as questions,  # closed before the shell is waited for, or it would wait for us
        os.fdopen(answers, "wb", buffering=0) as codes,
    ):  # fmt: skip
        os.close(asks)
        os.close(answered)
        while count := _word(questions):
            done = installation.run(*[_word(questions) for _ in range(int(count))])
            (folder / "stdout").write_text(done.stdout)
            (folder / "stderr").write_text(done.stderr)
            codes.write(f"{done.returncode}\n".encode())
    return Done(
        returncode=shell.returncode,
        stdout=(folder / "printed").read_text(),
        stderr=(folder / "errors").read_text(),
    )


def _word(questions: BinaryIO) -> str:
    """The next of the words, each of which ends with a zero byte; nothing where the shell has ended."""
    return b"".join(iter(lambda: questions.read(1).strip(b"\0"), b"")).decode()
