"""What our reader makes of a request, with look-ups answered by the daemon itself.

Knows the steps of the gate before any policy; knows nothing of what the daemon does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from authz.docker import canonical
from authz.docker.request import ApiRequest
from authz.errors import RefusedError
from authz.facts import build
from authz.facts.facts import Fact, Facts
from authz.facts.questions import Answer, Question
from authz.identity.identity import Identity
from authz.wire.raw import Door, RawRequest

SOMEBODY = Identity("user:somebody")
_ROUNDS = 5

Ask = Callable[[Question], Answer]


@dataclass(frozen=True, slots=True)
class Reading:
    """One operation and its facts, or the refusal."""

    request: ApiRequest | None
    facts: tuple[Fact, ...] = ()
    refusal: RefusedError | None = None

    @property
    def told(self) -> frozenset[tuple[str, str]]:
        """The facts as pairs of kind and value."""
        return frozenset((fact.kind, fact.value) for fact in self.facts)


def parse(
    method: str,
    target: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    door: Door = Door.PLUGIN,
) -> Reading:
    """Read a request without describing it."""
    raw = RawRequest(method, target, tuple(headers), body, door=door)
    try:
        return Reading(canonical.canonical(raw))
    except RefusedError as refusal:
        return Reading(None, refusal=refusal)


def read(method: str, target: str, body: bytes, ask: Ask, door: Door = Door.PLUGIN) -> Reading:
    """Read and describe a request with a JSON body."""
    found = parse(method, target, [("Content-Type", "application/json")], body, door)
    if found.request is None:
        return found
    answers: dict[Question, Answer] = {}
    try:
        for _ in range(_ROUNDS):
            told = build.survey(found.request, SOMEBODY, answers)
            if isinstance(told, Facts):
                return Reading(found.request, told.facts)
            answers |= {question: ask(question) for question in told}
    except RefusedError as refusal:
        return Reading(found.request, refusal=refusal)
    raise AssertionError(f"answers raise further questions after {_ROUNDS} rounds")
