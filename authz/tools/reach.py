"""Which rows of a policy speak to a caller about an action, whatever the values.

The engine finds the one row that settles a fact. Whoever explains or compares
wants the others, too: those of the same kind that miss it, and those of roles
that the caller does not hold. It is asked seldom, so it walks through all rows.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from authz.errors import RefusedError
from authz.facts.facts import Fact
from authz.identity.identity import Identity
from authz.policy.decision import Row, Word
from authz.policy.placeholder import fill_for
from authz.policy.row_check import condition_of, pattern_of
from authz.policy.snapshot import Snapshot
from authz.policy.subject import ANYBODY
from authz.policy.vocabulary import ANYTHING

KEPT: Final = 1024
"""Callers, each with an action, whose rows are remembered."""


class Reach:
    """The rows of one policy, by whom they reach."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._cached = lru_cache(maxsize=KEPT)(self._rows)

    def held(self, identity: Identity) -> frozenset[str]:
        """Return the caller with everything that he holds; nothing for a pretender."""
        try:
            return self._snapshot.callers.caller(identity).held
        except RefusedError:
            return frozenset()

    def rows(self, identity: Identity, action: str) -> tuple[Row, ...]:
        """Return the rows that speak to this caller about this action."""
        return self._cached(self.held(identity), identity.domain, action)

    def near(self, identity: Identity, action: str, fact: Fact) -> list[Row]:
        """Return allow rows that name the fact's kind to this caller, and miss the fact."""
        return [
            row
            for row in self.rows(identity, action)
            if row.word is Word.ALLOW and fact.kind in pattern_of(row.fact).kinds
        ]

    def elsewhere(self, identity: Identity, action: str, fact: Fact) -> list[Row]:
        """Return allow rows that would match, were their subject held or the tenant another."""
        names = self._names(action)
        reached = {row.location for row in self.rows(identity, action)}
        fill = fill_for(identity)
        return [
            row
            for row in self._snapshot.bundle.rows
            if row.word is Word.ALLOW
            and row.action in names
            and row.location not in reached
            and pattern_of(row.fact).verdict(fact, fill)
        ]

    def readers(self, identity: Identity, action: str, kind: str) -> list[Row]:
        """Return the rows that look at the value of a kind: all but those for any value."""
        return [
            row
            for row in self.rows(identity, action)
            if any(
                each.kind == kind and each.text != "**"
                for each in pattern_of(row.fact).alternatives
            )
        ]

    def askers(self, identity: Identity, action: str, key: str) -> list[Row]:
        """Return the rows whose condition asks for a key."""
        rows = self.rows(identity, action)
        return [row for row in rows if key in condition_of(row.when).keys]

    def keys(self) -> tuple[str, ...]:
        """Return every key that any condition of the policy asks for."""
        found: set[str] = set()
        for when in {row.when for row in self._snapshot.bundle.rows}:
            found.update(condition_of(when).keys)
        return tuple(sorted(found))

    def _names(self, action: str) -> frozenset[str]:
        known = self._snapshot.names.get(action) or frozenset({action})
        return known | {ANYTHING}

    def _rows(self, held: frozenset[str], domain: str, action: str) -> tuple[Row, ...]:
        names = self._names(action)
        return tuple(
            row
            for row in self._snapshot.bundle.rows
            if row.action in names
            and (row.subject == ANYBODY or row.subject in held)
            and row.domain in (ANYBODY, domain)
        )
