"""What the policy said: the value that stage 5 makes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from authz.errors import Location, Reason
from authz.facts.facts import Fact


class Word(StrEnum):
    """The verdict words of a row, strongest first."""

    NEVER = "never"
    EXCEPT = "except"
    DENY = "deny"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class Row:
    """One ``p`` row as its author wrote it.

    ``id`` is the name given in the comment above it, else ``file:line``;
    ``message`` the text after the name, ``controls`` the ids in its brackets.
    ``location.file`` is relative to the bundle (``policy.csv``,
    ``packs/pss-baseline.csv``).
    """

    subject: str
    domain: str
    action: str
    fact: str
    when: str
    word: Word
    id: str
    location: Location
    message: str = ""
    controls: tuple[str, ...] = ()

    @property
    def at(self) -> str:
        """Where the row stands: ``file:line``, or the name of what is no file."""
        where = self.location
        return f"{where.file}:{where.line}" if where.line else where.file


class Outcome(NamedTuple):
    """What became of one fact. ``row`` is None where no row speaks of it.

    ``word`` is None then, too. ``error`` says why a deny or never row could
    not be evaluated; such a fact is refused.
    """

    fact: Fact
    word: Word | None
    row: Row | None = None
    error: str = ""

    @property
    def allowed(self) -> bool:
        """Whether this fact may be."""
        return not self.error and self.word in (Word.ALLOW, Word.EXCEPT)


class Effect(StrEnum):
    """The verdict on a request. The gate refuses; only a policy denies."""

    ALLOW = "allow"
    DENY = "deny"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Decision:
    """The judgement of every fact, combined. An empty ``outcomes`` never allows."""

    effect: Effect
    reason: Reason
    outcomes: tuple[Outcome, ...] = ()
    nearest: tuple[Row, ...] = ()
    """For facts that no row allows: allow rows of the same kind with another value."""
