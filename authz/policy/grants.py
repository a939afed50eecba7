"""Grants for a while: exceptions that somebody with the right to gives by hand, and that end.

A grant is one ``except`` row, checked like any other, for a named caller and
until a moment. It lies beside the policies, over ``deny`` rows and what no row
allows, and never over a ``never`` row; under another model, which has none, over
what no row speaks of alone. It knows clocks as numbers, and no file.

It ends by the clock on the wall or by the one that only counts, whichever is
first: whoever sets a clock back prolongs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from authz.errors import Location, PolicyError, Problem
from authz.policy.asking import Asking
from authz.policy.compiled import Engine
from authz.policy.decision import Outcome, Row, Word
from authz.policy.row_check import row_of, row_problems
from authz.policy.rule_file import read_rules
from authz.policy.source import Source
from authz.policy.subject import CALLERS, fault_of
from authz.policy.vocabulary import Vocabulary

LONGEST: Final = timedelta(hours=8)
"""How long a grant may last: a shift."""

LONGEST_REASON: Final = 300
"""Characters."""

MOST: Final = 64
"""Grants in force at once. Whoever needs more needs another policy."""

PLACE: Final = "grant:"
"""Where rows of grants say that they stand."""

HOLDERS = (*CALLERS, "group")


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may do what until when, and why. Times are in UTC, in whole seconds.

    ``facts`` are written as in the fact column; ``by`` is who gave it.
    """

    id: str
    subject: str
    action: str
    facts: tuple[str, ...]
    reason: str
    by: str
    began: datetime
    ends: datetime

    def members(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "id": self.id,
            "subject": self.subject,
            "action": self.action,
            "facts": list(self.facts),
            "reason": self.reason,
            "by": self.by,
            "began": self.began.isoformat(),
            "ends": self.ends.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant in force, ready to be asked. ``deadline`` is by the clock that only counts."""

    grant: Grant
    deadline: float
    row: Row
    engine: Engine = field(repr=False)

    def lapsed(self, now: datetime, count: float) -> bool:
        """Say whether it has ended."""
        return now >= self.grant.ends or count >= self.deadline


class Grants:
    """What is granted now: one tuple, replaced as a whole. All policies of a service share it."""

    def __init__(self, count: Callable[[], float] = lambda: 0.0) -> None:
        """Take the clock that only counts; without one, grants end by the wall's alone."""
        self.granted: tuple[Granted, ...] = ()
        self.count = count

    def over(
        self, outcomes: Sequence[Outcome], asking: Asking, *, fills: bool = False
    ) -> tuple[Outcome, ...]:
        """Return the outcomes with what grants change; a ``never`` row stays as it is.

        Grants that only ``fills`` leave all that a row speaks of, or could have.
        """
        try:
            now = datetime.fromisoformat(asking.context.get("now", ""))
        except ValueError:
            return tuple(outcomes)
        if now.tzinfo is None:
            now = now.replace(tzinfo=UTC)
        count = self.count()
        held = [each.engine for each in self.granted if not each.lapsed(now, count)]
        return tuple(
            outcome
            if outcome.allowed or outcome.word is Word.NEVER or (fills and _spoken_of(outcome))
            else _over(outcome, held, asking)
            for outcome in outcomes
        )


def _spoken_of(outcome: Outcome) -> bool:
    """Say whether a row settles it, or could where it failed to be judged."""
    return outcome.word is not None or bool(outcome.error)


def _over(outcome: Outcome, engines: Iterable[Engine], asking: Asking) -> Outcome:
    for engine in engines:
        (found,) = engine.outcomes(asking, (outcome.fact,))
        if found.allowed:
            return found
    return outcome


def granted(grant: Grant, deadline: float, words: Vocabulary) -> Granted:
    """Check a grant as the loader checks a row, and make it ready. Raises PolicyError."""
    problems = [*_span_problems(grant), *_word_problems(grant)]
    if problems:
        raise PolicyError(tuple(problems))
    text = (
        f"# grant: {grant.reason}\n"
        f"p, {grant.subject}, *, {grant.action}, {'|'.join(grant.facts)}, "
        f"until={grant.ends.date().isoformat()}, except\n"
    )
    file = read_rules(Source("grant", "grant", text.encode()))
    problems = [*file.problems]
    for entry in file.entries:
        problems += row_problems(entry, words)
    if problems:
        raise PolicyError(tuple(problems))
    place = Location(f"{PLACE}{grant.id}")
    row = replace(row_of(file.entries[0]), id=grant.id, location=place, message=grant.reason)
    return Granted(grant, deadline, row, Engine([row]))


def _span_problems(grant: Grant) -> list[Problem]:
    if timedelta() < grant.ends - grant.began <= LONGEST:
        return []
    seconds = (grant.ends - grant.began).total_seconds()
    hours = LONGEST.total_seconds() / 3600
    return [_problem(f"lasts {seconds:.0f} seconds; expected more than none, at most {hours:g} h")]


def _word_problems(grant: Grant) -> list[Problem]:
    """Find what a row could not tell: it would be another row."""
    found = []
    if fault := fault_of(grant.subject, HOLDERS):
        found.append(_problem(f"subject is {fault[0]}", fault[1]))
    if not grant.facts:
        found.append(_problem("names no fact", "on:own"))
    if not grant.reason.strip() or not grant.reason.isprintable():
        found.append(_problem("has no reason on one line", "why this is needed"))
    elif len(grant.reason) > LONGEST_REASON:
        found.append(_problem(f"has a reason above {LONGEST_REASON} characters"))
    if not all(text.isprintable() for text in (grant.subject, grant.action, *grant.facts)):
        found.append(_problem("holds a line break, or another character that does not print"))
    return found


def _problem(message: str, suggestion: str = "") -> Problem:
    return Problem(Location("grant"), message, suggestion)
