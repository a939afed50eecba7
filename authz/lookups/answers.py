"""Sends each question to whoever can answer it."""

from collections.abc import Mapping

from authz.deadlines import Deadlines
from authz.facts.questions import Answer, Question, Topic
from authz.lookups.cache import KEPT, Cache
from authz.lookups.daemon import DaemonLookups
from authz.lookups.paths import PathLookups


class Lookups:
    """The daemon and the file system, as one that answers questions.

    With a ``cache`` some answers of the daemon are kept.
    """

    def __init__(
        self, daemon: DaemonLookups, paths: PathLookups, cache: Cache | None = None
    ) -> None:
        self._daemon = daemon
        self._paths = paths
        self._known = cache or daemon
        self._caches = cache is not None

    async def answer(self, question: Question) -> Answer:
        """Return the answer. Raises LookupFailedError where there is none."""
        if question.topic is Topic.PATH:
            return await self._paths.answer(question)
        return await self._known.answer(question)

    def ready(self, question: Question) -> bool:
        """Whether the daemon can be asked at once, without a task, and has to be."""
        if question.topic is Topic.PATH or (self._caches and question.topic in KEPT):
            return False
        return self._daemon.ready(question)

    async def answer_soon(self, question: Question, limits: Deadlines) -> Answer | None:
        """Do what :meth:`answer` does where that is ready; None where it was not, after all.

        Raises LookupFailedError, and TimeoutError by the limits.
        """
        return await self._daemon.answer_soon(question, limits)

    def at_hand(self, questions: tuple[Question, ...]) -> Mapping[Question, Answer]:
        """Return the answers that can be given without asking anybody."""
        return self._daemon.at_hand(questions)

    async def close(self) -> None:
        """Close the connections to the daemon."""
        await self._daemon.close()
