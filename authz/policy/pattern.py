"""The fact column of a row: ``bind:/srv/**|bind.rw:/srv/scratch``.

A pattern is parsed once, when its row is loaded, and then judges one fact at a
time. It knows the closed list of kinds and how their values are compared. It
does not know rows, verdict words or who asks, but for what fills placeholders.

An answer is True, False, or None for "cannot be known": a placeholder that
nothing fills, or a limit on a value that is no number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Final

from authz.facts.catalogue import catalogue
from authz.facts.facts import Fact
from authz.policy.comparison import UNKNOWN, Comparison, Shape, comparison, either, shape_of
from authz.policy.glob import is_literal
from authz.policy.number import NumberError
from authz.policy.placeholder import NAMES, Fill, has_placeholder, touching, unknown_placeholder

EVERYTHING: Final = "**"
NAMED_ONLY: Final = frozenset({"field.unknown", "body.opaque"})
"""Kinds that ``**`` alone does not cover."""


Kinds = Mapping[str, Shape]


class PatternError(ValueError):
    """A pattern that cannot be read.

    ``offset`` counts characters from the start of its text to what is wrong
    there; ``suggestion`` is what to write instead of it, where that is clear.
    """

    def __init__(self, message: str, offset: int = 0, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of the values of a pattern, as written at ``offset`` of its text."""

    kind: str
    text: str
    offset: int
    matches: Comparison = field(compare=False, repr=False)

    @property
    def literal(self) -> bool:
        """Whether it stands for exactly one value, the text itself."""
        return is_literal(self.text) and not has_placeholder(self.text)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed fact column. Make one with :func:`parse`."""

    text: str
    alternatives: tuple[Alternative, ...]
    negated: bool = False

    @property
    def everything(self) -> bool:
        """Whether it is ``**`` alone: every kind."""
        return not self.alternatives

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds it names; empty for ``**``."""
        return frozenset(alternative.kind for alternative in self.alternatives)

    def reaches(self, kind: str) -> bool:
        """Say whether a fact of ``kind`` could match at all."""
        return kind not in NAMED_ONLY if self.everything else kind in self.kinds

    def verdict(self, fact: Fact, fill: Fill) -> bool | None:
        """Say whether ``fact`` matches; None where that cannot be known."""
        if self.everything:
            return fact.value != UNKNOWN and fact.kind not in NAMED_ONLY
        own = [each for each in self.alternatives if each.kind == fact.kind]
        if not own:
            return False
        if fact.value == UNKNOWN:
            return not self.negated and any(each.text == UNKNOWN for each in own)
        found = either(each.matches(fact.value, fill) for each in own)
        return not found if self.negated and found is not None else found


def written_out(fact: Fact) -> str:
    """Return what a row writes out where not all is known of a fact; nothing where all is."""
    if fact.value == UNKNOWN:
        return str(fact)
    return f"{fact.kind}:" if fact.kind in NAMED_ONLY else ""


@cache
def known_kinds() -> Kinds:
    """Return every kind of the catalogue, ``target.`` kinds included."""
    shapes = {kind.name: shape_of(kind.name, kind.value) for kind in catalogue().kinds.values()}
    targets = [kind.name for kind in catalogue().kinds.values() if kind.target]
    return shapes | {f"target.{name}": shapes[name] for name in targets}


def parse(text: str, kinds: Kinds) -> Pattern:
    """Read a fact column. Raises PatternError.

    ``kinds`` is the closed list by which a change of kind after a ``|`` is
    recognised; the catalogue's is :func:`known_kinds`.
    """
    if text == EVERYTHING:
        return Pattern(text, ())
    kind, values = _kind(text, kinds)
    negated = values.startswith("!")
    offset = len(kind) + 1 + negated
    alternatives: list[Alternative] = []
    for part in values.removeprefix("!").split("|"):
        head, colon, value = part.partition(":")
        if not (alternatives and colon and head in kinds):
            _check_switch(alternatives, head if colon else "", offset, kinds)
            head, value = kind, part
        elif negated:
            raise PatternError("a list after '!' cannot change its kind", offset)
        kind = head
        alternatives.append(_alternative(kind, value, offset + len(part) - len(value), kinds[kind]))
        offset += len(part) + 1
    return Pattern(text, tuple(alternatives), negated)


def _kind(text: str, kinds: Kinds) -> tuple[str, str]:
    kind, colon, values = text.partition(":")
    if text.startswith(f"{EVERYTHING}|"):
        message = "** stands alone; what it does not cover needs a row of its own"
        raise PatternError(message, 0, EVERYTHING)
    if kind not in kinds:
        close = get_close_matches(kind, [*kinds, EVERYTHING], n=1)
        suggestion = EVERYTHING if kind == "*" else "".join(close)
        raise PatternError(f"'{kind}' is not a kind of fact", 0, suggestion)
    if not colon:
        message = f"'{text}' lacks a value; expected kind:value"
        raise PatternError(message, 0, f"{text}:{EVERYTHING}")
    return kind, values


def _check_switch(before: list[Alternative], head: str, offset: int, kinds: Kinds) -> None:
    """Refuse a misspelt kind after a ``|``, which would pass for a value of the one before.

    A value that only looks like one may still stand first in a row of its own.
    """
    if not (before and head):
        return
    folded = {kind.casefold(): kind for kind in kinds}
    close = get_close_matches(head.casefold(), folded, n=1, cutoff=0.85)
    if close:
        raise PatternError(f"'{head}' is not a kind of fact", offset, folded[close[0]])


def _alternative(kind: str, text: str, offset: int, shape: Shape) -> Alternative:
    _check_spelling(kind, text, offset)
    _check_placeholders(text, offset)
    try:
        return Alternative(kind, text, offset, comparison(text, shape))
    except NumberError as error:
        raise PatternError(f"{kind}: {error.message}", offset, error.suggestion) from None


def _check_spelling(kind: str, text: str, offset: int) -> None:
    if not text:
        raise PatternError(f"an empty value of {kind}; write ** for any", offset)
    if text != text.strip():
        raise PatternError(f"'{text}' has space around it", offset, text.strip())
    if text.startswith("!"):
        raise PatternError("'!' stands once, before the first value of the list", offset, text[1:])


def _check_placeholders(text: str, offset: int) -> None:
    if "{" not in text:
        return
    if wrong := unknown_placeholder(text):
        close = get_close_matches(wrong[1], NAMES, n=1, cutoff=0.5)
        message = f"'{wrong[0]}' is not a placeholder; expected {{name}}, {{uid}} or {{tenant}}"
        suggestion = f"{{{close[0]}}}" if close else ""
        raise PatternError(message, offset + wrong.start(), suggestion)
    if (place := touching(text)) >= 0:
        raise PatternError("two placeholders need a character between them", offset + place)
