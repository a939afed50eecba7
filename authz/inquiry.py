"""Puts the gate's questions to the look-ups, until the facts are complete.

One request may ask much, and an answer can raise further questions, so all of it
is bounded; the time is the runner's to bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Protocol

from authz import gate
from authz.errors import LookupFailedError, Reason, RefusedError
from authz.facts.facts import Facts
from authz.facts.questions import MISSING, Answer, Answers, Question
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


class Inquiry:
    """Asks ``lookups``, and counts their answers in ``metrics``."""

    def __init__(self, lookups: Lookups, metrics: Metrics) -> None:
        self._lookups = lookups
        self._counted = metrics.lookups
        self._room = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def facts(
        self, prepared: gate.Prepared, questions: tuple[Question, ...] = ()
    ) -> tuple[Facts, Answers]:
        """Return what the request would do, and the answers that say so.

        ``questions`` are the first ones, where they are known already. Raises
        LookupFailedError, or RefusedError.
        """
        answers: dict[Question, Answer] = {}
        found = questions or gate.survey(prepared, answers)
        for _ in range(MOST_ROUNDS):
            if isinstance(found, Facts):
                break
            if len(answers) + len(found) > MOST_QUESTIONS:
                problem = f"the request refers to more than {MOST_QUESTIONS} objects"
                raise RefusedError(Reason.TOO_MANY_FACTS, problem)
            answers |= await self._asked(found)
            found = gate.survey(prepared, answers)
        if isinstance(found, Facts):
            return found, answers
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
