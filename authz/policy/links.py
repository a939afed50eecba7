"""``g`` and ``g2`` rows: who holds which role, and which actions form a group.

Roles are closed over without a limit of depth, so a cycle is an error. It
knows names, and nothing about what a role may do.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from authz.errors import Location, Problem
from authz.policy.rule_file import Entry
from authz.policy.spelling import nearest
from authz.policy.subject import ANYBODY, GROUPED, TYPES, fault_of, type_of

MAX_CYCLES = 20
"""Cycles that are told."""

TENANT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}", re.ASCII)
_GROUP = re.compile(r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Link:
    """One ``g`` row: in ``domain`` (``*`` for all), ``member`` holds ``role``."""

    member: str
    role: str
    domain: str
    location: Location


@dataclass(frozen=True, slots=True)
class Group:
    """One ``g2`` row of a site: ``action`` (or a group) belongs to ``group``."""

    action: str
    group: str
    location: Location


def link_of(entry: Entry) -> Link:
    """Return a ``g`` row as a value."""
    return Link(entry.text("member"), entry.text("role"), entry.text("domain"), entry.location)


def group_of(entry: Entry) -> Group:
    """Return a ``g2`` row as a value."""
    return Group(entry.text("action"), entry.text("group"), entry.location)


def domain_problem(entry: Entry) -> Problem | None:
    """Check the domain column of a ``p`` or ``g`` row: ``*`` or one tenant."""
    domain = entry.text("domain")
    if domain == ANYBODY or TENANT.fullmatch(domain):
        return None
    message = f'domain is "{domain}"; expected * or the name of one tenant'
    return entry.problem("domain", message, ANYBODY)


def link_problems(entry: Entry) -> list[Problem]:
    """Check what one ``g`` row says, alone."""
    found = []
    member, role = entry.text("member"), entry.text("role")
    if member == ANYBODY:
        message = "* cannot hold a role; a row for everybody has the subject *"
        found.append(entry.problem("member", message))
    elif fault := fault_of(member, TYPES):
        found.append(entry.problem("member", *fault))
    if fault := fault_of(role, GROUPED):
        found.append(entry.problem("role", *fault))
    elif type_of(member) == "pack" and type_of(role) != "pack":
        message = f'a pack leads only to packs; "{role}" is none'
        found.append(entry.problem("role", message))
    return [*found, *filter(None, (domain_problem(entry),))]


def group_problems(
    entry: Entry, known: Collection[str], generated: Collection[str]
) -> list[Problem]:
    """Check what one ``g2`` row says: ``known`` are all actions and groups.

    ``generated`` are the actions and groups of the catalogue, to which a site
    adds nothing.
    """
    found = []
    action, group = entry.text("action"), entry.text("group")
    if action not in known:
        message = f'"{action}" is neither an action nor a group of actions'
        found.append(entry.problem("action", message, nearest(action, known)))
    if group in generated:
        message = f'"{group}" comes from the catalogue and cannot be extended'
        found.append(entry.problem("group", message, f"site.{group.replace('*', 'all')}"))
    elif not _GROUP.fullmatch(group):
        message = f'group is "{group}"; expected a name such as site.support'
        found.append(entry.problem("group", message))
    return found


def cycle_problems(what: str, entries: Sequence[tuple[str, str, Entry]]) -> list[Problem]:
    """Return one problem for each cycle among ``(member, group, row)``, named in full."""
    rows = {(member, group): entry for member, group, entry in entries}
    found: list[Problem] = []
    while len(found) < MAX_CYCLES and (cycle := _cycle(rows)):
        steps = list(pairwise(cycle))
        last = max(steps, key=lambda step: rows[step].location)
        places = ", ".join(rows[step].at for step in steps)
        path = " -> ".join(cycle)
        found.append(
            rows[last].whole(f"{what} cycle: {path}", f"take away one of the rows {places}")
        )
        del rows[last]
    return found


def missing_roles(
    entries: Iterable[Entry], holders: Collection[str], packs: Mapping[str, bool]
) -> list[Problem]:
    """Return every role or pack that a ``g`` row gives and that has no rows.

    ``holders`` have rows of their own or inherit some; ``packs`` are the names
    of packs that exist, and whether each is loaded.
    """
    found = []
    for entry in entries:
        role = entry.text("role")
        if role in holders or fault_of(role, GROUPED):
            continue
        name = role.partition(":")[2]
        if type_of(role) == "pack" and packs.get(name) is False:
            hint = f'add "{name}" to packs in bundle.toml'
            found.append(entry.problem("role", f'"{role}" is not loaded', hint))
            continue
        choices = [*holders, *(f"pack:{each}" for each in packs)]
        near = nearest(role, (each for each in choices if type_of(each) == type_of(role)))
        found.append(entry.problem("role", f'"{role}" has no rows', near))
    return found


def _cycle(edges: Collection[tuple[str, str]]) -> list[str]:
    """Return one cycle, from member to group, its first name repeated at the end; else nothing.

    Whoever is no group himself, as nearly all members are not, is part of none.
    """
    graph: TopologicalSorter[str] = TopologicalSorter()
    groups = {group for _, group in edges}
    for member, group in edges:
        graph.add(group, *([member] if member in groups else []))
    try:
        graph.prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        return cycle
    return []
