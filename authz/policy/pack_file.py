"""Packs: where they lie, and what their rows may say.

A pack that is attached to a role must never widen what the role may do. So
packs hold deny rows for themselves, never rows for everybody, and links to
other packs; ``core`` alone allows, and only for everybody.
"""

from __future__ import annotations

from pathlib import Path

from authz.errors import Problem
from authz.policy.bundle_file import PACK_NAME
from authz.policy.decision import Word
from authz.policy.rule_file import Entry
from authz.policy.subject import ANYBODY, type_of
from authz.shipped import shipped

CORE = "core"
"""The one pack that allows: the ordinary state of a container."""


def shipped_packs() -> frozenset[str]:
    """Return the names of the packs that come with the package."""
    return frozenset(path.parent.name for path in shipped("policies", "packs").glob("*/*.csv"))


def own_packs(root: Path) -> frozenset[str]:
    """Return the names of the packs that a bundle brings with it."""
    return frozenset(path.stem for path in (root / "packs").glob("*.csv"))


def path_of(name: str, root: Path) -> Path:
    """Return where the rows of a pack lie: the bundle's own, else the shipped ones."""
    own = root / "packs" / f"{name}.csv"
    return own if own.exists() else shipped("policies", "packs", name, f"{name}.csv")


def is_pack(root: Path) -> bool:
    """Say whether a folder is a pack (``NAME/NAME.csv``) and no bundle."""
    rows = root / f"{root.resolve().name}.csv"
    return rows.is_file() and not (root / "bundle.toml").exists()


def pack_of(entry: Entry) -> str:
    """Return the name of the pack that a row belongs to; empty in a site's own files."""
    folder, slash, file = entry.line.source.name.partition("/")
    return file.removesuffix(".csv") if slash and folder == "packs" else ""


def place_problems(entry: Entry) -> list[Problem]:
    """Check whether a row may stand in its file."""
    pack = pack_of(entry)
    if entry.type == "g2":
        return [entry.whole("a pack cannot make groups of actions")] if pack else []
    if entry.type == "g":
        return _pack_link(entry, pack) if pack else []
    if entry.line.source.name == "people.csv":
        message = "people.csv says only who holds which role; expected g rows"
        return [entry.whole(message, "move the row to policy.csv")]
    return _pack_row(entry, pack) if pack else _site_row(entry)


def _pack_link(entry: Entry, pack: str) -> list[Problem]:
    found = []
    if entry.text("member") != f"pack:{pack}":
        message = f'a pack links only itself; expected "pack:{pack}"'
        found.append(entry.problem("member", message, f"pack:{pack}"))
    if type_of(entry.text("role")) != "pack":
        message = f'a pack leads only to packs; "{entry.text("role")}" is none'
        found.append(entry.problem("role", message))
    return found


def _pack_row(entry: Entry, pack: str) -> list[Problem]:
    word, subject = entry.text("verdict"), entry.text("subject")
    if word == Word.ALLOW and pack != CORE:
        return [entry.problem("verdict", f'a pack takes away; only "{CORE}" may allow', "deny")]
    if word == Word.EXCEPT:
        message = "a pack makes no exceptions; they belong to policy.csv"
        return [entry.problem("verdict", message)]
    if word not in tuple(Word):
        return []
    expected = f"pack:{pack}" if word == Word.DENY else ANYBODY
    if subject == expected:
        return []
    message = f'{word} rows of this pack are for "{expected}"'
    return [entry.problem("subject", message, expected)]


def _site_row(entry: Entry) -> list[Problem]:
    """Keep a pack's rows in its own file, so that it is the same wherever it is attached."""
    subject = entry.text("subject")
    name = subject.partition(":")[2]
    if type_of(subject) != "pack" or not PACK_NAME.fullmatch(name):
        return []
    message = f'rows for "{subject}" belong to the pack\'s own file'
    return [entry.problem("subject", message, f"packs/{name}.csv")]
