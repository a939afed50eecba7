"""All that rows of one subject, tenant and action say of one kind of fact, indexed by value.

Exact values are looked up, globs by the text before their first wildcard,
ranges in a tree. What is left is asked one after the other: globs that begin
with a wildcard, and lists after ``!``. What has a placeholder in it waits for
a caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Final, NamedTuple

from authz.policy.comparison import UNKNOWN, Anything, Text, either
from authz.policy.decision import Row, Word
from authz.policy.entry import Entries, Entry, Glob, Match, sealed, unknowable
from authz.policy.glob import is_literal
from authz.policy.pattern import Alternative, Pattern
from authz.policy.placeholder import Fill, has_placeholder
from authz.policy.ranges import Range, Ranges
from authz.policy.rule import TAKING

SHOWN: Final = 5
"""Allow rows that a bucket remembers, to name them where nothing matched."""

_EMPTY: Final[Mapping[str, Entries]] = {}

Template = tuple[int, tuple[Alternative, ...], bool, str | None, Row]
"""Order, alternatives, negated, when, row."""


class Bucket(NamedTuple):
    """An index over rows. ``always`` is asked for every value but ``unknown``."""

    exact: Mapping[str, Entries]
    always: Entries
    prefixes: Mapping[str, Entries]
    ranges: Ranges | None
    templates: tuple[Template, ...]
    allowing: tuple[tuple[int, Row], ...]
    """The first rows that allow something of this kind, whatever the value."""


class Filling:
    """A bucket that is being filled, row by row."""

    __slots__ = ("_allowing", "_always", "_exact", "_prefixes", "_ranges", "_templates")

    def __init__(self) -> None:
        self._exact: dict[str, list[Entry]] = {}
        self._always: list[Entry] = []
        self._prefixes: dict[str, list[Entry]] = {}
        self._ranges: list[tuple[Range, Entry]] = []
        self._templates: list[Template] = []
        self._allowing: list[tuple[int, Row]] = []

    def everything(self, order: int, when: str | None, row: Row) -> None:
        """Take in a row whose fact is ``**``."""
        self._always.append((order, None, when, row))

    def add(
        self, order: int, pattern: Pattern, own: Sequence[Alternative], when: str | None, row: Row
    ) -> None:
        """Take in a row by the alternatives of it that are of this kind. Rows come in order."""
        if row.word is Word.ALLOW and len(self._allowing) < SHOWN:
            self._allowing.append((order, row))
        if pattern.negated:
            if any(map(_has_placeholder, own)):
                self._templates.append((order, tuple(own), True, when, row))
            else:
                self._always.append((order, _outside(own, Fill()), when, row))
            return
        for alternative in own:
            if _has_placeholder(alternative):
                self._templates.append((order, (alternative,), False, when, row))
            else:
                self._positive(alternative, order, when, row)

    def fill(self, template: Template, fill: Fill) -> None:
        """Take in what a template says for one caller.

        A caller called ``unknown`` does not write the value ``unknown``.
        """
        order, own, negated, when, row = template
        if negated:
            self._always.append((order, _outside(own, fill), when, row))
        elif (text := fill(own[0].text)) is not None:
            if text != UNKNOWN:
                self._text(text, order, when, row)
        elif row.word in TAKING:
            self._always.append((order, unknowable, when, row))

    def bucket(self) -> Bucket:
        """Return the index."""
        return Bucket(
            exact={text: sealed(found) for text, found in self._exact.items()} or _EMPTY,
            always=sealed(self._always),
            prefixes={text: sealed(found) for text, found in self._prefixes.items()} or _EMPTY,
            ranges=Ranges(self._ranges) if self._ranges else None,
            templates=tuple(self._templates),
            allowing=tuple(self._allowing),
        )

    def _positive(self, alternative: Alternative, order: int, when: str | None, row: Row) -> None:
        match alternative.matches:
            case Text(glob=glob):
                self._text(glob, order, when, row)
            case Anything():
                self._always.append((order, None, when, row))
            case given:
                self._ranges.append((given, (order, None, when, row)))

    def _text(self, glob: str, order: int, when: str | None, row: Row) -> None:
        """Take in a glob without placeholders.

        ``/x/**`` is ``/x`` and all that begins with ``/x/``; ``x**`` is all that
        begins with ``x``. Neither needs to be compared any further. A glob that
        covers ``unknown`` does not write it.
        """
        stem = glob.rstrip("*")
        stars = len(glob) - len(stem)
        if is_literal(glob):
            self._exact.setdefault(glob, []).append((order, None, when, row))
        elif stars > 1 and is_literal(stem):
            if stem.endswith("/") and stem not in ("/", f"{UNKNOWN}/"):
                self._exact.setdefault(stem[:-1], []).append((order, None, when, row))
            self._begins(stem, (order, None, when, row))
        else:
            self._begins(_prefix(glob), (order, _glob(glob), when, row))

    def _begins(self, prefix: str, entry: Entry) -> None:
        if prefix:
            self._prefixes.setdefault(prefix, []).append(entry)
        else:
            self._always.append(entry)


def _has_placeholder(alternative: Alternative) -> bool:
    return has_placeholder(alternative.text)


def _prefix(glob: str) -> str:
    """Return what every value begins with; ``/x?/**`` also is ``/x?``."""
    return glob[: min(at for at in (glob.find("*"), glob.find("?")) if at >= 0)]


@lru_cache(maxsize=1024)
def _glob(text: str) -> Match:
    """Return one object for equal globs that come close together, so that they can be told."""
    return Glob(text)


def _outside(own: Sequence[Alternative], fill: Fill) -> Match:
    """Return the match of a list after ``!``."""
    literal = all(isinstance(each.matches, Text) and is_literal(each.text) for each in own)
    if literal and not any(map(_has_placeholder, own)):
        return _literals(frozenset(each.text for each in own))
    return partial(_differs, tuple(own), fill)


@lru_cache(maxsize=1024)
def _literals(texts: frozenset[str]) -> Match:
    return lambda value: value not in texts


def _differs(own: tuple[Alternative, ...], fill: Fill, value: str) -> bool | None:
    found = either(each.matches(value, fill) for each in own)
    return None if found is None else not found
