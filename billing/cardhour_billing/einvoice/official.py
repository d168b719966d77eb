"""The official rules from outside: starts the validator's process and speaks to it.

Owns the process: a fresh interpreter, never a fork. Does not own the rules (``validator``). Where it cannot check, it
raises; it never calls an unchecked document good.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from cardhour_billing.einvoice.arithmetic import own_findings
from cardhour_billing.einvoice.finding import Answer, Finding, Request
from cardhour_contract.errors import InvariantBroken

Checked = tuple[str, list[Finding]]


def check(documents: Iterable[tuple[str, bytes]]) -> Iterator[Checked]:
    """Official and own findings for each (name, XML), in order, by one process for all.

    Raises InvariantBroken where the rules could not be run.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "cardhour_billing.einvoice.validator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        for name, xml in documents:
            official = _asked(process, Request(name=name, xml=xml))
            # A document that is no XML has no figures either.
            yield name, official if any(each.rule == "XML" for each in official) else [*official, *own_findings(xml)]
    finally:
        _end(process)


def _asked(process: subprocess.Popen[bytes], request: Request) -> list[Finding]:
    line = b""
    if process.stdin and process.stdout:
        with suppress(BrokenPipeError):  # it has died: what it said is read below
            process.stdin.write(msgspec.json.encode(request) + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
    if not line:
        said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
        raise InvariantBroken(
            f"{request.name} could not be checked against EN 16931: {said or 'the check ended early'}"
        )
    answer = msgspec.json.decode(line, type=Answer)
    if answer.name != request.name:
        raise InvariantBroken(f"the check answered for {answer.name} and not for {request.name}")
    return answer.findings


def _end(process: subprocess.Popen[bytes]) -> None:
    with process:  # closes its pipes and waits
        if process.stdin:
            with suppress(BrokenPipeError):
                process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
