"""How callers, groups, roles and packs are written: typed, so that none can pass for another.

A certificate may carry any name; ``role:admin`` is a role only where a
policy says so. It knows spelling, and nothing about who holds what.
"""

from __future__ import annotations

import re

from authz.policy.spelling import listed, nearest

CALLERS = ("user", "cert", "token", "container")
"""The types of whoever asks, by how he was proved."""
GROUPED = ("role", "pack")
"""The types that exist in policies only."""
TYPES = (*CALLERS, "group", *GROUPED)
GROUP_SOURCES = ("os", "cert", "token")
"""Where a group comes from: ``group:os/docker``."""

ANYBODY = "*"

_NAME = re.compile(r"[^\s*?|!{}](?:[^*?|!{}]{0,254}[^\s*?|!{}])?")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)

Fault = tuple[str, str]
"""What is wrong, and what to write instead (empty where that is not known)."""


def type_of(subject: str) -> str:
    """Return the part before the colon; empty where there is none."""
    head, colon, _ = subject.partition(":")
    return head if colon else ""


def fault_of(subject: str, types: tuple[str, ...] = TYPES) -> Fault | None:
    """Say what is wrong with a subject, of which only ``types`` are wanted here."""
    kind, name = type_of(subject), subject.partition(":")[2]
    if kind not in types:
        return _untyped(subject, kind, types)
    if kind == "group":
        return _group_fault(subject, name)
    if kind in GROUPED:
        wrong = not _WORD.fullmatch(name)
        expected = "letters, digits, dots and dashes"
        return (f'"{subject}" is not a name; expected {expected}', "") if wrong else None
    return _name_fault(subject, name)


def _untyped(subject: str, kind: str, types: tuple[str, ...]) -> Fault:
    expected = listed([f"{each}:" for each in types])
    if kind in TYPES:
        return f'"{subject}" cannot stand here; expected {expected}', ""
    guess = nearest(kind, types) if kind else ""
    name = subject.partition(":")[2]
    message = f'"{subject}" has no known type; expected {expected}'
    return message, f"{guess}:{name}" if guess else f"{types[0]}:{subject}"


def _group_fault(subject: str, name: str) -> Fault | None:
    source, slash, rest = name.partition("/")
    if not slash:
        message = f'"{subject}" does not say where the group comes from'
        return f"{message}; expected {_sources()}", f"group:os/{name}"
    if source not in GROUP_SOURCES:
        guess = nearest(source, GROUP_SOURCES)
        suggestion = f"group:{guess}/{rest}" if guess else ""
        return f'"{source}" is not a source of groups; expected {_sources()}', suggestion
    return _name_fault(subject, rest)


def _name_fault(subject: str, name: str) -> Fault | None:
    if type_of(name).lower() in TYPES:
        message = f'"{subject}" has two types; no caller whose name begins with one is let in'
        return message, name if type_of(name) in TYPES else ""
    if _NAME.fullmatch(name):
        return None
    if any(char in name for char in "*?|!{}"):
        return f'"{subject}" looks like a pattern; a subject is one name, or * for anybody', ""
    return f'"{subject}" has no name after its type', ""


def _sources() -> str:
    return listed([f"group:{source}/..." for source in GROUP_SOURCES])
