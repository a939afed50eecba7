"""Rows of another model as an index: what judges requests where a bundle brings its own model.

Each fact is one question, as Casbin's ``enforce(r.sub, r.act, r.obj)`` is; the answer and the
row that explains it are those of stock Casbin over the same rows in the same order. Rows are
found by subject, tenant and action, and below that by what the fact begins with; what
the index leaves open is asked row by row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from heapq import merge
from typing import Final, NamedTuple

from authz.facts.facts import Fact, Facts
from authz.policy.caller import Caller
from authz.policy.comparison import UNKNOWN
from authz.policy.decision import Outcome, Row, Word
from authz.policy.models.conf import Effect, Model
from authz.policy.models.expression import Expression, keys
from authz.policy.models.predicate import (
    Asked,
    Place,
    Predicate,
    UnknownKeyError,
    equals,
    linked,
    needs,
)
from authz.policy.pattern import NAMED_ONLY, written_out
from authz.policy.roles import closure

PLANS: Final = 512
"""Callers, each with a tenant and an action, whose rows are kept at hand."""

_NOTHING: Final[frozenset[str]] = frozenset()
_VALUES: Final = re.compile(rf"[\w.-]+:{UNKNOWN}")
_KINDS: Final = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, sorted(NAMED_ONLY)))}):")
"""What an allow row must write out. It is no part of a longer kind, such as ``target.bind``."""

Links = Mapping[tuple[str, str], set[str]]
"""For a domain and a member the roles; the domain is ``*`` where a role definition has none."""


class Question(NamedTuple):
    """Who asks for what: everything but the fact. ``held`` is the closure of caller and groups."""

    subject: str
    held: frozenset[str]
    domain: str
    action: str


class Placed(NamedTuple):
    """A row in its place. ``written`` are all its texts; ``left`` is what it asks of a request."""

    row: Row
    left: Expression
    written: str


class _Entry(NamedTuple):
    order: int
    rest: Predicate | None
    row: Row
    told: frozenset[str]


@dataclass(slots=True)
class _Bucket:
    """The rows of one key by what a fact must be, or begin with."""

    exact: dict[str, list[_Entry]] = field(default_factory=dict)
    prefixes: dict[str, list[_Entry]] = field(default_factory=dict)
    lengths: tuple[int, ...] = ()

    def found(self, text: str) -> list[list[_Entry]]:
        found = [self.exact[text]] if text in self.exact else []
        prefixes = self.prefixes
        found += [prefixes[head] for size in self.lengths if (head := text[:size]) in prefixes]
        return found


@dataclass(frozen=True, slots=True)
class _Reach:
    """Role definitions: what each leads to, and the field for which it is asked."""

    links: Mapping[str, Links]
    asked: Mapping[str, str]

    def held(self, name: str, text: str, domain: str) -> dict[str, frozenset[str]]:
        """Return all that a field's text is linked to, by role definition."""
        return {
            roles: closure(self.links.get(roles, {}), (text,), domain)
            for roles, asked in self.asked.items()
            if asked == name
        }


class ModelEngine:
    """All rows of a bundle with its own model. Safe to use from several threads."""

    def __init__(self, model: Model, rows: Sequence[Placed], links: Mapping[str, Links]) -> None:
        """Take rows in the order in which Casbin visits them."""
        self._effect = model.effect
        known = rows if "ctx" in model.fields else ()
        self.asked = frozenset(key for placed in known for key in keys(placed.left))
        self._buckets: dict[Place, _Bucket] = {}
        for order, placed in enumerate(rows):
            need = needs(placed.left)
            bucket = self._buckets.setdefault(need.place, _Bucket())
            table = bucket.exact if need.exact else bucket.prefixes
            written = placed.written
            told = frozenset(_VALUES.findall(written) + _KINDS.findall(written)) or _NOTHING
            entry = _Entry(order, need.rest, placed.row, told)
            table.setdefault(need.prefix, []).append(entry)
        for bucket in self._buckets.values():
            bucket.lengths = tuple(sorted(set(map(len, bucket.prefixes))))
        self._reach = _Reach(links, {**model.asked})
        # INVARIANT: nothing here refers to the engine itself, so that it ends with its last user.
        self._plan = lru_cache(maxsize=PLANS)(partial(_planned, self._buckets, self._reach))

    def outcomes(
        self, subject: str, caller: Caller, facts: Facts, context: Mapping[str, str]
    ) -> tuple[Outcome, ...]:
        """Judge each fact alone."""
        question = Question(subject, caller.held, caller.domain, facts.action)
        plan = self._plan(question)
        return tuple([self._outcome(question, fact, context, *plan) for fact in facts.facts])

    def parts(self) -> Iterator[object]:
        """Return what the index is made of, the smallest parts first."""
        for bucket in self._buckets.values():
            yield from bucket.exact.values()
            yield from bucket.prefixes.values()
            yield bucket

    def _outcome(
        self,
        question: Question,
        fact: Fact,
        context: Mapping[str, str],
        buckets: tuple[_Bucket, ...],
        held: Mapping[str, frozenset[str]],
    ) -> Outcome:
        text = str(fact)
        if "\n" in text:  # which Casbin's expressions pass over at the end, and stop at elsewhere
            message = "a value with a line break cannot be compared by this model"
            return Outcome(fact, None, None, message)
        own = self._reach.held("obj", text, question.domain)
        texts = {
            "sub": question.subject,
            "dom": question.domain,
            "act": question.action,
            "obj": text,
        }
        asked = Asked(texts, context, {**held, **own} if own else held)
        entries = merge(*[each for bucket in buckets for each in bucket.found(text)])
        return self._settled(fact, asked, entries)

    def _settled(self, fact: Fact, asked: Asked, entries: Iterable[_Entry]) -> Outcome:
        """Visit rows in order until the effect is certain, as Casbin does."""
        named = written_out(fact)
        last: Row | None = None
        for _, rest, row, told in entries:
            gives = row.word is Word.ALLOW
            if gives and named and named not in told:
                continue
            try:
                if rest is not None and not rest(asked):
                    continue
            except UnknownKeyError as error:
                message = f'the row asks for "r.ctx.{error}", which is not known'
                return Outcome(fact, row.word, row, message)
            last = row
            if not gives or self._effect is not Effect.ALLOW_AND_DENY:
                break
        return Outcome(fact, last.word if last else None, last)


def _planned(
    table: Mapping[Place, _Bucket], reach: _Reach, question: Question
) -> tuple[tuple[_Bucket, ...], Mapping[str, frozenset[str]]]:
    """Return the rows that may speak of a caller and an action, and what those are linked to."""
    grouped = reach.held("act", question.action, question.domain)
    subjects = ["", equals(question.subject)]
    subjects += [linked("g", each) for each in sorted(question.held)]
    actions = ["", equals(question.action)]
    actions += [linked(roles, each) for roles, found in grouped.items() for each in sorted(found)]
    places = (
        (subject, domain, action)
        for subject in subjects
        for domain in ("", equals(question.domain))
        for action in actions
    )
    found = tuple([bucket for place in places if (bucket := table.get(place))])
    return found, {"g": question.held, **grouped}
