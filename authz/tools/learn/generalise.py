"""What was seen once, said so that it is also true tomorrow.

A home folder is its owner's, a folder that is called like a tenant is the
tenant's, an id that a daemon made up is any such id, a secret is any text, and
what a program makes up anew each time, as part of a name or of a temporary
folder, is anything in its place. Everything else stays as it was: a row that a
program wrote must not allow what nobody did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Final

from authz.facts.facts import Fact
from authz.identity.identity import ANONYMOUS, Identity
from authz.policy.placeholder import fill_for
from authz.tools.drafts.dangers import danger_of
from authz.tools.drafts.rows import literal

PATHS: Final = frozenset({"bind", "bind.rw", "target.bind", "target.bind.rw"})
NAMES: Final = frozenset({"volume", "target.volume", "net", "target.net", "net.alias", "rename.to"})
"""Kinds whose values people begin with their own name, and daemons make up."""

NAMED: Final = NAMES | {"build.net", "image", "image.name", "secret", "config"}
"""Kinds whose values programs make up in part."""

PORTS: Final = frozenset({"port", "target.port"})
UNPRIVILEGED: Final = 1024

ENOUGH: Final = 3
"""Entries of one folder that are taken for the folder, and ids for any."""
MANY: Final = 8
"""Unprivileged ports that are taken for any: fewer are somebody's choice."""
ANY_ID: Final = "sha256:*"
DEEP: Final = 2
"""Names in the path of a folder that may stand for its entries."""

_ID = re.compile(r"(?:[0-9a-f]{64}|[0-9a-f]{12})")
_MADE_UP = re.compile(r"(?<=[^/:]{2}[-_.])(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{12,}(?![^-_.])")
"""Twelve hexadecimal digits or more, behind a name and before another part of it or its end."""

_TEMPORARY = re.compile(r"(/tmp|/var/tmp)/([A-Za-z]+[-_.]?)([A-Za-z0-9_]{8}|[A-Za-z0-9]{10})")
"""What mkdtemp(3), mktemp(1) and Python call a folder: something, and letters by chance."""

_NODE = re.compile(r"(?<=^node\.id[!=]=)[0-9a-z]{25}$")
_PORT = re.compile(r"([0-9]{1,5})/([a-z]+)")
_ADDRESS = re.compile(r"(listen=[^*?{}]+):[0-9]{1,5}")
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
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
    return _without_chance(fact)


def _without_chance(fact: Fact) -> str:
    """Return the pattern for a value with anything in the place of what was made up."""
    if fact.kind in NAMED and not _IMAGE_ID.fullmatch(fact.value):
        # Before the last name of an image stands whose it is: a registry, and an account there.
        above, slash, name = fact.value.rpartition("/")
        return literal(above) + slash + "*".join(map(literal, _MADE_UP.split(name)))
    if fact.kind == "placement":
        return _NODE.sub(lambda found: "?" * len(found[0]), literal(fact.value))
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
    """Return what stands for enough values like this one, else the pattern itself.

    The folder of a path, but not one that the host runs from, and not one near the root;
    temporary folders of one name; images by any id; unprivileged ports; a swarm's address
    with any port.
    """
    if kind in PATHS and _plain(pattern) and not _temporary(pattern):
        return _folder(pattern, others)
    alike = _ALIKE.get(kind, _unlike)
    wider = alike(pattern)
    if not wider:
        return pattern
    found = {each for each in others if alike(each) and (kind in PORTS or alike(each) == wider)}
    return wider if len(found) >= (MANY if kind in PORTS else ENOUGH) else pattern


def _folder(path: str, others: Iterable[str]) -> str:
    parent = path.rpartition("/")[0]
    siblings = {each for each in others if _plain(each) and each.rpartition("/")[0] == parent}
    deep = parent.count("/") >= DEEP
    if not deep or len(siblings) < ENOUGH or danger_of(Fact("bind", parent)):
        return path
    return f"{parent}/*"


def _plain(pattern: str) -> bool:
    return pattern.startswith("/") and not re.search(r"[*?{]", pattern)


def _unlike(_value: str) -> str:
    return ""


def _temporary(path: str) -> str:
    """Return the pattern of temporary folders that are called like this one."""
    found = _TEMPORARY.fullmatch(path)
    return f"{found[1]}/{found[2]}{'?' * len(found[3])}" if found else ""


def _by_id(image: str) -> str:
    return ANY_ID if _IMAGE_ID.fullmatch(image) else ""


def _unprivileged(port: str) -> str:
    found = _PORT.fullmatch(port)
    return f"{UNPRIVILEGED}-65535/{found[2]}" if found and int(found[1]) >= UNPRIVILEGED else ""


def _with_any_port(address: str) -> str:
    found = _ADDRESS.fullmatch(address)
    return f"{found[1]}:*" if found else ""


_ALIKE: Final[Mapping[str, Callable[[str], str]]] = {
    **dict.fromkeys(PATHS, _temporary),
    **dict.fromkeys(PORTS, _unprivileged),
    "image": _by_id,
    "swarm.addr": _with_any_port,
}
"""What values are alike, by kind: what stands for all of them, or nothing for one by itself."""
