"""What one ``p`` row says, checked against the catalogue, and the row as a value.

Every mistake of a row is told, each at the field or the alternative that is
wrong. This module knows the columns of a row; how a pattern and a condition
are written is known by ``pattern`` and ``condition``.
"""

from __future__ import annotations

from functools import lru_cache

from authz.errors import Problem
from authz.facts.catalogue import TARGET, catalogue
from authz.policy.condition import Condition, ConditionError
from authz.policy.condition import parse as parse_condition
from authz.policy.decision import Row, Word
from authz.policy.links import domain_problem
from authz.policy.pattern import Alternative, Pattern, PatternError, known_kinds
from authz.policy.pattern import parse as parse_pattern
from authz.policy.rule_file import Entry
from authz.policy.spelling import listed, nearest
from authz.policy.subject import ANYBODY, fault_of
from authz.policy.vocabulary import ANYTHING, Vocabulary

_WORDS = tuple(word.value for word in Word)
_GRANTS = (Word.ALLOW, Word.EXCEPT)
KEPT = 32768
"""Columns that are not parsed again."""
MAX_NAMED = 6
"""Actions that a suggestion names."""


def row_problems(entry: Entry, words: Vocabulary) -> list[Problem]:
    """Return everything that is wrong with one row."""
    return [
        *_subject_problems(entry),
        *filter(None, (domain_problem(entry),)),
        *_action_problems(entry, words),
        *_fact_problems(entry, words),
        *_condition_problems(entry),
        *_verdict_problems(entry),
    ]


def row_of(entry: Entry) -> Row:
    """Return a row without mistakes as a value."""
    subject, domain, action, fact, when, verdict = entry.texts
    return Row(
        subject=subject,
        domain=domain,
        action=action,
        fact=fact,
        when=when,
        word=Word(verdict),
        id=entry.id,
        location=entry.location,
        message=entry.note.message,
        controls=entry.note.controls,
    )


@lru_cache(maxsize=KEPT)
def pattern_of(text: str) -> Pattern:
    """Parse a fact column. Raises PatternError."""
    return parse_pattern(text, known_kinds())


@lru_cache(maxsize=KEPT)
def condition_of(text: str) -> Condition:
    """Parse a when column. Raises ConditionError."""
    return parse_condition(text)


def forget_columns() -> None:
    """Let go of what was parsed for a load: whoever judges keeps what he needs of it."""
    pattern_of.cache_clear()
    condition_of.cache_clear()


def _subject_problems(entry: Entry) -> list[Problem]:
    subject = entry.text("subject")
    fault = None if subject == ANYBODY else fault_of(subject)
    return [entry.problem("subject", *fault)] if fault else []


def _action_problems(entry: Entry, words: Vocabulary) -> list[Problem]:
    action = entry.text("action")
    if action == ANYTHING or action in words.known or action in words.excused:
        return []
    message = f'action is "{action}"; expected *, an action or a group of actions'
    return [entry.problem("action", message, nearest(action, words.known))]


def _verdict_problems(entry: Entry) -> list[Problem]:
    word = entry.text("verdict")
    if word not in _WORDS:
        message = f'verdict is "{word}"; expected {listed(_WORDS)}'
        return [entry.problem("verdict", message, nearest(word, _WORDS))]
    return _exception_problems(entry) if word == Word.EXCEPT else []


def _exception_problems(entry: Entry) -> list[Problem]:
    """Insist that an exception, which outweighs deny rows, is narrow and says why."""
    found = []
    if entry.text("action") == ANYTHING:
        message = "an exception names its actions; * would outweigh every deny row"
        found.append(entry.problem("action", message))
    if entry.text("fact") == "**":
        message = "an exception names its facts; ** would outweigh every deny row"
        found.append(entry.problem("fact", message))
    if not entry.note.message:
        message = "an exception needs a reason in the comment above it"
        found.append(entry.problem("verdict", message, "# an-id: why this is needed"))
    return found


def _fact_problems(entry: Entry, words: Vocabulary) -> list[Problem]:
    text = entry.text("fact")
    try:
        pattern = pattern_of(text)
    except PatternError as error:
        cell, rest = entry["fact"], text[error.offset :].partition("|")[0]
        return [
            entry.line.problem(
                cell.column + error.offset, len(rest), error.message, error.suggestion
            )
        ]
    found = _negation_problems(entry, pattern)
    for alternative in pattern.alternatives:
        found += _alternative_problems(entry, words, alternative)
    return found


def _negation_problems(entry: Entry, pattern: Pattern) -> list[Problem]:
    if not pattern.negated or entry.text("verdict") not in _GRANTS:
        return []
    cell = entry["fact"]
    message = "'!' stands in deny and never rows only: nobody can say what else it would allow"
    column = cell.column + cell.text.index("!")
    return [entry.line.problem(column, 1, message, "write out the values that are meant")]


def _alternative_problems(
    entry: Entry, words: Vocabulary, alternative: Alternative
) -> list[Problem]:
    """Check kind and value of one alternative, and whether the action can yield it at all."""
    kind, text, action = alternative.kind, alternative.text, entry.text("action")
    yielded = _yielded(action, kind, words)
    fault = catalogue().pattern_problem(kind.removeprefix(TARGET), text)
    if yielded and not fault:
        return []
    column, width = entry["fact"].column + alternative.offset, len(text)
    found = []
    if not yielded:
        message = f'no request of "{action}" yields "{kind}" facts'
        found.append(entry.line.problem(column, width, message, _yielding(kind)))
    if fault:
        found.append(entry.line.problem(column, width, *fault))
    return found


def _yielded(action: str, kind: str, words: Vocabulary) -> bool:
    actions = words.actions(action)
    return not actions or any(catalogue().can_yield(each, kind) for each in actions)


def _yielding(kind: str) -> str:
    """Name the actions that do yield a kind, where they are few."""
    actions = sorted(each for each in catalogue().actions if catalogue().can_yield(each, kind))
    return listed(actions) if 0 < len(actions) <= MAX_NAMED else ""


def _condition_problems(entry: Entry) -> list[Problem]:
    text, word = entry.text("when"), entry.text("verdict")
    if text == ANYTHING and word != Word.EXCEPT:
        return []
    cell = entry["when"]
    try:
        condition = condition_of(text)
    except ConditionError as error:
        rest = cell.text[error.offset :].partition(" & ")[0]
        column = cell.column + error.offset
        return [entry.line.problem(column, len(rest), error.message, error.suggestion)]
    found = _image_problems(entry, condition)
    if condition.until is not None and word in (Word.DENY, Word.NEVER):
        message = f"a {word} row has no end; until stands in allow and except rows only"
        column = cell.column + condition.until_offset
        found.append(entry.line.problem(column, len("until=YYYY-MM-DD"), message, "take it away"))
    if condition.until is None and word == Word.EXCEPT:
        message = "an exception ends; expected a condition until=YYYY-MM-DD"
        more = "until=YYYY-MM-DD" if cell.text == ANYTHING else f"{cell.text} & until=YYYY-MM-DD"
        found.append(entry.problem("when", message, more))
    return found


def _image_problems(entry: Entry, condition: Condition) -> list[Problem]:
    """Check images in a condition as those in a fact column; the empty one is "no image"."""
    return [
        entry.line.problem(entry["when"].column + choice.offset, len(choice.text), *fault)
        for clause in condition.clauses
        if clause.key == "image"
        for choice in clause.choices
        if choice.text and (fault := catalogue().pattern_problem("image", choice.text))
    ]
