"""What is legal in a policy and still odd: the warnings of ``check``.

Nothing here stops a load. It knows rows that have no mistakes, and reads them
as their author may not have meant them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from authz.errors import Problem, Severity
from authz.facts.catalogue import catalogue
from authz.identity.identity import ANONYMOUS, NO_TENANT
from authz.policy.aside import drain
from authz.policy.decision import Word
from authz.policy.pack_file import CORE, pack_of
from authz.policy.row_check import condition_of, pattern_of
from authz.policy.rule_file import Entry
from authz.policy.spelling import listed, nearest
from authz.policy.subject import ANYBODY, CALLERS, GROUPED, type_of
from authz.policy.vocabulary import Vocabulary

_GRANTS = (Word.ALLOW, Word.EXCEPT)
_HOST = ("bind", "bind.rw", "bind.over", "cap.add", "device", "device.rule")
"""Kinds of which every value together means the host."""
_STARS = ("*", "**")
TARGETS = frozenset({"own", "tenant", "foreign", "unowned", "new", "list", "host"})
"""Values of ``on`` that a row may name."""
_CALLERS_WORDS = ("name", "label.")
"""Conditions that a client fills itself when it creates something."""


def warnings(
    entries: Sequence[Entry], words: Vocabulary, *, today: date, alone: bool
) -> tuple[Problem, ...]:
    """Return every warning about a policy that loads, in the order of its rows.

    ``today`` tells exceptions that have ended; ``alone`` says that this is one
    pack, whose roles are somewhere else.
    """
    rows = [entry for entry in entries if entry.type == "p"]
    roles = _Roles(entries)
    found = [*_repeated(entries), *_overruled(rows)]
    for row in rows:
        found += _unreachable(row, today)
        found += _elsewhere(row, words)
        found += _named_by_the_caller(row, words)
        found += _anonymous(row, "subject")
        found += [] if alone or pack_of(row) == CORE else _unguarded(row, roles)
    for entry in entries:
        found += _anonymous(entry, "member") if entry.type == "g" else []
    found += [] if alone else roles.unheld(rows)
    return tuple(replace(each, severity=Severity.WARNING) for each in sorted(found))


class _Roles:
    """Who holds what, tenants aside."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._given: dict[str, set[str]] = {}
        self._guards: set[str] = set()
        for entry in entries:
            if entry.type == "g":
                self._given.setdefault(entry.text("member"), set()).add(entry.text("role"))
            elif entry.type == "p" and entry.text("verdict") == Word.DENY:
                self._guards.add(entry.text("subject"))
        callers = [member for member in self._given if type_of(member) not in GROUPED]
        self._held = self._closure(callers)
        self._led_to = {role for roles in self._given.values() for role in roles}

    def guarded(self, subject: str) -> bool:
        """Say whether a pack with deny rows is attached, directly or through roles."""
        return any(
            type_of(role) == "pack" and role in self._guards for role in self._closure([subject])
        )

    def unheld(self, rows: Iterable[Entry]) -> Iterator[Problem]:
        """Return the first row of each role or pack that nobody holds and nothing leads to."""
        seen: set[str] = set()
        for row in rows:
            subject = row.text("subject")
            if type_of(subject) not in GROUPED or subject in seen:
                continue
            seen.add(subject)
            if subject not in self._held and subject not in self._led_to:
                grant = f"g, user:NAME, {subject}, *"
                close = nearest(subject.partition(":")[2], self._names(type_of(subject)))
                hint = f"{type_of(subject)}:{close}, or {grant}" if close else grant
                yield row.problem("subject", f'nobody holds "{subject}"', hint)

    def _names(self, kind: str) -> list[str]:
        """Return the names of what is held of a type."""
        return [each.partition(":")[2] for each in self._held if type_of(each) == kind]

    def _closure(self, names: Iterable[str]) -> set[str]:
        todo = list(names)
        seen = set(todo)
        while todo:
            for role in self._given.get(todo.pop(), ()):
                if role not in seen:
                    seen.add(role)
                    todo.append(role)
        return seen


def _repeated(entries: Iterable[Entry]) -> Iterator[Problem]:
    first: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        key = (entry.type, *entry.texts)
        other = first.setdefault(key, entry)
        if other is not entry:
            yield entry.whole(f"the row says the same as {other.at}", "take one away")
    drain(first)


def _overruled(rows: Sequence[Entry]) -> Iterator[Problem]:
    """Find rows that say the opposite of a stronger one, word for word, and so settle nothing."""
    strength = {word.value: rank for rank, word in enumerate(Word)}
    strongest: dict[tuple[str, ...], Entry] = {}
    for row in rows:
        key = row.texts[:-1]
        other = strongest.setdefault(key, row)
        if strength[row.text("verdict")] < strength[other.text("verdict")]:
            strongest[key] = row
    for row in rows:
        other = strongest[row.texts[:-1]]
        if other.text("verdict") != row.text("verdict"):
            message = f"the row never settles anything: {other.at} says {other.text('verdict')}"
            yield row.problem("verdict", message, "take one away")
    drain(strongest)


def _unreachable(row: Entry, today: date) -> Iterator[Problem]:
    """Find rows that no request can match any more, or that nothing can fill."""
    until = condition_of(row.text("when")).until
    if until is not None and until < today:
        yield row.problem("when", f"the row ended on {until}", "take it away")
    fact = row.text("fact")
    kind = type_of(row.text("subject"))
    if "{uid}" in fact and kind in CALLERS and kind != "user":
        message = f"{{uid}} is never filled for {kind}: subjects"
        yield row.problem("fact", message, "{name}")
    if "{tenant}" in fact and row.text("domain") == NO_TENANT:
        message = f'{{tenant}} is never filled in the domain "{NO_TENANT}", which has none'
        yield row.problem("fact", message)


def _elsewhere(row: Entry, words: Vocabulary) -> Iterator[Problem]:
    """Find rows about targets none of which its actions have, such as a list of a create."""
    actions, pattern = words.actions(row.text("action")), pattern_of(row.text("fact"))
    possible = {on for action in actions for on in catalogue().targets[action] if on in TARGETS}
    named = [each for each in pattern.alternatives if each.kind == "on"]
    if named and not pattern.negated and all(each.text in TARGETS - possible for each in named):
        message = f'no request of "{row.text("action")}" yields on:{named[0].text}'
        expected = listed([f"on:{on}" for on in sorted(possible)])
        column = row["fact"].column + named[0].offset
        yield row.line.problem(column, len(named[0].text), f"{message}; expected {expected}")


def _named_by_the_caller(row: Entry, words: Vocabulary) -> Iterator[Problem]:
    """Find conditions on what a client itself says of the thing it creates."""
    keys = [key for key in condition_of(row.text("when")).keys if key.startswith(_CALLERS_WORDS)]
    creates = any(action.endswith(".create") for action in words.actions(row.text("action")))
    if keys and creates and row.text("verdict") in _GRANTS:
        message = f"{', '.join(keys)} is what the caller says when something is created"
        yield row.problem("when", message, "name the action that the condition is meant for")


def _anonymous(entry: Entry, column: str) -> Iterator[Problem]:
    if entry.text(column) == ANONYMOUS:
        message = f"{ANONYMOUS} is everybody who can reach the plugin's socket"
        yield entry.problem(column, message)


def _unguarded(row: Entry, roles: _Roles) -> Iterator[Problem]:
    subject = row.text("subject")
    fact = row.text("fact")
    if row.text("verdict") != Word.ALLOW or "*" not in fact or roles.guarded(subject):
        return
    pattern = pattern_of(fact)
    wide = pattern.everything or any(
        each.kind in _HOST and each.text in _STARS for each in pattern.alternatives
    )
    if wide:
        hint = "" if subject == ANYBODY else f"g, {subject}, pack:sockets, *"
        yield row.problem("fact", "a wide allow row, and no pack that takes away", hint)
