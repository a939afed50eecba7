"""The closed list of kinds of facts, which action can yield which, and groups of actions.

The list is data: ``docs/reference/facts.csv``. ``*`` in its columns of actions
stands for every action. A kind that a target can have also exists as
``target.<kind>``: what the request would reach in a container that is there
already. This module knows names; how a value is written is known by ``values``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from authz.docker.routes import load_operations
from authz.facts.values import Fault, value_fault
from authz.shipped import shipped

TARGET = "target."
"""What the kinds of a container that is there already begin with."""

UNKNOWN = "unknown"

TARGETED = frozenset(
    {
        "container.archive.read",
        "container.archive.stat",
        "container.archive.write",
        "container.attach",
        "container.attach.ws",
        "container.commit",
        "container.copy",
        "container.create",
        "container.exec",
        "container.restart",
        "container.start",
        "container.unpause",
    }
)
"""Actions that reach into a container, and so into whatever it may do."""

_RUN = (
    "attach delete inspect kill logs pause rename resize restart start stats stop top unpause wait"
)
_WEIGHTS = ("read", "reveal", "write", "host-root")
"""How risky an action is; one with several operations is as risky as the riskiest."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the list.

    ``class_`` is ``grant`` (denied until a row allows it) or ``posture`` (the
    core pack allows it); ``posture`` holds the values that core allows of a
    grant kind. ``value`` is the grammar of its values, ``unknown`` whether one
    of them is ``unknown``, ``target`` whether a target can have it.
    """

    name: str
    class_: str
    posture: frozenset[str]
    value: str
    unknown: bool
    target: bool
    actions: frozenset[str]
    must: frozenset[str]
    source: str
    example: str
    controls: str
    about: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All kinds by name, every action, and the generated groups of actions."""

    kinds: Mapping[str, Kind]
    actions: frozenset[str]
    groups: Mapping[str, frozenset[str]]
    targets: Mapping[str, frozenset[str]]
    """What a request of each action can be on."""

    def can_yield(self, action: str, kind: str) -> bool:
        """Say whether a request of this action can have a fact of this kind."""
        name = kind.removeprefix(TARGET)
        found = self.kinds.get(name)
        if found is None:
            return False
        if name != kind:
            return found.target and action in TARGETED
        return action in found.actions

    def pattern_problem(self, kind: str, text: str) -> Fault | None:
        """Say why no fact of a kind has a value like ``text``, and what was probably meant.

        None where nothing is wrong, as far as a pattern can tell.
        """
        known = self.kinds[kind]
        if text == UNKNOWN:
            if known.unknown:
                return None
            return f'the value of {kind} is never "{UNKNOWN}"', ""
        return value_fault(kind, known.value, text)


@cache
def obligatory(action: str) -> frozenset[str]:
    """Return the kinds that every request of an action of the catalogue must have a fact of."""
    return frozenset(kind.name for kind in catalogue().kinds.values() if action in kind.must)


@cache
def catalogue() -> Catalogue:
    """Return the list that ships with the package."""
    risks: dict[str, str] = {}
    targets: dict[str, frozenset[str]] = {}
    for operation in load_operations():
        known = targets.get(operation.action, frozenset())
        targets[operation.action] = known | set(operation.targets)
        heaviest = max(risks.get(operation.action, "read"), operation.risk, key=_WEIGHTS.index)
        risks[operation.action] = heaviest
    actions = frozenset(risks)
    with shipped("docs", "reference", "facts.csv").open(newline="", encoding="utf-8") as lines:
        kinds = [_kind(row, actions) for row in csv.DictReader(lines)]
    return Catalogue({kind.name: kind for kind in kinds}, actions, _groups(risks), targets)


def _kind(row: Mapping[str, str], actions: frozenset[str]) -> Kind:
    return Kind(
        name=row["kind"],
        class_=row["class"],
        posture=_words(row["posture"]),
        value=row["value"],
        unknown=row["unknown"] == "yes",
        target=row["target"] == "yes",
        actions=_actions(row["actions"], actions),
        must=_actions(row["must"], actions),
        source=row["source"],
        example=row["example"],
        controls=row["controls"],
        about=row["about"],
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.split("|")))


def _actions(text: str, every: frozenset[str]) -> frozenset[str]:
    return every if text == "*" else _words(text)


def _groups(risks: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    """Return ``F.*``, ``F.read``, ``F.reveal`` and ``F.write`` of each family, and two more."""
    found: dict[str, set[str]] = {}
    for action, risk in risks.items():
        family = action.partition(".")[0]
        found.setdefault(f"{family}.*", set()).add(action)
        if risk == "read":
            found.setdefault("*.read", set()).add(action)
        if risk != "host-root":
            found.setdefault(f"{family}.{risk}", set()).add(action)
    found["container.run"] = {f"container.{verb}" for verb in _RUN.split()}
    return {name: frozenset(members) for name, members in found.items()}
