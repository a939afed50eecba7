"""What was seen once, said so that it is also true tomorrow.

A home folder is its owner's, a folder that is called like a tenant is the
tenant's, an id that a daemon made up is any such id, a secret is any text.
Everything else stays as it was: a row that a program wrote must not allow what
nobody did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from typing import Final

from authz.facts.facts import Fact
from authz.identity.identity import ANONYMOUS, Identity
from authz.policy.placeholder import fill_for
from authz.tools.drafts.dangers import danger_of
from authz.tools.drafts.rows import literal

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
    words = fill_for(identity).values
    own = {
        "name": words.get("name", "") if identity.subject != ANONYMOUS else "",
        "tenant": words.get("tenant", ""),
    }
    if fact.kind in PATHS:
        return _home(fact.value, own["name"]) or _shared(fact.value, own["tenant"])
    if fact.kind in NAMES:
        if _ID.fullmatch(fact.value):
            return "?" * len(fact.value)
        for (word, value), mark in product(own.items(), "-_"):
            if value and mark not in value and fact.value.startswith(f"{value}{mark}"):
                return f"{{{word}}}{mark}*"
    if fact.kind == "image.id":
        return "**"  # which image it is needs a row of its own, and changes with every build
    return literal(fact.value)


def _home(path: str, name: str) -> str:
    """Return the pattern for whose home it is; nothing where it is not the caller's."""
    home = _HOME.fullmatch(path)
    return "/home/{name}/**" if home and name and home[1] == name else ""


def _shared(path: str, tenant: str) -> str:
    """Return the pattern for a folder that is called like the caller's tenant, else the path.

    Not one in the root, nor among homes, and not one that the host runs from.
    """
    above, found, _ = f"{path}/".partition(f"/{tenant}/")
    if not (tenant and above and found) or f"{above}/".startswith("/home/"):
        return literal(path)
    if danger_of(Fact("bind", f"{above}/{tenant}")):
        return literal(path)
    return f"{literal(above)}/{{tenant}}/**"


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
