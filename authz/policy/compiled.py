"""The rows of a policy as an index: what judges requests.

Its answers are those of Casbin over the same rows, which the differential
tests hold it to; the time it takes does not depend on how many rows there are.
Rows are found by subject, tenant and action, with ``*`` as a value of each;
below that by the kind of fact (``plan``) and by its value (``bucket``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Final

from authz.facts.facts import Fact
from authz.policy.asking import Asking
from authz.policy.bucket import SHOWN, Filling
from authz.policy.condition import ALWAYS, Condition
from authz.policy.decision import Decision, Outcome, Row
from authz.policy.pattern import EVERYTHING
from authz.policy.placeholder import Fill
from authz.policy.plan import Block, Plan
from authz.policy.row_check import condition_of, pattern_of
from authz.policy.rule import by_strength, rule_of
from authz.policy.subject import ANYBODY
from authz.policy.vocabulary import ANYTHING

PLANS: Final = 512
"""Callers, each with a tenant and an action, whose plan is kept."""

Key = tuple[str, str, str]
"""Subject, tenant, action."""


class Engine:
    """All rows of a policy, ready to be asked. Safe to use from several threads."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._conditions: dict[str, Condition] = {}
        fillings: dict[Key, dict[str, Filling]] = defaultdict(lambda: defaultdict(Filling))
        for order, row in enumerate(by_strength(rows)):
            self._take(order, row, fillings[_key(row)])
        self._blocks: dict[Key, Block] = {}
        while fillings:
            key, kinds = fillings.popitem()
            self._blocks[key] = {kind: filling.bucket() for kind, filling in kinds.items()}
        self._subjects = frozenset(subject for subject, _, _ in self._blocks)
        self.asked = frozenset(key for each in self._conditions.values() for key in each.keys)
        """The keys that conditions ask for."""
        # INVARIANT: nothing here refers to the engine itself, so that it ends with its last user.
        self._plan = lru_cache(maxsize=PLANS)(partial(_planned, self._blocks, self._subjects))

    def outcomes(self, asking: Asking, facts: Iterable[Fact]) -> tuple[Outcome, ...]:
        """Judge each fact alone.

        A row that takes away and may match or not refuses, unless a row of the
        same word matches in any case: then the doubt does not matter. What
        depends on the fact alone is remembered: most facts of a caller come again.
        """
        plan = self._plan_of(asking)
        settled = plan.settled
        holds = _Holds(self._conditions, asking.context)
        return tuple([settled.get(fact) or _outcome(plan, fact, holds, asking) for fact in facts])

    def decided(self, asking: Asking, facts: tuple[Fact, ...]) -> Decision | None:
        """Return what was decided of these very facts, where that cannot have changed."""
        return self._plan_of(asking).decided.get(facts)

    def keep(self, asking: Asking, decision: Decision) -> None:
        """Remember a decision that follows from :meth:`outcomes` alone, if it may come again."""
        self._plan_of(asking).keep(decision)

    def nearest(self, asking: Asking, kinds: Collection[str], most: int = SHOWN) -> tuple[Row, ...]:
        """Return allow rows of this caller that name one of the kinds, at most so many."""
        return tuple(self._plan_of(asking).allowing(kinds)[: min(most, SHOWN)])

    def parts(self) -> Iterator[object]:
        """Return what the index is made of, the smallest parts first."""
        for block in self._blocks.values():
            for bucket in block.values():
                yield from bucket.exact.values()
                yield from bucket.prefixes.values()
                yield bucket
            yield block

    def _plan_of(self, asking: Asking) -> Plan:
        fill = tuple(asking.fill.values.items())
        return self._plan(asking.held, asking.domain, asking.names, fill)

    def _take(self, order: int, row: Row, kinds: dict[str, Filling]) -> None:
        when = None if row.when == ALWAYS else row.when
        if when is not None and when not in self._conditions:
            self._conditions[when] = condition_of(when)
        pattern = pattern_of(row.fact)
        if pattern.everything:
            kinds[EVERYTHING].everything(order, when, row)
        if len(pattern.alternatives) == 1:
            own = pattern.alternatives
            kinds[own[0].kind].add(order, pattern, own, when, row)
            return
        for kind in dict.fromkeys(each.kind for each in pattern.alternatives):
            several = [each for each in pattern.alternatives if each.kind == kind]
            kinds[kind].add(order, pattern, several, when, row)


def _outcome(plan: Plan, fact: Fact, holds: _Holds, asking: Asking) -> Outcome:
    """Judge one fact, and remember what comes out where no condition was asked for it."""
    holds.asked = False
    row, doubtful = plan[fact.kind].settle(fact.value, holds)
    if doubtful is not None and (row is None or row.word is not doubtful.word):
        error = rule_of(doubtful).doubt(fact, asking)
        return Outcome(fact, doubtful.word, doubtful, error)
    outcome = Outcome(fact, row.word if row else None, row)
    if not holds.asked and fact.memorable:
        plan.remember(outcome)
    return outcome


class _Holds(dict[str, bool | None]):
    """Which conditions hold in one request: each is found out once, when it is first asked.

    ``asked`` becomes true whenever one is asked for.
    """

    __slots__ = ("_conditions", "_context", "asked")

    def __init__(self, conditions: Mapping[str, Condition], context: Mapping[str, str]) -> None:
        self._conditions = conditions
        self._context = context
        self.asked = False

    def __getitem__(self, when: str) -> bool | None:
        self.asked = True
        return super().__getitem__(when)

    def __missing__(self, when: str) -> bool | None:
        found = self[when] = self._conditions[when].verdict(self._context)
        return found


def _key(row: Row) -> Key:
    return row.subject, row.domain, row.action


def _planned(  # noqa: PLR0913, PLR0917  what is compiled, and what is asked
    table: Mapping[Key, Block],
    subjects: frozenset[str],
    held: frozenset[str],
    domain: str,
    names: frozenset[str],
    fill: tuple[tuple[str, str], ...],
) -> Plan:
    keys = [
        (subject, where, action)
        for subject in sorted((held | {ANYBODY}) & subjects)
        for where in sorted({ANYBODY, domain})
        for action in sorted(names | {ANYTHING})
    ]
    blocks = [block for key in keys if (block := table.get(key))]
    return Plan(blocks, Fill(dict(fill)))
