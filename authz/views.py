"""What somebody may see of an answer that tells of many objects.

Each object is judged as if he inspected it, by the policy and the grants of now.
What cannot be judged is not shown. It drives the gate and whoever answers
questions; it knows no bytes, and no time limit but that of a look-up.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

import structlog

from authz import gate
from authz.audit.record import Mode
from authz.errors import LookupFailedError, RefusedError
from authz.facts.facts import LABEL, Facts
from authz.facts.known import UNKNOWN
from authz.facts.listings import Sighting
from authz.facts.questions import Answer, Question
from authz.identity.identity import Identity
from authz.inquiry import MOST_ROUNDS, Asker, Inquiry
from authz.metrics import Metrics
from authz.policy.current import CurrentPolicy
from authz.policy.decision import Effect
from authz.policy.snapshot import Snapshot

AT_ONCE: Final = 4
"""Look-ups of one answer at once: requests that wait for theirs go first."""

PAUSE: Final = 64
"""Objects that are judged before others have their turn."""

MOST_REMEMBERED: Final = 1024
"""Objects of a stream of events of which it is known what they were."""

_Place: TypeAlias = tuple[str, str]
"""An object: how it is inspected, and what by."""

log = structlog.get_logger(__name__)


class Sight(StrEnum):
    """What became of an object."""

    SHOWN = "shown"
    HIDDEN = "hidden"
    """He may not inspect it."""
    FAILED = "failed"
    """It could not be judged."""


@dataclass(frozen=True, slots=True)
class Around:
    """What all views use."""

    asker: Asker
    limits: gate.Limits
    metrics: Metrics
    mode: Mode
    now: Callable[[], datetime]


@dataclass(slots=True)
class View:
    """The eyes of one caller, for one request. ``identity`` can be renewed while it lasts."""

    around: Around
    policy: CurrentPolicy
    standing: gate.Standing
    identity: Identity
    _remembered: dict[_Place, Facts] = field(default_factory=dict)

    @property
    def shows_all(self) -> bool:
        """Whether it is only written down what would not be seen."""
        return self.around.mode is Mode.SHADOW

    async def look(self, groups: Sequence[Sequence[Sighting]]) -> list[Sight]:
        """Say of each group whether all its objects may be seen. One that is empty may not.

        Raises nothing.
        """
        look = _Look(self, self.policy.snapshot)
        cases: list[list[_Case]] = []
        for count, group in enumerate(groups, 1):
            cases.append([look.begin(each) for each in group])
            if not count % PAUSE:
                await asyncio.sleep(0)
        await look.settle([case for group in cases for case in group])
        found = [_together(group) for group in cases]
        for sight, number in Counter(found).items():
            self.around.metrics.entries.labels(sight.value).inc(number)
        return found

    def known(self, sighting: Sighting, facts: Facts | None) -> Facts | None:
        """Remember what is known of an object; return what was known of one that is gone.

        An inspection would find nothing and be judged by that; but the answer
        tells of something. So it is with a task whose service is gone.
        """
        place = sighting.operation, sighting.key
        if facts is None:
            return self._remembered.get(place)
        self._remembered.pop(place, None)
        self._remembered[place] = facts
        if len(self._remembered) > MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        return facts


@dataclass(slots=True)
class _Case:
    """One object that is being judged, by a document with doubtful conditions in it."""

    sighting: Sighting
    inquiry: Inquiry
    doubtful: frozenset[str]
    sight: Sight | None = None


class _Look:
    """One look at an answer: all its objects are judged by one policy, at one time."""

    def __init__(self, view: View, snapshot: Snapshot) -> None:
        self._view = view
        self._snapshot = snapshot
        self._asked = {_stem(key) for key in snapshot.asked}
        self._now = view.around.now()
        self._answers: dict[Question, Answer] = {}

    def begin(self, sighting: Sighting) -> _Case:
        """Judge an object by what the answer tells of it, where that settles it."""
        case = _Case(sighting, self._inquiry(sighting), sighting.doubtful)
        if sighting.question is not None and sighting.document is not None:
            case.inquiry.answers[sighting.question] = sighting.document
        self._step(case)
        return case

    async def settle(self, cases: Sequence[_Case]) -> None:
        """Look up what is open. What is open after all rounds has no sight."""
        for _ in range(MOST_ROUNDS):
            cases = [case for case in cases if case.sight is None]
            if not cases:
                return
            await self._ask(cases)
            for case in cases:
                self._go_on(case)

    def _inquiry(self, sighting: Sighting) -> Inquiry:
        view = self._view
        request = sighting.request(view.standing.request.version)
        limits = view.around.limits
        raw = view.standing.raw
        return Inquiry(gate.Prepared(raw, request, view.identity, self._snapshot, limits))

    def _go_on(self, case: _Case) -> None:
        """Take the answers; an object about which a question has none cannot be judged."""
        for question in case.inquiry.questions:
            if question not in self._answers:
                case.sight = Sight.FAILED
                return
            case.inquiry.answers[question] = self._answers[question]
        self._step(case)

    def _step(self, case: _Case) -> None:
        """Judge an object, or say what must be asked."""
        try:
            case.inquiry.survey()
            if not case.inquiry.questions:
                self._judge(case)
        except RefusedError:
            case.sight = Sight.FAILED
        except Exception:
            log.exception("entry.judgement_failed")
            case.sight = Sight.FAILED

    def _judge(self, case: _Case) -> None:
        """Judge, and where a doubt may have hidden the object, have it looked up."""
        prepared, question = case.inquiry.prepared, case.sighting.question
        # What is there is somebody's: "unknown" is for names that nothing has.
        gone = any(fact.kind == "on" and fact.value == UNKNOWN for fact in case.inquiry.facts.facts)
        facts = self._view.known(case.sighting, None if gone else _certain(case))
        if facts is None:
            case.sight = Sight.HIDDEN
            return
        context = gate.context(prepared, facts, self._now)
        decision = gate.judge(prepared.identity, facts, context, prepared.snapshot)
        if decision.effect is Effect.ALLOW:
            case.sight = Sight.SHOWN
        elif question is not None and case.doubtful & self._asked:
            case.inquiry, case.doubtful = self._inquiry(case.sighting), frozenset()
            case.inquiry.questions = (question,)
        else:
            case.sight = Sight.HIDDEN

    async def _ask(self, cases: Sequence[_Case]) -> None:
        """Ask what is open, each once and a few at once; a failure leaves its question out."""
        wanted = dict.fromkeys(each for case in cases for each in case.inquiry.questions)
        left = [each for each in wanted if each not in self._answers]
        for at in range(0, len(left), AT_ONCE):
            await asyncio.gather(*map(self._look_up, left[at : at + AT_ONCE]))

    async def _look_up(self, question: Question) -> None:
        with suppress(LookupFailedError):
            self._answers[question] = await self._view.around.asker.ask(question)


def _certain(case: _Case) -> Facts:
    """Return the facts with those conditions alone that are certain: the others are not known."""
    facts = case.inquiry.facts
    if not case.doubtful:
        return facts
    known = {k: v for k, v in facts.conditions.items() if _stem(k) not in case.doubtful}
    return replace(facts, conditions=known)


def _stem(key: str) -> str:
    return LABEL if key.startswith(LABEL) else key


def _together(cases: Sequence[_Case]) -> Sight:
    """Say what becomes of something that tells of all these objects."""
    sights = {case.sight or Sight.FAILED for case in cases} or {Sight.FAILED}
    return next(each for each in (Sight.FAILED, Sight.HIDDEN, Sight.SHOWN) if each in sights)
