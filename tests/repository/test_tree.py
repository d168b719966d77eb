"""What holds of every tracked file: nothing of the machine it was written on, nothing too long to read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.repository.tree import ROOT, sources, texts

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 300
"""Past these a reader scrolls back for what a name meant."""

HOSTS = {
    "127.0.0.1", "localhost", "::1", "0.0.0.0",
    "kafka", "clickhouse", "postgres", "web",  # services of docker-compose.yml
    "host",  # in a form such as postgresql://user@host:port/name
    "www.w3.org", "maven.apache.org", "purl.oclc.org",  # names of XML namespaces, never fetched
    "keepachangelog.com", "semver.org",  # what the changelog follows
    "kubernetes.default.svc",  # the API server, from within a cluster
}  # fmt: skip
"""Every host a tracked file may name. Pages, fonts and scripts are served by CardHour itself, packages come from
whatever registry the reader's machine is set up for: so nothing else belongs here, save a link worth following."""

_URL = re.compile(r"\b(?:https?|postgres(?:ql)?|clickhouse)://(?:[^\s/@\"'`<>]*@)?(\[[^\]]+\]|[\w.-]+)")
_HOME = re.compile(r"(?<![\w$}.~/])/(?:home|Users)/[a-z_][\w-]*/")


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    mine = {f"{path}/" for path in (ROOT, ROOT.parent) if len(path.parts) > 1}
    leaks = [f"{path}: {each}" for path, text in texts() for each in mine if each in text]
    leaks += [f"{path}: {found[0]}" for path, text in texts() for found in _HOME.finditer(text)]
    assert not leaks


def test_no_file_names_a_host_that_it_has_no_reason_to() -> None:
    strangers = [
        f"{path}: {found[1]}"
        for path, text in texts()
        for found in _URL.finditer(text)
        if not _reserved(found[1].strip("[]"))
    ]
    assert not strangers


def _reserved(host: str) -> bool:
    """On the list above, or kept free for examples by RFC 2606 and RFC 6761."""
    return host in HOSTS or host.endswith((".example", ".test", ".invalid", "example.com", "example.org"))


def test_every_file_and_its_functions_fit_in_a_readers_head() -> None:
    found = {}
    for path, text in sources():
        lines = len(text.splitlines())
        if lines > FILE_LINES_MAX:
            found[str(path)] = lines
        if lines > FUNCTION_LINES_MAX:  # no function is longer than its file, and parsing takes time
            found |= {f"{path}: {name}": length for name, length in _long_functions(text)}
    assert not found


def _long_functions(text: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield node.name, lines
