"""What another gate grants, in the operations of the Engine API, and the bundle that says the same.

Other gates see a method and a path. So what they allow is allowed here with
every fact that the operation can have, and what is worth as much as root on
the host is said to be. It knows our rows, and no other gate's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from authz.docker.routes import Operation, load_operations
from authz.facts.catalogue import TARGETED, UNKNOWN, catalogue
from authz.policy.explain import printable
from authz.policy.subject import TYPES, type_of
from authz.tools.drafts.folder import Folder
from authz.tools.drafts.rows import Draft, faults, link_faults, slug

GUARD: Final = "sockets"
WHOSE: Final = "own|tenant|foreign|unowned|new|list|host|unknown"
EVERYTHING: Final = "**"
LONGEST: Final = 300
"""Characters of a comment."""

_HEAD: Final = """\
# Made out of {source}. Read every row before you rely on it.
# The other gate saw methods and paths only; what a request says was never looked at there. So rows
# with ** are wide: narrow them, and attach packs.
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """Operations that one holder may do, and the words of the other gate that say so."""

    holder: str
    operations: frozenset[str]
    said: str
    word: str = "allow"


@dataclass(slots=True)
class Imported:
    """What was read of another gate's policy. ``left`` is what cannot be carried over."""

    source: str
    grants: list[Grant] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    rows: list[Draft] = field(default_factory=list)
    """Rows beside those that follow from grants."""
    left: list[str] = field(default_factory=list)

    def folder(self) -> Folder:
        """Return the bundle. Adds to ``left`` what turns out to be wider or not to be said."""
        drafts = self._checked([*self._granted(), *self.rows])
        links = self._linked(drafts)
        wide = {draft.subject for draft in drafts if draft.fact == EVERYTHING}
        guards = [f"g, {subject}, pack:{GUARD}, *\n" for subject in sorted(wide - {"*"})]
        if guards:
            self.left.append(
                f'the pack "{GUARD}" is attached: paths that lead to the daemon are denied, '
                "which the other gate did not do"
            )
        head = _HEAD.format(source=self.source)
        lost = "".join(f"# Not carried over: {_cut(text)}\n" for text in dict.fromkeys(self.left))
        rows = "\n".join(draft.text for draft in drafts)
        people = "".join(dict.fromkeys(f"g, {member}, {role}, *\n" for member, role in links))
        packs = ("core", GUARD) if guards else ("core",)
        return Folder(packs, f"{head}{lost}\n{''.join(guards)}\n{rows}", people)

    def _granted(self) -> Iterator[Draft]:
        operations = {each.name: each for each in load_operations()}
        names: set[str] = set()
        found = _by_action(self.grants, operations)
        for (holder, action, word), (granted, said) in found.items():
            if word == "allow" and (holder, action, "deny") in found:
                self.left.append(f"{holder}: {action} was allowed and denied; here it is denied")
                continue
            self._tell_wider(holder, action, granted)
            for fact in _facts(action, [operations[name] for name in granted], word):
                name = _free(f"{slug(holder.removeprefix('role:'))}.{action}", names)
                note = f"{'denied' if word == 'deny' else 'allowed'} there by {_cut(said)}"
                yield Draft(holder, action, fact, word=word, id=name, note=note)

    def _tell_wider(self, holder: str, action: str, granted: frozenset[str]) -> None:
        """Say which operations come with an action though the other gate did not name them."""
        every = {each.name for each in load_operations() if each.action == action}
        more = sorted(every - granted - _TWINS)
        if more and action != "system.options":
            self.left.append(f"{holder}: {action} is one here, and includes {', '.join(more)}")

    def _linked(self, drafts: Iterable[Draft]) -> list[tuple[str, str]]:
        """Return the links to roles that grant something, themselves or by another role."""
        roles = {draft.subject for draft in drafts}
        while more := {member for member, role in self.links if role in roles} - roles:
            roles |= more
        lost = {role: None for _, role in self.links if role not in roles}
        self.left += [f"{role}: nothing that it grants can be carried over" for role in lost]
        return [link for link in self.links if link[1] in roles]

    def _checked(self, drafts: Iterable[Draft]) -> list[Draft]:
        """Return the rows that the loader takes, each once; the others are left."""
        kept: dict[str, Draft] = {}
        for draft in drafts:
            if wrong := faults(draft.text):
                self.left.append(f"the row {draft.row}: {wrong[0]}")
            else:
                kept.setdefault(draft.row, draft)
        return list(kept.values())


_TWINS: Final = frozenset({"SystemPingHead", "NetworkListSlash", "PluginInspectOld", "OptionsAny"})
"""Operations that are another one in another spelling."""


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a settings file without comments: what is commented out grants nothing."""
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            yield re.split(r"\s#", line, maxsplit=1)[0]


def role_of(name: str) -> str:
    """Return a role for a name that another gate uses."""
    return f"role:{slug(name.removeprefix('role:')) or 'everybody'}"


def merged(roles: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Tell of names that become one role, so that who had one gets what the others grant."""
    names: dict[str, list[str]] = {}
    for name, role in roles:
        names.setdefault(role, []).append(name)
    for role, found in names.items():
        if len(found) > 1:
            yield f"{role}: {' and '.join(map(repr, found))} become one, and each gets all"


def subject_of(name: str) -> str:
    """Return the caller with a certificate of this name; one that has a type already keeps it."""
    return name if type_of(name) in TYPES else f"cert:{name}"


def is_subject(text: str) -> bool:
    """Say whether a row can name it."""
    return not link_faults(text, "*")


def _by_action(
    grants: Iterable[Grant], operations: dict[str, Operation]
) -> dict[tuple[str, str, str], tuple[frozenset[str], str]]:
    """Return who is granted which operations of each action, and by which words."""
    found: dict[tuple[str, str, str], tuple[frozenset[str], str]] = {}
    for grant in grants:
        for name in sorted(grant.operations):
            key = (grant.holder, operations[name].action, grant.word)
            names, said = found.get(key, (frozenset[str](), ""))
            words = said if grant.said in said else f"{said}, {grant.said}".removeprefix(", ")
            found[key] = (names | {name}, words)
    return found


def _facts(action: str, operations: list[Operation], word: str) -> Iterator[str]:
    """Return the columns that cover whatever an action can say."""
    if word == "deny":
        yield EVERYTHING
        return
    if action not in TARGETED and not _says_more(action):
        yield f"on:{WHOSE}"
        return
    yield EVERYTHING
    if UNKNOWN in catalogue().targets[action]:
        yield f"on:{UNKNOWN}"
    opaque = sorted({each.opaque for each in operations if each.opaque})
    if opaque:
        yield f"body.opaque:{'|'.join(opaque)}"


def _says_more(action: str) -> bool:
    """Say whether a request can say more than whose object it touches."""
    every = catalogue().kinds.values()
    return any(
        action in kind.actions and not kind.posture and kind.name not in _ALWAYS for kind in every
    )


_ALWAYS: Final = frozenset({"on", "api.version", "field.unknown", "body.opaque"})
"""Kinds that every action can have."""


def _cut(text: str) -> str:
    """Return a text that can stand in a comment."""
    plain = printable(text)
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 3]}..."


def _free(name: str, names: set[str]) -> str:
    number, found = 1, name
    while found in names:
        number += 1
        found = f"{name}-{number}"
    names.add(found)
    return found
