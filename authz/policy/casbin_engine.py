"""The rows of a policy, evaluated by stock Casbin: the only module that imports it.

No request is judged here: this is what the compiled engine is compared with.
Casbin gets the reviewed model, rows sorted by the strength of their words, the
two functions of the model, and role managers that answer from closures. So
neither its limits of depth nor the memory of its own role graph matter. Rows
that cannot match are left out before it sees them, and it never sees an empty
policy, which it would evaluate once with empty fields.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Any, Final

import casbin

from authz.facts.facts import Fact
from authz.policy.asking import Asking
from authz.policy.decision import Outcome, Row, Word
from authz.policy.model_file import model_text
from authz.policy.rule import Rule, by_strength, rule_of
from authz.policy.subject import ANYBODY
from authz.policy.vocabulary import ANYTHING

EFFECTS: Final = {
    Word.NEVER: "deny",
    Word.EXCEPT: "allow",
    Word.DENY: "deny",
    Word.ALLOW: "allow",
}
"""What Casbin calls the words, strongest first: it takes the first row that matches."""

_CASBIN: Final = Lock()
"""Casbin parses the matcher for each question, which several threads must not do at once."""


class Cell(str):
    """A field that Casbin reads as text; the functions of the model find its rule in it."""

    __slots__ = ("rule",)
    rule: Rule

    @classmethod
    def of(cls, text: str, rule: Rule) -> Cell:
        """Return the field of a rule."""
        cell = cls(text)
        cell.rule = rule
        return cell


def _line(rule: Rule) -> list[str]:
    """Return a row as Casbin reads it."""
    row = rule.row
    texts = (row.subject, row.domain, row.action)
    return [*texts, Cell.of(row.fact, rule), Cell.of(row.when, rule), EFFECTS[row.word]]


class Engine:
    """All rows of a policy, ready to be asked. Safe to use from several threads."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rules: dict[str, list[tuple[Rule, list[str]]]] = {}
        for order, row in enumerate(by_strength(rows)):
            rule = rule_of(row, order)
            self._rules.setdefault(row.subject, []).append((rule, _line(rule)))
        self._enforcer = _enforcer()

    def candidates(self, asking: Asking) -> list[tuple[Rule, list[str]]]:
        """Return the rules that speak of this caller, tenant and action, the strongest first."""
        found = [
            (rule, line)
            for subject in (ANYBODY, *asking.held)
            for rule, line in self._rules.get(subject, ())
            if rule.row.domain in (ANYBODY, asking.domain)
            and (rule.row.action == ANYTHING or rule.row.action in asking.names)
        ]
        return sorted(found, key=lambda each: each[0].order)

    def outcomes(self, asking: Asking, facts: Iterable[Fact]) -> tuple[Outcome, ...]:
        """Judge each fact alone."""
        candidates = self.candidates(asking)
        kinds: dict[str, list[tuple[Rule, list[str]]]] = {}
        found = []
        for fact in facts:
            if fact.kind not in kinds:
                kinds[fact.kind] = [one for one in candidates if one[0].pattern.reaches(fact.kind)]
            found.append(self._outcome(asking, fact, [line for _, line in kinds[fact.kind]]))
        return tuple(found)

    def nearest(self, asking: Asking, kinds: Collection[str], most: int) -> tuple[Row, ...]:
        """Return allow rows of this caller that name one of the kinds, at most so many."""
        allowing = (
            rule.row
            for rule, _ in self.candidates(asking)
            if rule.row.word is Word.ALLOW and not rule.pattern.kinds.isdisjoint(kinds)
        )
        return tuple(islice(allowing, most))

    def _outcome(self, asking: Asking, fact: Fact, lines: list[list[str]]) -> Outcome:
        """Let the first matching row settle a fact.

        A row that takes away and may match or not refuses, unless another row
        of the same word matches in any case: then it does not matter.
        """
        rule = self._first(asking, fact, lines)
        if rule is None:
            return Outcome(fact, None)
        doubt = rule.doubt(fact, asking)
        if doubt:
            certain = self._first(asking._replace(doubtful=False), fact, lines)
            if certain is None or certain.row.word is not rule.row.word:
                return Outcome(fact, rule.row.word, rule.row, doubt)
            rule = certain
        return Outcome(fact, rule.row.word, rule.row)

    def _first(self, asking: Asking, fact: Fact, lines: list[list[str]]) -> Rule | None:
        """Ask Casbin which row settles a fact."""
        if not lines:
            return None
        with _CASBIN:
            self._enforcer.model["p"]["p"].policy = lines
            asked = _Question(asking)
            answer = self._enforcer.enforce_ex(asked, asking.domain, asked, fact, asked)
        allowed, line = answer
        if not line:
            return None
        rule: Rule = line[3].rule
        if allowed is rule.takes:
            raise AssertionError(f"Casbin's answer {allowed} is not that of {rule.row.id}")
        return rule


@dataclass(frozen=True, slots=True)
class _Question:
    """Who asks, closed: Casbin's evaluator walks through every tuple that it sees."""

    asking: Asking


class _Held:
    """``g``: whether a caller holds a role, answered from its closure."""

    def has_link(self, question: _Question, role: str, _domain: str) -> bool:
        return role in question.asking.held


class _Grouped:
    """``g2``: whether a name stands for the action asked for."""

    def has_link(self, question: _Question, name: str) -> bool:
        return name in question.asking.names


def _fact(fact: Fact, cell: Cell, question: _Question) -> bool:
    asking = question.asking
    return _holds(cell.rule.pattern.verdict(fact, asking.fill), cell.rule, asking)


def _when(question: _Question, cell: Cell) -> bool:
    asking = question.asking
    return _holds(cell.rule.condition.verdict(asking.context), cell.rule, asking)


def _holds(answer: bool | None, rule: Rule, asking: Asking) -> bool:  # noqa: FBT001  an answer
    return asking.doubtful and rule.takes if answer is None else answer


def _enforcer() -> Any:  # noqa: ANN401  Casbin has no types
    """Return Casbin with the reviewed model, our functions, and nothing in its log."""
    model = casbin.Model()
    model.load_model_from_text(model_text())
    enforcer = casbin.Enforcer(model, enable_log=False)
    enforcer.add_function("fact", _fact)
    enforcer.add_function("when", _when)
    model["g"]["g"].rm = _Held()
    model["g"]["g2"].rm = _Grouped()
    return enforcer
