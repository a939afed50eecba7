"""What was used, as rows: one for each action and kind, for those who used it and nobody else.

Everything that the same people used becomes one role of theirs. Each row says
how often and when it was used, and what is dangerous in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from authz.tools.drafts.rows import Draft, facts_column, faults, link_faults, slug
from authz.tools.learn.generalise import ANY_ID, folded
from authz.tools.learn.uses import Holder, Seen, Use

_EVERY_IMAGE = "every image of the daemon by its id"


@dataclass(frozen=True, slots=True)
class Link:
    """Who holds which role."""

    member: str
    role: str
    domain: str


@dataclass(frozen=True, slots=True)
class Learned:
    """Rows and who gets them. ``guarded`` are the roles that the guard pack goes to."""

    rows: tuple[Draft, ...]
    links: tuple[Link, ...]
    guarded: frozenset[str]
    unspeakable: tuple[str, ...] = ()
    """What was used and no row can say, each with the reason."""


def drafted(uses: Mapping[Holder, Mapping[Use, Seen]], unguarded: Collection[Holder]) -> Learned:
    """Give everything that was used by the same people to one role of theirs."""
    unspeakable: list[str] = []
    users: dict[Use, dict[Holder, Seen]] = {}
    for holder, found in uses.items():
        if wrong := link_faults(holder.subject, holder.domain):
            unspeakable.append(f"{holder.subject}: {wrong[0]}")
            continue
        for use, seen in _folded(found).items():
            users.setdefault(use, {})[holder] = seen
    shares: dict[frozenset[Holder], dict[Use, Seen]] = {}
    for use, holders in users.items():
        total = Seen()
        for seen in holders.values():
            total = total.merged(seen)
        shares.setdefault(frozenset(holders), {})[use] = total
    rows: list[Draft] = []
    links: list[Link] = []
    guarded: set[str] = set()
    names = _Names()
    for holders_of in sorted(shares, key=lambda each: (len(each), sorted(each))):
        role = names.role(holders_of)
        links += [Link(each.subject, role, each.domain) for each in sorted(holders_of)]
        if holders_of.isdisjoint(unguarded):
            guarded.add(role)
        for draft in _rows(role, shares[holders_of], names):
            wrong = faults(draft.text)
            unspeakable += [f"{draft.fact}: {wrong[0]}"] if wrong else []
            rows += [] if wrong else [draft]
    return Learned(tuple(rows), tuple(links), frozenset(guarded), tuple(unspeakable))


def _folded(found: Mapping[Use, Seen]) -> dict[Use, Seen]:
    """Put many files of one folder together, where a folder of its own can stand for them."""
    values: dict[tuple[str, str], list[str]] = {}
    for use in found:
        values.setdefault((use.action, use.kind), []).append(use.pattern)
    result: dict[Use, Seen] = {}
    for use, seen in found.items():
        pattern = folded(use.kind, use.pattern, values[use.action, use.kind])
        wider = Use(use.action, use.kind, pattern)
        more = {_EVERY_IMAGE: None} if pattern == ANY_ID else {}
        result[wider] = result.get(wider, Seen(dangers=more)).merged(seen)
    return result


def _rows(role: str, uses: Mapping[Use, Seen], names: _Names) -> Iterable[Draft]:
    """Write one row for each action and kind, longer ones in several."""
    kinds: dict[tuple[str, str], list[Use]] = {}
    for use in sorted(uses):
        kinds.setdefault((use.action, use.kind), []).append(use)
    for (action, kind), group in kinds.items():
        total = Seen()
        for use in group:
            total = total.merged(uses[use])
        for column in facts_column((kind, use.pattern) for use in group):
            name = names.row(role, action, kind)
            yield Draft(role, action, column, id=name, note=_note(total))


def _note(seen: Seen) -> str:
    days = f"on {seen.first}" if seen.first == seen.last else f"{seen.first} to {seen.last}"
    requests = seen.led or seen.count
    times = "once" if requests == 1 else f"{requests} times"
    warning = f"; WARNING, it grants {', '.join(seen.dangers)}" if seen.dangers else ""
    return f"used {times}, {days}{warning}"


class _Names:
    """Gives every role and every row a name that no other one has."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def role(self, holders: frozenset[Holder]) -> str:
        """Name a role after who holds it, where that is one."""
        if len(holders) > 1:
            return f"role:{self._free('shared-1', numbered=True)}"
        (holder,) = holders
        return f"role:{self._free(slug(holder.subject.partition(':')[2]) or 'somebody')}"

    def row(self, role: str, action: str, kind: str) -> str:
        """Name a row after its role, its action and its kind of fact."""
        return self._free(".".join((slug(role.partition(":")[2]), action, slug(kind))))

    def _free(self, name: str, *, numbered: bool = False) -> str:
        stem = name.removesuffix("-1") if numbered else name
        number = 1
        while name in self._taken:
            number += 1
            name = f"{stem}-{number}"
        self._taken.add(name)
        return name
