"""What is asked for one request, until nothing is left to ask.

It drives ``gate.survey`` and whoever answers questions, and bounds how many may be
asked and how often. It knows no time limit: that is the runner's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, TypeVar

from authz import gate
from authz.deadlines import Deadlines
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

Questions: TypeAlias = tuple[Question, ...]
Answered = TypeVar("Answered", bound=Answer | None)


class Lookups(Protocol):
    """Whoever answers questions."""

    async def answer(self, question: Question) -> Answer:
        """Return the answer. Raises LookupFailedError where there is none."""

    def ready(self, question: Question) -> bool:
        """Say whether ``answer_soon`` may answer, and that without a task."""

    async def answer_soon(self, question: Question, limits: Deadlines) -> Answer | None:
        """Do the same where that is ready; None where it was not. Raises TimeoutError as well."""

    def at_hand(self, questions: Questions) -> Mapping[Question, Answer]:
        """Return the answers that can be given without asking anybody."""


@dataclass(slots=True)
class Inquiry:
    """A request that is being surveyed: what was answered, and what is still open.

    ``facts`` are those of the request once there are no ``questions``.
    """

    prepared: gate.Prepared
    answers: dict[Question, Answer] = field(default_factory=dict)
    questions: Questions = ()
    facts: Facts = field(init=False)

    def survey(self) -> None:
        """Say what the request would do, or what must be asked. Raises RefusedError."""
        found = gate.survey(self.prepared, self.answers)
        if isinstance(found, Facts):
            self.facts, self.questions = found, ()
        else:
            self.questions = found


class Asker:
    """Asks the questions of all requests."""

    def __init__(self, lookups: Lookups, metrics: Metrics) -> None:
        self._lookups = lookups
        self._metrics = metrics
        self._room = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    def begin(self, prepared: gate.Prepared) -> Inquiry:
        """Survey a request by what is at hand, without waiting. Raises RefusedError."""
        inquiry = Inquiry(prepared)
        inquiry.survey()
        if inquiry.questions:
            known = self._lookups.at_hand(inquiry.questions)
            inquiry.answers.update(known)
            inquiry.questions = tuple([each for each in inquiry.questions if each not in known])
            if not inquiry.questions:
                inquiry.survey()
        return inquiry

    def ready(self, inquiry: Inquiry) -> bool:
        """Say whether what is open can be asked without a task: it is one question."""
        return len(inquiry.questions) == 1 and self._lookups.ready(inquiry.questions[0])

    async def ask_soon(self, inquiry: Inquiry, limits: Deadlines) -> None:
        """Ask what is ready. What is open then is for :meth:`ask_all`, in a task.

        Raises LookupFailedError, RefusedError, and TimeoutError by the limits.
        """
        question = inquiry.questions[0]
        answer = await self._counted(question, self._lookups.answer_soon(question, limits))
        if answer is not None:
            inquiry.answers[question] = answer
            inquiry.survey()

    async def ask_all(self, inquiry: Inquiry) -> None:
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

    async def _asked(self, questions: Questions) -> Mapping[Question, Answer]:
        """Ask all of these at once; the first failure ends the others."""
        if len(questions) == 1:  # no task for one
            return {questions[0]: await self.ask(questions[0])}
        tasks: dict[Question, asyncio.Task[Answer]] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for question in questions:
                    tasks[question] = group.create_task(self.ask(question))
        except* LookupFailedError as failures:
            raise LookupFailedError(str(failures.exceptions[0])) from failures
        return {question: task.result() for question, task in tasks.items()}

    async def ask(self, question: Question) -> Answer:
        """Ask one question, and count it. Raises LookupFailedError."""
        async with self._room:
            return await self._counted(question, self._lookups.answer(question))

    async def _counted(self, question: Question, asking: Awaitable[Answered]) -> Answered:
        count = self._metrics.lookups.count
        try:
            answer = await asking
        except LookupFailedError:
            count[question.topic, "failed"] += 1
            raise
        if answer is not None:
            count[question.topic, "missing" if answer is MISSING else "found"] += 1
        return answer
