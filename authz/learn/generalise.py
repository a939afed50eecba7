"""What was seen once, said so that it is also true tomorrow.

A home folder is its owner's, an id that a daemon made up is any such id, a
secret is any text. Everything else stays as it was: a row that a program wrote
must not allow what nobody did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from authz.drafts.dangers import danger_of
from authz.drafts.rows import literal
from authz.facts.facts import Fact
from authz.identity.identity import ANONYMOUS, Identity
from authz.policy.placeholder import fill_for

PATHS: Final = frozenset({"bind", "bind.rw", "target.bind", "target.bind.rw"})
NAMES: Final = frozenset({"volume", "target.volume", "net", "target.net", "net.alias"})
"""Kinds whose values people begin with their own name, and daemons make up."""

ENOUGH: Final = 3
"""Entries of one folder that are taken for the folder."""
DEEP: Final = 2
"""Names in the path of a folder that may stand for its entries."""

_ID = re.compile(r"(?:[0-9a-f]{64}|[0-9a-f]{12})")
_HOME = re.compile(r"/home/([^/]+)(?:/.*)?")


def generalised(identity: Identity, fact: Fact) -> str:
    """Return the pattern for a value that a caller used."""
    name = fill_for(identity).values.get("name", "") if identity.subject != ANONYMOUS else ""
    if fact.kind in PATHS and name:
        home = _HOME.fullmatch(fact.value)
        if home and home[1] == name:
            return "/home/{name}/**"
    if fact.kind in NAMES:
        if _ID.fullmatch(fact.value):
            return "?" * len(fact.value)
        for mark in "-_":
            if name and mark not in name and fact.value.startswith(f"{name}{mark}"):
                return f"{{name}}{mark}*"
    if fact.kind == "image.id":
        return "**"  # which image it is needs a row of its own, and changes with every build
    return literal(fact.value)


def folded(kind: str, pattern: str, others: Iterable[str]) -> str:
    """Return the folder of a path of which enough entries were used, else the path itself.

    Not one that the host runs from, and not one near the root.
    """
    if kind not in PATHS or not _plain(pattern):
        return pattern
    parent = pattern.rpartition("/")[0]
    siblings = {each for each in others if _plain(each) and each.rpartition("/")[0] == parent}
    deep = parent.count("/") >= DEEP
    if not deep or len(siblings) < ENOUGH or danger_of(Fact("bind", parent)):
        return pattern
    return f"{parent}/*"


def _plain(pattern: str) -> bool:
    return pattern.startswith("/") and not re.search(r"[*?{]", pattern)
