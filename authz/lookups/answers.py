"""Sends each question to whoever can answer it."""

from collections.abc import Mapping

from authz.facts.questions import Answer, Question, Topic
from authz.lookups.daemon import DaemonLookups
from authz.lookups.paths import PathLookups


class Lookups:
    """The daemon and the file system, as one that answers questions."""

    def __init__(self, daemon: DaemonLookups, paths: PathLookups) -> None:
        self._daemon = daemon
        self._paths = paths

    async def answer(self, question: Question) -> Answer:
        """Return the answer. Raises LookupFailedError where there is none."""
        if question.topic is Topic.PATH:
            return await self._paths.answer(question)
        return await self._daemon.answer(question)

    def at_hand(self, questions: tuple[Question, ...]) -> Mapping[Question, Answer]:
        """Return the answers that can be given without asking anybody."""
        return self._daemon.at_hand(questions)

    async def close(self) -> None:
        """Close the connections to the daemon."""
        await self._daemon.close()
