"""The actions that a policy may name, and the groups they are in.

Groups of the catalogue are generated; a site adds its own with ``g2`` rows.
It knows names, and nothing about rows that use them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from authz.facts.catalogue import catalogue
from authz.policy.links import Group

ANYTHING = "*"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The actions and groups of actions of one policy. Make one with :func:`vocabulary`.

    ``generated`` come from the catalogue, ``own`` are the groups of the site,
    each with the actions in it; ``known`` is every name that may stand in an
    action column, but for ``*``. ``excused`` are words of rows that could not
    be read, which may have been groups.
    """

    generated: Mapping[str, frozenset[str]]
    own: Mapping[str, frozenset[str]]
    known: frozenset[str]
    excused: frozenset[str] = frozenset()

    def actions(self, name: str) -> frozenset[str]:
        """Return the actions that a name stands for; none where it is not known."""
        if name == ANYTHING:
            return catalogue().actions
        return self.generated.get(name) or self.own.get(name, frozenset())

    def names(self) -> Mapping[str, frozenset[str]]:
        """Return for each action the names that stand for it, its own among them."""
        found: dict[str, set[str]] = {action: set() for action in catalogue().actions}
        for name in self.known:
            for action in self.actions(name):
                found[action].add(name)
        return {action: frozenset(names) for action, names in found.items()}


def vocabulary(groups: Iterable[Group], excused: frozenset[str] = frozenset()) -> Vocabulary:
    """Return the actions and groups of the catalogue with those of a site."""
    generated = {action: frozenset({action}) for action in catalogue().actions}
    generated |= catalogue().groups
    members: dict[str, set[str]] = {}
    for group in groups:
        members.setdefault(group.group, set()).add(group.action)
    own = {name: _closure(name, members, generated) for name in members if name not in generated}
    return Vocabulary(generated, own, frozenset({*generated, *own}), excused)


def _closure(
    name: str, members: Mapping[str, set[str]], generated: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """Return the actions of a site's group; a cycle, told elsewhere, does not hang it."""
    seen, todo = {name}, [name]
    actions: set[str] = set()
    while todo:
        for member in members.get(todo.pop(), ()):
            actions |= generated.get(member, frozenset())
            if member in members and member not in seen:
                seen.add(member)
                todo.append(member)
    return frozenset(actions)
