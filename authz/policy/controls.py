"""Which controls of a pack a bundle does not keep: for whoever has to show that it does.

A control is kept for a role where a deny or never row that reaches the role
names it. It knows the names in comments, and takes their authors at their word.
"""

from __future__ import annotations

from collections.abc import Iterable

from authz.errors import Location, Problem
from authz.policy.bundle import Bundle
from authz.policy.decision import Row, Word
from authz.policy.roles import closure
from authz.policy.subject import ANYBODY


def uncovered(bundle: Bundle, pack: Bundle) -> tuple[Problem, ...]:
    """Return a problem for each control of a pack, and each subject that escapes it.

    Only subjects to whom the bundle allows something can escape.
    """
    wanted = {control: row for row in pack.rows for control in row.controls if _takes(row)}
    links: dict[tuple[str, str], set[str]] = {}
    for link in bundle.links:
        links.setdefault((link.domain, link.member), set()).add(link.role)
    problems = []
    for first in _first_grants(bundle.rows):
        held = closure(links, (first.subject,), ANYBODY) | {ANYBODY}
        kept = {
            control
            for row in bundle.rows
            if _takes(row) and row.subject in held and row.domain == ANYBODY
            for control in row.controls
        }
        problems += [
            _problem(bundle, first, control, row)
            for control, row in sorted(wanted.items())
            if control not in kept
        ]
    return tuple(problems)


def _takes(row: Row) -> bool:
    return row.word in (Word.DENY, Word.NEVER)


def _first_grants(rows: Iterable[Row]) -> list[Row]:
    """Return the first allow row of each subject; what everybody may is posture."""
    first: dict[str, Row] = {}
    for row in sorted(rows, key=lambda each: each.location):
        if row.word is Word.ALLOW and row.subject != ANYBODY:
            first.setdefault(row.subject, row)
    return list(first.values())


def _problem(bundle: Bundle, first: Row, control: str, row: Row) -> Problem:
    place = Location(str(bundle.root / first.location.file), first.location.line)
    message = f'no row keeps "{control}" for "{first.subject}"'
    name = row.location.file.removeprefix("packs/").removesuffix(".csv")
    hint = f"g, {first.subject}, {row.subject}, *"
    if row.subject == ANYBODY:  # a never row holds as soon as its pack is loaded
        hint = f'"{name}" in packs of bundle.toml'
    return Problem(place, message, hint)
