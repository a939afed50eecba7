"""A policy and a record: what the policy would still deny, and what of it was never used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from authz.policy.decision import Effect, Row, Word
from authz.policy.snapshot import Snapshot
from authz.tools.recorded import Recorded
from authz.tools.replay import Policy

GIVING: Final = (Word.ALLOW, Word.EXCEPT)


class Lack(NamedTuple):
    """A fact that somebody used and a policy does not allow."""

    subject: str
    action: str
    fact: str


@dataclass(slots=True)
class Rerun:
    """How what went through would fare under a policy."""

    judged: int = 0
    denied: int = 0
    lacks: dict[Lack, int] = field(default_factory=dict)


def rerun(records: Iterable[Recorded], snapshot: Snapshot) -> Rerun:
    """Judge what went through again."""
    policy, result = Policy(snapshot), Rerun()
    for recorded in records:
        if not recorded.facts or not recorded.went_through:
            continue
        result.judged += 1
        answer = policy.answer(recorded)
        if answer.effect is Effect.ALLOW:
            continue
        result.denied += 1
        for outcome in answer.outcomes:
            if not outcome.allowed:
                lack = Lack(recorded.identity.subject, recorded.action, str(outcome.fact))
                result.lacks[lack] = result.lacks.get(lack, 0) + 1
    return result


def unused(records: Iterable[Recorded], snapshot: Snapshot) -> tuple[Row, ...]:
    """Return the allow and except rows that settled no recorded fact, in their order."""
    policy = Policy(snapshot)
    used: set[Row] = set()
    for recorded in records:
        if recorded.facts:
            used.update(each.row for each in policy.answer(recorded).outcomes if each.row)
    rows = sorted(snapshot.bundle.rows, key=lambda row: row.location)
    return tuple(row for row in rows if row.word in GIVING and row not in used)
