r"""Allow-lists of regular expressions by method: ``-allowGET=/v1\..{1,2}/containers/.*``.

An expression must match the whole path. It is tried on the path of every
operation, under several versions and with several names; one that fits some
names only cannot be carried over as it is. It reads command lines, compose
files, environment variables and labels.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Final

from authz.docker.routes import Operation, load_operations
from authz.tools.drafts.rows import Draft
from authz.tools.importers.grants import Grant, Imported, lines_of

ROLE: Final = "role:socket-proxy"
LONGEST: Final = 1000
"""Characters of an expression that are looked at."""

VERSIONS: Final = ("", "/v1.24", "/v1.41", "/v1.47", "/v1.51")
NAMES: Final = ("web", "0123456789ab", "ab" * 32, "a_b-c.d")
"""What stands for a name in a path."""

_FLAG = re.compile(
    r"""(?P<quote>["'])-allow(?P<quoted>[A-Z]+)=(?P<whole>.*?)(?P=quote)"""
    r"""|-allow(?P<method>[A-Z]+)=(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<plain>\S*))"""
)
_VARIABLE = re.compile(
    r"(?:SP_ALLOW_([A-Z]+)|socket-proxy\.allow\.([a-z]+))(?:[._]\d+)?[\"']?\s*[=:]\s*(.*)"
)
_BINDS = re.compile(r"(?i)(?:-allowbindmountfrom|SP_ALLOWBINDMOUNTFROM)[=:]\s*[\"']?([^\s\"']+)")
_PEERS = re.compile(r"(?i)(?:-allowfrom|SP_ALLOWFROM)[=:]\s*[\"']?([^\s\"']+)")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})


def read(text: str, holders: tuple[str, ...]) -> Imported:
    """Read the lists; everybody who could reach the proxy is one of ``holders``."""
    found = Imported("an allow-list of regular expressions", links=[(who, ROLE) for who in holders])
    text = "\n".join(lines_of(text))
    for method, expression in _expressions(text):
        _grant(found, method, expression)
    for folders in _BINDS.findall(text):
        globs = "|".join(f"{folder.rstrip('/')}/**" for folder in folders.split(","))
        for action in ("container.create", "service.create", "service.update"):
            note = f"bind mounts were allowed from {folders} only"
            name = f"only-binds.{action}"
            fact = f"bind:!{globs}"
            found.rows.append(Draft(ROLE, action, fact, word="deny", id=name, note=note))
    for peers in _PEERS.findall(text):
        found.left.append(f"who may connect, {peers}: say so by listeners and people.csv")
    return found


def _expressions(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        flags = list(_FLAG.finditer(line))
        for flag in flags:
            parts = flag.groupdict(default="")
            double = parts["double"] or (parts["whole"] if parts["quote"] == '"' else "")
            value = double.replace("\\\\", "\\") or parts["whole"] or parts["single"]
            yield parts["quoted"] or parts["method"], value or parts["plain"]
        if not flags and (match := _VARIABLE.search(line)):
            method, label, value = match.groups()
            plain = value.strip().removesuffix(",")
            if plain.startswith('"'):
                plain = plain.replace("\\\\", "\\")
            yield (method or label.upper()), plain.strip("\"'")


def _grant(found: Imported, method: str, expression: str) -> None:
    said = f"-allow{method}={expression}"
    if method not in _METHODS:
        found.left.append(f"{said}: the daemon has nothing under {method}")
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pattern = re.compile(expression[:LONGEST] if len(expression) <= LONGEST else "(")
    except (re.error, FutureWarning, DeprecationWarning, RecursionError):
        found.left.append(f"{said}: cannot be read as a regular expression")
        return
    tried = {
        operation.name: _answers(pattern, operation)
        for operation in load_operations()
        if operation.method == method and operation.path != "*"
    }
    whole = frozenset(name for name, answers in tried.items() if all(answers))
    some = {name for name, answers in tried.items() if any(answers)} - whole
    if whole:
        found.grants.append(Grant(ROLE, whole, said))
    if some:
        names = ", ".join(sorted(some))
        found.left.append(f"{said}: fits some names of {names} and not others; write rows for them")
    elif not whole:
        found.left.append(f"{said}: fits the path of no operation")


def _answers(pattern: re.Pattern[str], operation: Operation) -> list[bool]:
    """Say for each name whether the path of an operation fits, under any version."""
    paths = [re.sub(r"{[^}]+}", name, operation.path) for name in NAMES]
    return [any(pattern.fullmatch(version + path) for version in VERSIONS) for path in paths]
