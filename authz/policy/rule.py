"""A row with its place in the order of strength, and what of it may be in doubt.

``never`` outweighs ``except``, that ``deny``, and that ``allow``; among rows
of one word the first by file and line explains. Both engines take the order
from here, so that they name the same row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from authz.facts.facts import Fact
from authz.policy.asking import Asking
from authz.policy.condition import Condition
from authz.policy.decision import Row, Word
from authz.policy.pattern import Pattern
from authz.policy.row_check import condition_of, pattern_of

TAKING = (Word.NEVER, Word.DENY)
"""The words of rows that take away."""

_STRENGTH = {word: rank for rank, word in enumerate(Word)}


@dataclass(frozen=True, slots=True)
class Rule:
    """One row, parsed. ``order`` is its place among all rows, the strongest first."""

    row: Row
    pattern: Pattern
    condition: Condition
    order: int = 0

    @property
    def takes(self) -> bool:
        """Whether the row takes away."""
        return self.row.word in TAKING

    def doubt(self, fact: Fact, asking: Asking) -> str:
        """Say what about this row cannot be known for a fact; nothing where it all is."""
        if self.pattern.verdict(fact, asking.fill) is None:
            return f'the row\'s fact "{self.row.fact}" cannot be compared for this caller'
        if self.condition.verdict(asking.context) is None:
            return f'the row\'s condition "{self.row.when}" cannot be known'
        return ""


def rule_of(row: Row, order: int = 0) -> Rule:
    """Parse a row that the loader has accepted."""
    return Rule(row, pattern_of(row.fact), condition_of(row.when), order)


def by_strength(rows: Iterable[Row]) -> list[Row]:
    """Return the rows, the strongest first; their order in the policy does not matter."""
    return sorted(rows, key=lambda row: (_STRENGTH[row.word], row.location, row.id))
