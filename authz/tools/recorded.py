"""Decisions out of an audit, ready to be judged again: for explain, replay and learn.

It knows the members of a record that a judgement needs. It trusts no line: one
that is no record is told by its number, and what is no decision is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from authz.audit.chain import Kind
from authz.audit.reader import DAMAGED, Entry, read, whole
from authz.errors import ConfigurationError, RefusedError
from authz.facts.facts import Fact, Facts
from authz.identity.identity import Identity, Proof
from authz.policy.combine import combine
from authz.policy.decision import Decision, Effect
from authz.policy.snapshot import Snapshot

MOST_TOLD: Final = 100
"""Unreadable lines that are told one by one."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One decision as it was written down.

    ``facts`` is empty where the request was refused before anybody could say
    what it would do. ``enforced`` is False where shadow mode let it through.
    ``document`` is the whole record.
    """

    id: str
    time: str
    identity: Identity
    action: str
    facts: tuple[Fact, ...]
    context: Mapping[str, str]
    verdict: Effect
    enforced: bool
    policy: str
    document: Mapping[str, Any] = field(compare=False, repr=False)

    @property
    def went_through(self) -> bool:
        """Whether the daemon did it."""
        return self.verdict is Effect.ALLOW or not self.enforced

    def judge(self, snapshot: Snapshot) -> Decision:
        """Let a policy speak on what was recorded, with the caller and the time of then."""
        try:
            return snapshot.judge(self.identity, Facts(self.action, self.facts), self.context)
        except RefusedError:  # who bears a name that only policies give is allowed nothing
            return combine(())


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no record, counted from 1."""

    file: str
    line: int
    problem: str

    def __str__(self) -> str:
        """Print as ``file:line: what is wrong``."""
        return f"{self.file}:{self.line}: {self.problem}"


class Reading:
    """The decisions of an audit, in order; afterwards also what else was there.

    The closed and compressed files beside it are a part of it. ``unreadable`` has
    the first lines that are no records, ``broken`` counts all of them, ``others``
    the records of something else than a decision.
    """

    def __init__(self, audit: Path) -> None:
        self._audit = audit
        self.unreadable: list[Unreadable] = []
        self.broken = self.others = 0

    def __iter__(self) -> Iterator[Recorded]:
        """Read the files. Raises ConfigurationError where one cannot be read to its end."""
        for entry in read(whole([self._audit])):
            if entry.problem == DAMAGED:
                raise ConfigurationError(f"audit {entry.path}: {DAMAGED}")
            if entry.problem:
                self._tell(entry, entry.problem)
            elif entry.kind != Kind.DECISION:
                self.others += 1
            elif (found := _read(entry.record)) is not None:
                yield found
            else:
                self._tell(entry, "is JSON but no record of a decision")

    def _tell(self, entry: Entry, problem: str) -> None:
        self.broken += 1
        if len(self.unreadable) < MOST_TOLD:
            self.unreadable.append(Unreadable(str(entry.path), entry.line, problem))


def find(request_id: str, audit: Path) -> Recorded | None:
    """Return the decision with this id; None where there is none. Its case does not matter."""
    wanted = request_id.upper()
    return next((each for each in Reading(audit) if each.id.upper() == wanted), None)


def _read(record: Mapping[str, Any]) -> Recorded | None:
    try:
        return recorded(record)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def recorded(document: Mapping[str, Any]) -> Recorded:
    """Read the members of a record. Raises what Python raises where they are of another form."""
    who, asked = document["identity"] or {}, document["request"] or {}
    for each in (asked.get("method"), asked.get("target"), document.get("detail")):
        _text(each or "")
    context = {key: text for key, text in document["context"].items() if text is not None}
    for value in context.values():
        _text(value)
    return Recorded(
        id=_text(document["id"]),
        time=_text(document["time"]),
        identity=_identity(who),
        action=_text(asked.get("action") or ""),
        facts=tuple([_fact(each["fact"], "looked_up" in each) for each in document["facts"]]),
        context=context,
        verdict=Effect(document["verdict"]),
        enforced=bool(document["enforced"]),
        policy=_text(document["policy"] or ""),
        document=document,
    )


def _text(value: object) -> str:
    """Return a text as it is. Raises TypeError where it is something else."""
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _identity(who: Mapping[str, Any]) -> Identity:
    return Identity(
        subject=_text(who.get("subject") or ""),
        groups=tuple(map(_text, who.get("groups") or ())),
        tenant=_text(who.get("tenant") or ""),
        proof=Proof(who.get("proof") or "none"),
        uid=who.get("uid"),
    )


@lru_cache(maxsize=16_384)
def _fact(text: str, looked_up: bool) -> Fact:  # noqa: FBT001  a key, part by part
    """Return one object for equal facts: most records say the same."""
    kind, _, value = text.partition(":")
    return Fact(kind, value, looked_up)
