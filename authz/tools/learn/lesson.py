"""An audit, taken in: what went through, by who used it, as far as it needs a row.

What went through, in shadow mode or with permission, is what people need. What
the core pack allows anyway needs no row, and what it forbids no row can allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from authz.errors import RefusedError
from authz.facts.facts import Fact, Facts
from authz.identity.identity import NO_TENANT, Identity, Proof
from authz.policy.bundle import load_bundle
from authz.policy.decision import Word
from authz.policy.snapshot import Snapshot, compile_snapshot
from authz.policy.subject import ANYBODY
from authz.shipped import shipped
from authz.tools.drafts.dangers import dangers
from authz.tools.learn.generalise import generalised
from authz.tools.learn.uses import Holder, Seen, Use
from authz.tools.recorded import Recorded

CORE: Final = "core"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

GUARD: Final = "sockets"
"""The pack that takes the daemon's own paths away from everybody who did not use them."""


@dataclass(slots=True)
class Lesson:
    """What was recorded, gathered. ``passed_by`` counts what did not go through."""

    uses: dict[Holder, dict[Use, Seen]] = field(default_factory=dict)
    learned: int = 0
    passed_by: int = 0
    beyond: dict[str, int] = field(default_factory=dict)
    """Facts that a never row of the core pack denies, whatever a policy says."""
    unguarded: set[Holder] = field(default_factory=set)
    """Who used what the guard pack takes away."""
    _core: Snapshot = field(default_factory=lambda: _pack(CORE))
    _guard: Snapshot = field(default_factory=lambda: _pack(GUARD))

    def read(self, records: Iterable[Recorded]) -> None:
        """Take in what went through."""
        for recorded in records:
            if recorded.facts and recorded.went_through:
                self._take(recorded)
            else:
                self.passed_by += 1

    def _take(self, recorded: Recorded) -> None:
        who = recorded.identity
        domain = who.domain if who.domain != NO_TENANT else ANYBODY
        holder = Holder(who.subject, domain)
        uses = self.uses.setdefault(holder, {})
        self.learned += 1
        wanted = self._wanted(recorded)
        if wanted and self._taken_away(recorded, wanted):
            self.unguarded.add(holder)
        found: dict[Use, list[Fact]] = {}
        for fact in wanted:
            use = Use(recorded.action, fact.kind, generalised(who, fact))
            found.setdefault(use, []).append(fact)
        kinds: set[str] = set()
        for use, facts in found.items():
            seen = uses.setdefault(use, Seen())
            told = dangers(recorded.action, facts)
            seen.add(_day(recorded.time), told, leads=use.kind not in kinds)
            kinds.add(use.kind)

    def _wanted(self, recorded: Recorded) -> list[Fact]:
        """Return the facts that need a row."""
        wanted = []
        for outcome in recorded.judge(self._core).outcomes:
            if outcome.word is Word.NEVER:
                fact = str(outcome.fact)
                self.beyond[fact] = self.beyond.get(fact, 0) + 1
            elif not outcome.allowed:
                wanted.append(outcome.fact)
        return wanted

    def _taken_away(self, recorded: Recorded, wanted: list[Fact]) -> bool:
        """Say whether the guard pack would deny one of these."""
        lent = Identity(recorded.identity.subject, (f"pack:{GUARD}",), "", Proof.ASSUMED)
        try:
            facts = Facts(recorded.action, tuple(wanted))
            decision = self._guard.judge(lent, facts, recorded.context)
        except RefusedError:
            return False
        return any(outcome.row is not None for outcome in decision.outcomes)


def _day(time: str) -> str:
    """Return the day of a record; what is none must not get into a file of rows."""
    return time[:10] if _DAY.match(time) else "an unknown day"


def _pack(name: str) -> Snapshot:
    return compile_snapshot(load_bundle(shipped("policies", "packs", name)))
