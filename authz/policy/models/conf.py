"""The strict reader of a ``model.conf`` that is not the reviewed one: a :class:`Model`, or why not.

Casbin reads the sections that it knows and the keys that it expects, and passes over the rest.
Here each line is read or told. It knows one file, and no rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from authz.errors import Problem, Severity
from authz.policy.models.expression import Column, Expression, Field, Rule, operands, walk
from authz.policy.models.grammar import FIELDS, WITH_DOMAIN, GrammarError, Names, parse
from authz.policy.source import Line, Source, split
from authz.policy.spelling import listed, nearest

SECTIONS: Final = {
    "request_definition": "r",
    "policy_definition": "p",
    "role_definition": "g",
    "policy_effect": "e",
    "matchers": "m",
}
"""Each section and the key in it."""
NEEDED: Final = ("sub", "act", "obj")
VERDICT: Final = "eft"
PRIORITY: Final = "priority"

_BLANK: Final = " \t"
_COLUMN = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ROLES = re.compile(r"g(?:[2-9])?")

_PLACES: Final = {"_,_": 2, "_,_,_": WITH_DOMAIN}


class Effect(Enum):
    """What follows from the rows that match, in Casbin's words."""

    ALLOW_OVERRIDE = "some(where (p.eft == allow))"
    ALLOW_AND_DENY = "some(where (p.eft == allow)) && !some(where (p.eft == deny))"
    PRIORITY = "priority(p.eft) || deny"


_REFUSED: Final = {
    "!some(where (p.eft == deny))": (
        "this effect allows whatever no row denies; here nothing is allowed without a row",
        Effect.ALLOW_AND_DENY.value,
    ),
    "subjectPriority(p.eft) || deny": (
        "the order of rows by how deep their subject stands is not supported",
        Effect.PRIORITY.value,
    ),
}


@dataclass(frozen=True, slots=True)
class Model:
    """A model within the subset. ``roles`` are role definitions and the number of their places.

    ``asked`` says for which field of the request each of them is asked, in the matcher or,
    once rows are read, in a rule.
    """

    fields: tuple[str, ...]
    columns: tuple[str, ...]
    roles: dict[str, int]
    effect: Effect
    matcher: Expression
    asked: dict[str, str]

    def names(self, *, evaluates: bool) -> Names:
        """Return what a matcher or a rule may speak of."""
        return Names(self.fields, self.columns, self.roles, self.asked, evaluates)


def read_other(source: Source) -> tuple[Model | None, tuple[Problem, ...]]:
    """Read a model. It is None where there are errors; warnings may stand beside one."""
    lines, problems = split(source)
    reader = _Reader(source, list(problems))
    for line in lines:
        reader.read(line)
    model = reader.finish()
    return model, tuple(reader.problems)


@dataclass(frozen=True, slots=True)
class _Definition:
    """What one key is defined as, and where that stands: ``at`` characters from the left."""

    line: Line
    value: str
    at: int

    def problem(self, offset: int, width: int, message: str, suggestion: str = "") -> Problem:
        return self.line.problem(self.at + offset + 1, width, message, suggestion)

    def whole(self, message: str, suggestion: str = "") -> Problem:
        return self.problem(0, len(self.value), message, suggestion)


@dataclass(slots=True)
class _Reader:
    source: Source
    problems: list[Problem]
    section: str = ""
    sections: set[str] = field(default_factory=set)
    found: dict[str, _Definition] = field(default_factory=dict)

    def read(self, line: Line) -> None:
        text = line.text.strip(_BLANK)
        if not text or text[0] in "#;":
            return
        if text.startswith("["):
            self._open(line, text)
        elif not self.section:
            self._tell(line, text, "the line stands in no section of a model")
        elif "=" not in text or text.endswith("\\"):
            self._tell(line, text, "the line is no definition on one line")
        else:
            self._define(line)

    def _open(self, line: Line, text: str) -> None:
        name = text.removeprefix("[").removesuffix("]")
        if name not in SECTIONS or not text.endswith("]"):
            expected = listed([f"[{each}]" for each in SECTIONS])
            near = nearest(name.strip(_BLANK), SECTIONS)
            hint = f"[{near}]" if near else ""
            self._tell(line, text, f"section is {text}; expected {expected}", hint)
            self.section = near
            return
        if name in self.sections:
            self._tell(line, text, f"{text} is given twice", "take one of them away")
        self.sections.add(name)
        self.section = name

    def _define(self, line: Line) -> None:
        head, _, value = line.text.partition("=")
        key = head.strip(_BLANK)
        wanted = SECTIONS[self.section]
        if key != wanted and not (wanted == "g" and _ROLES.fullmatch(key)):
            expected = "g, g2 and so on" if wanted == "g" else wanted
            self._tell(line, key, f'[{self.section}] defines "{key}"; expected {expected}')
        elif key in self.found:
            self._tell(line, key, f"{key} is given twice", "take one of them away")
        else:
            at = len(head) + 1 + len(value) - len(value.lstrip(_BLANK))
            self.found[key] = _Definition(line, value.strip(_BLANK), at)
            if "#" in value:
                definition = self.found[key]
                message = "a comment stands on a line of its own"
                self.problems.append(definition.problem(definition.value.index("#"), 1, message))

    def _tell(self, line: Line, text: str, message: str, suggestion: str = "") -> None:
        column = len(line.text) - len(line.text.lstrip(_BLANK)) + 1
        self.problems.append(line.problem(column, len(text), message, suggestion))

    def finish(self) -> Model | None:
        """Make the model of what was defined, where nothing is wrong."""
        missing = [name for name, key in SECTIONS.items() if key != "g" and key not in self.found]
        for name in () if self.problems else missing:
            self.problems.append(self.source.problem(f"[{name}] does not define {SECTIONS[name]}"))
        if self.problems:
            return None
        fields, columns = self._names("r", FIELDS), self._names("p", ())
        roles, effect = self._roles(), self._effect()
        for name in NEEDED:
            if name not in fields:
                message = f'"{name}" is missing: each request has it'
                self.problems.append(self.found["r"].whole(message, ", ".join((*fields, name))))
        if self.problems or effect is None:
            return None
        names = Names(fields, columns, roles)
        try:
            matcher = parse(self.found["m"].value, names)
        except GrammarError as error:
            self.problems.append(
                self.found["m"].problem(error.offset, error.width, error.message, error.suggestion)
            )
            return None
        model = Model(fields, columns, roles, effect, matcher, names.asked)
        self._advise(model)
        return model

    def _names(self, key: str, known: tuple[str, ...]) -> tuple[str, ...]:
        """Read a list of names; of ``known`` ones where there are some."""
        definition, names, at = self.found[key], list[str](), 0
        for part in definition.value.split(","):
            name = part.strip(_BLANK)
            wrong = ""
            if name in names:
                wrong = f'"{name}" is given twice'
            elif known and name not in known:
                wrong = f'"{name}" is nothing that a request has; expected {listed(known, "and")}'
            elif not _COLUMN.fullmatch(name):
                wrong = f'"{name}" is no name of a column'
            if wrong:
                offset = at + len(part) - len(part.lstrip(_BLANK))
                self.problems.append(
                    definition.problem(offset, len(name), wrong, nearest(name, known))
                )
            names.append(name)
            at += len(part) + 1
        return tuple(names)

    def _roles(self) -> dict[str, int]:
        given = sorted(key for key in self.found if key.startswith("g"))
        roles = {}
        for number, key in enumerate(given, start=1):
            definition = self.found[key]
            wanted = "g" if number == 1 else f"g{number}"
            if key != wanted:
                message = f'"{key}" has no "{wanted}" before it, so Casbin does not see it'
                self.problems.append(definition.whole(message))
            places = _PLACES.get(definition.value.replace(" ", "").replace("\t", ""))
            if places is None:
                message = f"'{definition.value}' is not supported; expected _, _ or _, _, _"
                self.problems.append(definition.whole(message))
            roles[key] = places or 2
        return roles

    def _effect(self) -> Effect | None:
        definition = self.found["e"]
        written = definition.value
        for effect in Effect:
            if effect.value == written:
                return effect
        message, suggestion = _REFUSED.get(written, ("", ""))
        if not message:
            choices = [each.value for each in Effect]
            message = f"effect is '{written}'; expected {listed(choices)}, spaces included"
            plain = written.replace(" ", "")
            spaced = [each for each in choices if each.replace(" ", "") == plain]
            suggestion = spaced[0] if spaced else nearest(written, choices)
        self.problems.append(definition.whole(message, suggestion))
        return None

    def _advise(self, model: Model) -> None:
        """Warn about what is defined and never asked for: a row would say it in vain."""
        asked = {operand for node in walk(model.matcher) for operand in operands(node)}
        names = [Field(each) for each in model.fields if each != "ctx"]
        told = [
            ("p", f"p.{each}")
            for each in model.columns
            if each not in (VERDICT, PRIORITY) and Column(each) not in asked
        ]
        if any(model.roles[each] == WITH_DOMAIN for each in model.asked):
            asked.add(Field("dom"))
        if not rule_columns(model):  # a rule may ask for anything
            told += [("r", f"r.{each.name}") for each in names if each not in asked]
            told += [(each, each) for each in model.roles if each not in model.asked]
        for key, name in told:
            problem = self.found[key].whole(f"the matcher never asks for {name}")
            self.problems.append(replace(problem, severity=Severity.WARNING))


def rule_columns(model: Model) -> tuple[str, ...]:
    """Return the columns that ``eval`` reads."""
    found = (each.column for each in walk(model.matcher) if isinstance(each, Rule))
    return tuple(dict.fromkeys(found))
