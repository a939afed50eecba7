"""Puts the gate's questions to the look-ups, until the facts are complete.

One request may ask much, and an answer can raise further questions, so all of it
is bounded; the time is the runner's to bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from authz import gate
from authz.errors import LookupFailedError, Reason, RefusedError
from authz.facts.facts import Facts
from authz.facts.questions import MISSING, Answer, Question
from authz.metrics import Metrics

MOST_ROUNDS = 4
"""An exec names its container, that its volumes, those a path of the host."""

MOST_QUESTIONS = 128
"""Look-ups for one request. An ordinary create needs two."""

LOOKUPS_AT_ONCE = 16
"""Look-ups of all requests together; further ones wait within their time."""


class Lookups(Protocol):
    """Whoever answers questions."""

    async def answer(self, question: Question) -> Answer:
        """Return the answer. Raises LookupFailedError where there is none."""

    def at_hand(self) -> Mapping[Question, Answer]:
        """Return what can be told without asking anybody."""


@dataclass(slots=True)
class Inquiry:
    """A request that is being surveyed: what was answered, and what is still open.

    ``facts`` are those of the request once there are no ``questions``.
    """

    prepared: gate.Prepared
    answers: dict[Question, Answer]
    questions: tuple[Question, ...] = ()
    facts: Facts = field(init=False)

    def survey(self) -> None:
        """Say what the request would do, or what must be asked. Raises RefusedError."""
        found = gate.survey(self.prepared, self.answers)
        if isinstance(found, Facts):
            self.facts, self.questions = found, ()
        else:
            self.questions = found


class Inquirer:
    """Asks ``lookups``, and counts their answers in ``metrics``."""

    def __init__(self, lookups: Lookups, metrics: Metrics) -> None:
        self._lookups = lookups
        self._counted = metrics.lookups
        self._room = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    def begin(self, prepared: gate.Prepared) -> Inquiry:
        """Survey a request with what is at hand; waits for nobody. Raises RefusedError."""
        inquiry = Inquiry(prepared, dict(self._lookups.at_hand()))
        inquiry.survey()
        return inquiry

    async def finish(self, inquiry: Inquiry) -> None:
        """Ask until nothing is left to ask. Raises LookupFailedError, or RefusedError."""
        for _ in range(MOST_ROUNDS):
            if not inquiry.questions:
                return
            if len(inquiry.answers) + len(inquiry.questions) > MOST_QUESTIONS:
                problem = f"the request refers to more than {MOST_QUESTIONS} objects"
                raise RefusedError(Reason.TOO_MANY_FACTS, problem)
            inquiry.answers |= await self._asked(inquiry.questions)
            inquiry.survey()
        if inquiry.questions:
            raise LookupFailedError(f"answers raise further questions after {MOST_ROUNDS} rounds")

    async def _asked(self, questions: Iterable[Question]) -> Mapping[Question, Answer]:
        """Ask all of these at once; the first failure ends the others."""
        tasks: dict[Question, asyncio.Task[Answer]] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for question in questions:
                    tasks[question] = group.create_task(self._ask(question))
        except* LookupFailedError as failures:
            raise LookupFailedError(str(failures.exceptions[0])) from failures
        return {question: task.result() for question, task in tasks.items()}

    async def _ask(self, question: Question) -> Answer:
        async with self._room:
            try:
                answer = await self._lookups.answer(question)
            except LookupFailedError:
                self._counted.labels(question.topic.value, "failed").inc()
                raise
        self._counted.labels(
            question.topic.value, "missing" if answer is MISSING else "found"
        ).inc()
        return answer
