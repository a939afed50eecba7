"""Rows that a stronger row makes useless: whatever they say, it has the last word.

It compares patterns, and is careful: a row is named only where nothing that it
matches can escape the other. What it does not see is no proof of use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from authz.errors import Problem
from authz.facts.facts import Fact
from authz.policy.decision import Word
from authz.policy.pattern import EVERYTHING, Alternative, Pattern
from authz.policy.placeholder import Fill, has_placeholder
from authz.policy.row_check import pattern_of
from authz.policy.rule_file import Entry
from authz.policy.subject import ANYBODY
from authz.policy.vocabulary import ANYTHING, Vocabulary

CROWD = 200
"""Rows that one row is compared with; in a policy of many thousands there may be more."""

_STRENGTH = {word.value: rank for rank, word in enumerate(Word)}
_DEEP = "/**"

Index = Mapping[tuple[str, str], Sequence[Entry]]


def covered(entries: Sequence[Entry], words: Vocabulary) -> Iterator[Problem]:
    """Return a problem for each row that never settles anything because of another one.

    Rows that say the same word for word are told elsewhere.
    """
    rows = [entry for entry in entries if entry.type == "p"]
    index = _taking(rows)
    holds = _held(entries)
    for row in rows:
        for other in _stronger(row, index, holds):
            if _covers(other, row, words):
                name = other.line.source.name
                says = f"{name}:{other.line.number} says {other.text('verdict')}"
                yield row.problem("fact", f"the row never settles anything: {says} to all of it")
                break


def _taking(rows: Iterable[Entry]) -> Index:
    """Return the rows that take away in any case, by subject and kind."""
    found: dict[tuple[str, str], list[Entry]] = {}
    for row in rows:
        if row.text("verdict") not in (Word.NEVER, Word.DENY) or row.text("when") != ANYTHING:
            continue
        pattern = pattern_of(row.text("fact"))
        for kind in pattern.kinds or (EVERYTHING,):
            found.setdefault((row.text("subject"), kind), []).append(row)
    return found


def _held(entries: Iterable[Entry]) -> Mapping[str, set[str]]:
    """Return what each name leads to in every tenant, in one step."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        if entry.type == "g" and entry.text("domain") == ANYBODY:
            found.setdefault(entry.text("member"), set()).add(entry.text("role"))
    return found


def _stronger(row: Entry, index: Index, holds: Mapping[str, set[str]]) -> Iterator[Entry]:
    """Return rows of a stronger word that reach everybody whom this one reaches."""
    kinds = [*pattern_of(row.text("fact")).kinds, EVERYTHING]
    for subject in _closure(row.text("subject"), holds):
        for kind in kinds:
            for other in index.get((subject, kind), ())[:CROWD]:
                if _STRENGTH[other.text("verdict")] < _STRENGTH[row.text("verdict")]:
                    yield other


def _closure(subject: str, holds: Mapping[str, set[str]]) -> list[str]:
    seen, todo = {ANYBODY, subject}, [subject]
    while todo:
        new = holds.get(todo.pop(), set()) - seen
        seen |= new
        todo += new
    return sorted(seen)


def _covers(other: Entry, row: Entry, words: Vocabulary) -> bool:
    same = other.texts[:-1] == row.texts[:-1]
    wide = other.text("domain") in (ANYBODY, row.text("domain"))
    if same or not wide:
        return False
    if other.text("action") != ANYTHING:
        actions = words.actions(row.text("action"))
        if not actions or not actions <= words.actions(other.text("action")):
            return False
    return _wider(pattern_of(other.text("fact")), pattern_of(row.text("fact")))


def _wider(other: Pattern, pattern: Pattern) -> bool:
    """Say whether every fact that ``pattern`` matches is matched by ``other`` as well."""
    if pattern.everything or pattern.negated:
        return pattern.text == other.text
    return all(_reaches(other, each) for each in pattern.alternatives)


def _reaches(other: Pattern, each: Alternative) -> bool:
    if each.literal:
        return other.verdict(Fact(each.kind, each.text), Fill()) is True
    if other.everything or other.negated:
        return other.everything and other.reaches(each.kind)
    own = [mine.text for mine in other.alternatives if mine.kind == each.kind]
    return any(_contains(text, each.text) for text in own)


def _contains(glob: str, text: str) -> bool:
    """Say whether a glob matches whatever another one matches, as far as that is plain to see."""
    if glob in (text, EVERYTHING):
        return not has_placeholder(glob) or glob == text
    stem = glob.removesuffix(_DEEP)
    plain = stem != glob and not set(stem) & set("*?{")
    return plain and text.startswith(f"{stem}/")
