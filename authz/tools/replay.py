"""What another policy would have said to what was recorded.

Every recorded decision is judged again, with the caller, the facts and the time
of then. What is the same is counted, what is different is grouped by who asked
for what and which fact made the difference. It reads a stream and keeps groups,
so that a day of records needs no more memory than an hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from authz.facts.facts import ALL_LABELS, Fact
from authz.policy.decision import Decision, Effect, Outcome, Word
from authz.policy.explain import place
from authz.policy.snapshot import Snapshot
from authz.tools.drafts.rows import HIDDEN
from authz.tools.reach import Reach
from authz.tools.recorded import Recorded

EXAMPLES: Final = 3
"""Requests that are named for each group."""

MOST_GROUPS: Final = 10_000
"""Groups that are kept apart; what comes after them is counted together."""

REMEMBERED: Final = 20_000
"""Judgements that are not made twice; equal records are many."""

NO_ROW: Final = "no row"
_NO_FACT: Final = Fact("", "")


class Change(NamedTuple):
    """What tells one group of changed decisions from another.

    ``row`` is what settles the fact under the new policy.
    """

    subject: str
    action: str
    fact: str
    before: Effect
    after: Effect
    row: str


@dataclass(slots=True)
class Group:
    """Equal changes: how many, and the first ids."""

    count: int = 0
    examples: list[str] = field(default_factory=list)


class _Answer(NamedTuple):
    """What a policy says to a record, as far as it is compared."""

    effect: Effect
    outcomes: tuple[Outcome, ...]


class Policy:
    """A snapshot that is asked about many records, most of them alike."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._reach = Reach(snapshot)
        self._keys = self._reach.keys()
        self._known: dict[object, _Answer] = {}

    def answer(self, recorded: Recorded) -> _Answer:
        """Judge, or remember."""
        key = self._key(recorded)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            decision: Decision = recorded.judge(self.snapshot)
            found = self._known[key] = _Answer(decision.effect, decision.outcomes)
        return found

    def blind(self, recorded: Recorded) -> list[str]:
        """Name the rows that read a value which the record hides."""
        who, action = recorded.identity, recorded.action
        rows = [
            row
            for fact in recorded.facts
            if "digest:" in fact.value and HIDDEN.search(fact.value)
            for row in self._reach.readers(who, action, fact.kind)
        ]
        rows += [
            row
            for key in self._keys
            if HIDDEN.search(recorded.context.get(key, ""))
            for row in self._reach.askers(who, action, key)
        ]
        return list(dict.fromkeys(map(place, rows)))

    def _key(self, recorded: Recorded) -> object:
        """Return all that the answer depends on: of the time only its day."""
        context, who = recorded.context, recorded.identity
        labels = context.get(ALL_LABELS)
        asked = tuple([context.get(key) for key in self._keys])
        day = context.get("now", "")[:10]
        return recorded.action, recorded.facts, who, labels, asked, day


@dataclass(slots=True)
class Replay:
    """A new policy against the record, or against another policy."""

    new: Policy
    old: Policy | None = None
    judged: int = 0
    changed: int = 0
    refused: int = 0
    """Decisions without facts: refused before any policy was asked."""
    unsettled: int = 0
    """Decisions that could not be judged again, for the rows of ``blind``."""
    uncounted: int = 0
    """Changes for which there was no group any more."""
    blind: dict[str, int] = field(default_factory=dict)
    groups: dict[Change, Group] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """How many decisions were read."""
        return self.judged + self.refused + self.unsettled

    def read(self, records: Iterable[Recorded]) -> None:
        """Judge every decision again."""
        for recorded in records:
            self.take(recorded)

    def take(self, recorded: Recorded) -> None:
        """Judge one decision again."""
        if not recorded.facts:
            self.refused += 1
            return
        if blind := self._blind(recorded):
            self.unsettled += 1
            for row in blind:
                self.blind[row] = self.blind.get(row, 0) + 1
            return
        self.judged += 1
        before = self.old.answer(recorded).effect if self.old else recorded.verdict
        after = self.new.answer(recorded)
        if before is not after.effect:
            self._changed(recorded, before, after)

    def _blind(self, recorded: Recorded) -> list[str]:
        found = self.new.blind(recorded)
        return [*found, *(self.old.blind(recorded) if self.old else ())]

    def _changed(self, recorded: Recorded, before: Effect, after: _Answer) -> None:
        self.changed += 1
        for fact, row in self._differing(recorded, after):
            change = Change(
                recorded.identity.subject, recorded.action, str(fact), before, after.effect, row
            )
            group = self.groups.get(change)
            if group is None:
                if len(self.groups) >= MOST_GROUPS:
                    self.uncounted += 1
                    continue
                group = self.groups[change] = Group()
            group.count += 1
            if len(group.examples) < EXAMPLES:
                group.examples.append(recorded.id)

    def _differing(self, recorded: Recorded, after: _Answer) -> list[tuple[Fact, str]]:
        """Return the facts that made the difference, with what settles them now."""
        if after.effect is Effect.ALLOW:
            failed = self._failed_before(recorded)
            found = [each for each in after.outcomes if each.fact in failed]
        else:
            found = [each for each in after.outcomes if not each.allowed]
        return [(each.fact, place(each.row) if each.row else NO_ROW) for each in found] or [
            (_NO_FACT, NO_ROW)
        ]

    def _failed_before(self, recorded: Recorded) -> frozenset[Fact]:
        if self.old:
            answer = self.old.answer(recorded)
            return frozenset(each.fact for each in answer.outcomes if not each.allowed)
        written = zip(recorded.facts, recorded.document["facts"], strict=True)
        return frozenset(fact for fact, each in written if not _allowed(each))


def _allowed(fact: Mapping[str, Any]) -> bool:
    return fact["verdict"] in (Word.ALLOW, Word.EXCEPT) and "error" not in fact


def as_json(replay: Replay) -> dict[str, Any]:
    """Return the result for a program: the biggest groups first."""
    return {
        "policy": replay.new.snapshot.digest,
        "against": replay.old.snapshot.digest if replay.old else None,
        "judged": replay.judged,
        "changed": replay.changed,
        "refused": replay.refused,
        "unsettled": replay.unsettled,
        "unsettled_by": replay.blind,
        "uncounted": replay.uncounted,
        "changes": [
            {
                "subject": change.subject,
                "action": change.action,
                "fact": change.fact,
                "before": change.before.value,
                "after": change.after.value,
                "row": change.row,
                "count": group.count,
                "examples": group.examples,
            }
            for change, group in biggest(replay)
        ],
    }


def biggest(replay: Replay) -> list[tuple[Change, Group]]:
    """Return the groups, the biggest first."""
    return sorted(replay.groups.items(), key=lambda each: (-each[1].count, each[0]))
