"""What the rows of another model say, checked: each mistake that Casbin would pass over is told.

A column means what the matcher compares it with. A row that can match nothing because an
action, a kind or a subject is misspelt would be no row, and a deny row among them a
hole. It knows one row at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from authz.errors import Problem
from authz.facts.catalogue import catalogue
from authz.policy.decision import Row, Word
from authz.policy.links import TENANT
from authz.policy.models.conf import PRIORITY, VERDICT, Effect, Model, rule_columns
from authz.policy.models.engine import Placed
from authz.policy.models.expression import (
    CellError,
    Column,
    Equal,
    Expression,
    Field,
    Filling,
    Holds,
    Match,
    Text,
    filled,
    walk,
)
from authz.policy.models.functions import pattern_of
from authz.policy.models.grammar import GrammarError, parse
from authz.policy.models.rows import ModelEntry
from authz.policy.pattern import PatternError, known_kinds
from authz.policy.spelling import listed, nearest
from authz.policy.subject import CALLERS, fault_of

HOLDERS: Final = (*CALLERS, "group", "role")
"""The types of whoever a row can speak of; packs belong to the reviewed model."""

_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_WILD = re.compile(r"[*?]")

Uses = Mapping[str, frozenset[tuple[str, str]]]
"""For each column the ways in which the matcher compares it: how, and with which field."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the columns of a model mean. ``texts`` are what the matcher compares each with."""

    model: Model
    uses: Uses
    texts: Mapping[str, frozenset[str]]
    groups: frozenset[str]
    """Names that rows of role definitions make for actions and facts."""

    def column_of(self, name: str) -> str:
        """Return the column that is compared with a field of the request; nothing where none is."""
        return next(
            (each for each, uses in self.uses.items() if {f for _, f in uses} == {name}), ""
        )


def meaning_of(model: Model, groups: Iterable[str]) -> Meaning:
    """Look at the matcher once for all rows."""
    uses: dict[str, set[tuple[str, str]]] = {name: set() for name in model.columns}
    texts: dict[str, set[str]] = {name: set() for name in model.columns}
    for node in walk(model.matcher):
        match node:
            case Equal(Field(field), Column(name)) | Equal(Column(name), Field(field)):
                uses[name].add(("==", field))
            case Equal(Column(name), Text(text)) | Equal(Text(text), Column(name)):
                texts[name].add(text)
            case Match(function, Field(field), Column(name), _):
                uses[name].add((function, field))
            case Holds(roles, field, Column(name)):
                uses[name].add((roles, field))
    return Meaning(
        model,
        {name: frozenset(each) for name, each in uses.items()},
        {name: frozenset(each) for name, each in texts.items()},
        frozenset(groups),
    )


def placed(entry: ModelEntry, meaning: Meaning) -> tuple[Placed | None, list[Problem]]:
    """Return a row ready to be placed, or all that is wrong with it."""
    problems = list(_verdict_problems(entry, meaning.model))
    problems += [
        found for name in meaning.model.columns if (found := _cell_problem(entry, name, meaning))
    ]
    left, more = _left(entry, meaning.model)
    problems += more
    if left is None or problems:
        return None, problems
    problems += _glob_problems(entry, left)
    return Placed(row_of(entry, meaning), left, "\n".join(entry.texts)), problems


def row_of(entry: ModelEntry, meaning: Meaning) -> Row:
    """Return a row as the rest of Dockgate knows rows; what it has no place for is its ``when``."""
    texts = dict(entry.values)
    word = Word(texts.pop(VERDICT, Word.ALLOW))
    subject, domain, action, fact = (
        texts.pop(meaning.column_of(name), "*") for name in ("sub", "dom", "act", "obj")
    )
    when = "; ".join(f"{name}={text}" for name, text in texts.items()) or "*"
    return Row(
        subject,
        domain,
        action,
        fact,
        when,
        word,
        entry.id,
        entry.location,
        entry.note.message,
        entry.note.controls,
    )


def _left(entry: ModelEntry, model: Model) -> tuple[Expression | None, list[Problem]]:
    rules, problems = dict[str, Expression](), list[Problem]()
    for name in rule_columns(model):
        cell = entry[name]
        try:
            rules[name] = parse(cell.text, model.names(evaluates=False))
        except GrammarError as error:
            at = cell.column + error.offset
            problems.append(entry.line.problem(at, error.width, error.message, error.suggestion))
    if problems:
        return None, problems
    try:
        return filled(model.matcher, Filling(entry.values, rules, pattern_of)), []
    except CellError as error:
        fault = error.fault
        at = entry[error.column].column + fault.offset
        return None, [entry.line.problem(at, 1, fault.message, fault.suggestion)]


def _verdict_problems(entry: ModelEntry, model: Model) -> Iterator[Problem]:
    texts = entry.values
    if PRIORITY in texts and not _NUMBER.fullmatch(texts[PRIORITY]):
        message = f'{PRIORITY} is "{texts[PRIORITY]}"; expected a number of at most nine digits'
        yield entry.problem(PRIORITY, message)
    word = texts.get(VERDICT, Word.ALLOW)
    if word not in (Word.ALLOW, Word.DENY):
        message = f'{VERDICT} is "{word}"; expected allow or deny'
        yield entry.problem(VERDICT, message, nearest(word, (Word.ALLOW, Word.DENY)))
    elif word == Word.DENY and model.effect is Effect.ALLOW_OVERRIDE:
        message = f'the effect "{model.effect.value}" never looks at deny rows'
        yield entry.problem(VERDICT, message, f"e = {Effect.ALLOW_AND_DENY.value}")


def _glob_problems(entry: ModelEntry, left: Expression) -> list[Problem]:
    """Refuse to deny by what does not match names with a leading dot."""
    if entry.values.get(VERDICT) != Word.DENY:
        return []
    globs = [
        each.written.value
        for each in walk(left)
        if isinstance(each, Match)
        and each.function == "globMatch"
        and isinstance(each.written, Text)
    ]
    message = "globMatch never matches a name with a leading dot, so a deny row would miss it"
    return [entry.whole(message, "keyMatch or keyMatch3") for text in globs if _WILD.search(text)]


def _cell_problem(entry: ModelEntry, name: str, meaning: Meaning) -> Problem | None:
    """Check a column that is compared with one field alone, but for texts of the matcher."""
    text, uses = entry[name].text, meaning.uses[name]
    fields = {field for _, field in uses}
    if len(fields) != 1 or text in meaning.texts[name]:
        return None
    ways = {way for way, _ in uses}
    check = {"sub": _subject, "dom": _domain, "act": _action, "obj": _fact}.get(fields.pop())
    fault = check(text, ways, meaning) if check else None
    return entry.problem(name, *fault) if fault else None


Fault = tuple[str, str] | None


def _subject(text: str, ways: set[str], _meaning: Meaning) -> Fault:
    if not ways <= {"==", "g"}:
        return None
    fault = fault_of(text, HOLDERS if "g" in ways else CALLERS)
    if fault and "g" not in ways and fault_of(text, HOLDERS) is None:
        return f"{fault[0]}; == compares with the caller alone, g(r.sub, ...) with all he holds", ""
    return fault


def _domain(text: str, ways: set[str], _meaning: Meaning) -> Fault:
    if ways != {"=="} or TENANT.fullmatch(text):
        return None
    return f'"{text}" is not the name of a tenant, and the matcher does not compare with it', ""


def _action(text: str, ways: set[str], meaning: Meaning) -> Fault:
    actions = catalogue().actions
    if text in actions or (text in meaning.groups and ways & meaning.model.roles.keys()):
        return None
    for function in ways - {"==", *meaning.model.roles}:
        try:
            pattern = pattern_of(function, text)
        except PatternError:
            return None  # told where it is compiled
        if any(pattern.fits(action) for action in actions):
            return None
    known = actions if ways == {"=="} else (*actions, *meaning.groups)
    return f'"{text}" is no action, and matches none', nearest(text, known)


def _fact(text: str, ways: set[str], meaning: Meaning) -> Fault:
    kinds = known_kinds()
    kind, colon, _ = text.partition(":")
    if (colon and kind in kinds) or (text in meaning.groups and ways & meaning.model.roles.keys()):
        return None
    functions = ways - {"==", *meaning.model.roles}
    for function in functions:
        try:
            prefix = pattern_of(function, text).prefix
        except PatternError:
            return None  # told where it is compiled
        head, colon, _ = prefix.partition(":")
        if head in kinds if colon else any(each.startswith(head) for each in kinds):
            return None
    expected = "a fact such as bind:/srv/data"
    near = nearest(kind, kinds)
    message = f'"{text}" begins with no kind of facts; expected {expected}'
    return message, f"{near}:{text.partition(':')[2]}" if near and colon else ""


def group_faults(
    entry: ModelEntry, field: str, groups: frozenset[str]
) -> Iterator[tuple[str, str, str]]:
    """Say what is wrong with the row of a role definition, by column."""
    member, role = entry["member"].text, entry["role"].text
    if field == "sub":
        for name, text, types in (("member", member, HOLDERS), ("role", role, ("role",))):
            if fault := fault_of(text, types):
                yield name, *fault
    elif field == "act" and member not in catalogue().actions and member not in groups:
        yield "member", f'"{member}" is no action', nearest(member, catalogue().actions)
    elif field == "obj" and member.partition(":")[0] not in known_kinds() and member not in groups:
        message = (
            f'"{member}" begins with no kind of facts; expected {listed(["bind:/srv", "on:own"])}'
        )
        yield "member", message, ""
    if "domain" in entry.values and not TENANT.fullmatch(entry["domain"].text):
        message = f'domain is "{entry["domain"].text}"; expected the name of one tenant'
        yield "domain", f"{message}: Casbin knows no * there", ""
