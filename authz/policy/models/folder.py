"""The files of a bundle that brings its own model: what hangs together across them.

It takes files as they were read and returns rows, links and problems. It opens none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Final

from authz.errors import Problem
from authz.policy.bundle_file import Wanted
from authz.policy.decision import Row
from authz.policy.links import Link, cycle_problems
from authz.policy.models.cells import Meaning, group_faults, meaning_of, placed
from authz.policy.models.conf import PRIORITY, Model, read_other
from authz.policy.models.engine import Links, Placed
from authz.policy.models.expression import Holds, Text, walk
from authz.policy.models.rows import ModelEntry, read_rows
from authz.policy.rule_file import RuleFile
from authz.policy.source import Source
from authz.policy.spelling import nearest
from authz.policy.subject import ANYBODY, type_of

FOLLOWED: Final = 9
"""Links that stock Casbin follows from a name; it says nothing about those behind."""

PEOPLE: Final = "people.csv"


@dataclass(frozen=True, slots=True)
class Brought:
    """A model that a bundle brings, with its rows in the order in which they are visited."""

    model: Model
    placed: tuple[Placed, ...]
    links: Mapping[str, Links]


@dataclass(slots=True)
class Folder:
    """A model and the files read with it. ``problems`` are those of the model itself."""

    model: Model | None
    problems: tuple[Problem, ...]
    entries: list[ModelEntry] = field(default_factory=list)
    files: list[RuleFile] = field(default_factory=list)

    def read(self, source: Source) -> RuleFile:
        """Read the rows of one file; none where the model could not be read."""
        if self.model is None:
            return RuleFile(source, (), ())
        file = read_rows(source, self.model)
        self.files.append(file)
        self.entries += [entry for entry in file.entries if isinstance(entry, ModelEntry)]
        return file

    def judge(self) -> tuple[Brought | None, list[Problem]]:
        """Check all rows that were read. Without a model there is nothing to say about them."""
        if self.model is None:
            return None, []
        rows = [entry for entry in self.entries if entry.type == "p"]
        given = [entry for entry in self.entries if entry.type != "p"]
        meaning = meaning_of(self.model, (entry["role"].text for entry in given))
        problems = [
            entry.whole(f"{PEOPLE} says only who holds which role", "move the row to policy.csv")
            for entry in rows
            if entry.line.source.name == PEOPLE
        ]
        found = []
        for entry in rows:
            row, wrong = placed(entry, meaning)
            found += [(entry, row)] if row else []
            problems += wrong
        problems += _link_problems(given, meaning)
        if not rows and not any(file.problems for file in self.files):
            message = "the policy has no p rows, so it would deny everything"
            problems += [file.source.problem(message) for file in self.files[:1]]
        if not problems:
            problems += _missing(given, [row for _, row in found])
        if PRIORITY in self.model.columns and not problems:
            found.sort(key=lambda pair: int(pair[0][PRIORITY].text))
        ordered = tuple([row for _, row in found])
        return Brought(self.model, ordered, _links(given)), problems

    def refused(self, pack: Wanted) -> Problem:
        """Say why a pack cannot be listed."""
        message = f'pack "{pack.name}" is written for the reviewed model, not for this bundle\'s'
        return pack.problem(message, "packs = []")

    def rows(self, brought: Brought | None) -> tuple[Row, ...]:
        """Return the rows as the rest of Dockgate knows rows."""
        return tuple([each.row for each in brought.placed]) if brought else ()

    def links(self) -> tuple[Link, ...]:
        """Return who holds which role."""
        return tuple(
            Link(entry["member"].text, entry["role"].text, _domain(entry), entry.location)
            for entry in self.entries
            if entry.type == "g"
        )


def folder_of(source: Source) -> Folder:
    """Begin with the model; the files come after it."""
    return Folder(*read_other(source))


def _domain(entry: ModelEntry) -> str:
    return entry.values.get("domain", ANYBODY)


def _links(given: Iterable[ModelEntry]) -> dict[str, dict[tuple[str, str], set[str]]]:
    found: dict[str, dict[tuple[str, str], set[str]]] = {}
    for entry in given:
        links = found.setdefault(entry.type, {})
        links.setdefault((_domain(entry), entry["member"].text), set()).add(entry["role"].text)
    return found


def _link_problems(given: Sequence[ModelEntry], meaning: Meaning) -> list[Problem]:
    problems = []
    for entry in given:
        asked = meaning.model.asked.get(entry.type, "")
        problems += [
            entry.problem(name, message, suggestion)
            for name, message, suggestion in group_faults(entry, asked, meaning.groups)
        ]
    for roles in meaning.model.roles:
        own = [entry for entry in given if entry.type == roles]
        cycles = cycle_problems("role", [(e["member"].text, e["role"].text, e) for e in own])
        problems += cycles or _too_deep(own)
    return problems


def _too_deep(given: Sequence[ModelEntry]) -> Iterator[Problem]:
    """Find rows with more links behind them than Casbin follows; one is a caller's to his group."""
    graph: TopologicalSorter[str] = TopologicalSorter()
    for entry in given:
        graph.add(entry["member"].text, entry["role"].text)
    below: dict[str, set[str]] = {}
    for entry in given:
        below.setdefault(entry["member"].text, set()).add(entry["role"].text)
    depth: dict[str, int] = {}
    for name in graph.static_order():
        depth[name] = max((depth[role] + 1 for role in below.get(name, ())), default=0)
    for entry in given:
        member = entry["member"].text
        most = FOLLOWED - (type_of(member) == "group")
        if depth[member] > most:
            message = f'"{member}" leads over {depth[member]} links; Casbin follows {most}'
            yield entry.whole(message)


def _missing(given: Iterable[ModelEntry], rows: Iterable[Placed]) -> Iterator[Problem]:
    """Find roles of which no row and no other link speaks."""
    spoken = {
        (node.roles, node.role.value)
        for row in rows
        for node in walk(row.left)
        if isinstance(node, Holds) and isinstance(node.role, Text)
    }
    entries = list(given)
    spoken |= {(entry.type, entry["member"].text) for entry in entries}
    for entry in entries:
        role = entry["role"].text
        if (entry.type, role) not in spoken:
            near = nearest(role, (name for roles, name in spoken if roles == entry.type))
            yield entry.problem("role", f'"{role}" has no rows', near)
