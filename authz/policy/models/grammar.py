"""How a matcher and a rule are written: text to a tree, or what in it is not supported and where.

Casbin rewrites the text before Python reads it: ``&&``, ``||`` and ``!`` become words,
``r.`` and ``p.`` become ``r_`` and ``p_``, each of them inside of texts, too. So what would
come out as something else than it looks is refused. It knows one line, and no rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from authz.policy.condition import KEYS
from authz.policy.models.expression import (
    All,
    Column,
    Equal,
    Expression,
    Field,
    Holds,
    Key,
    Match,
    Not,
    OneOf,
    Operand,
    Rule,
    Some,
    Text,
)
from authz.policy.models.functions import FUNCTIONS, pattern_of
from authz.policy.pattern import PatternError
from authz.policy.spelling import listed, nearest

FIELDS: Final = ("sub", "dom", "act", "obj", "ctx")
"""What a request can consist of."""
SUBJECT_ROLES: Final = "g"
"""The role definition for callers; others are for actions and facts."""
WITH_DOMAIN: Final = 3
"""The places of a role definition with a domain."""
DEEPEST: Final = 20
"""Parentheses in each other."""
LONGEST: Final = 400
"""Words and signs."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t]+)|(?P<text>"[^"]*"|'[^']*')|(?P<name>[A-Za-z_]\w*(?:\.\w+)*)"""
    r"""|(?P<sign>&&|\|\||==|!=|[!(),])""",
    re.ASCII,
)
_REWRITTEN = re.compile(r"""["'\\#!]|&&|\|\||\b[rp]\d*\.|\beval\(""", re.ASCII)
_WORDS: Final = {"and": "&&", "or": "||", "not": "!"}
_FORMS = "==, !=, in (..., ...), g(...), eval(p.NAME) and " + ", ".join(FUNCTIONS)


class GrammarError(ValueError):
    """What is not supported: ``width`` characters from ``offset`` on."""

    def __init__(self, message: str, offset: int, width: int = 1, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.width = width
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Names:
    """What a text may speak of. ``roles`` are role definitions with the number of their places.

    ``asked`` says for which field each of them is asked, as far as that is known: one field each.
    """

    fields: Collection[str]
    columns: Collection[str]
    roles: Mapping[str, int]
    asked: dict[str, str] = field(default_factory=dict)
    evaluates: bool = True
    """Whether ``eval`` may stand here: in the matcher, and not in a rule."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int
    spaced: bool
    """Whether white space stands before it."""


def parse(text: str, names: Names) -> Expression:
    """Read a whole text. Raises GrammarError."""
    reader = _Reader(text, names, _tokens(text))
    tree = reader.some(0)
    token = reader.peek
    if token.kind != "end":
        raise reader.unexpected(token, "&&, || or the end")
    return tree


def _tokens(text: str) -> list[_Token]:
    found, at, spaced = [], 0, True
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            message = f"'{text[at]}' is not supported; expected {_FORMS}"
            raise GrammarError(message, at)
        kind = str(token.lastgroup)
        if kind == "text":
            _check_text(token[0], at)
        if kind != "space":
            found.append(_Token(kind, token[0], at, spaced))
        spaced, at = kind == "space", token.end()
    if len(found) > LONGEST:
        raise GrammarError(f"it has {len(found)} words; expected at most {LONGEST}", 0, len(text))
    return [*found, _Token("end", "", len(text), spaced=True)]


def _check_text(quoted: str, at: int) -> None:
    if found := _REWRITTEN.search(quoted[1:-1]):
        message = f"Casbin would rewrite '{found[0]}' inside a text"
        raise GrammarError(message, at + 1 + found.start(), len(found[0]))


@dataclass(slots=True)
class _Reader:
    text: str
    names: Names
    tokens: list[_Token]
    place: int = 0
    negated: bool = False
    """Whether a ``!`` stands before what is read."""

    @property
    def peek(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        token = self.peek
        self.place += token.kind != "end"
        return token

    def expect(self, sign: str) -> _Token:
        token = self.take()
        if token.text != sign:
            raise self.unexpected(token, sign)
        return token

    def unexpected(self, token: _Token, expected: str) -> GrammarError:
        if token.text in _WORDS:
            sign = _WORDS[token.text]
            return GrammarError(f"'{token.text}' is not supported", token.at, len(token.text), sign)
        what = f"'{token.text}' cannot stand here" if token.text else "the text ends too soon"
        return GrammarError(f"{what}; expected {expected}", token.at, len(token.text))

    def some(self, depth: int) -> Expression:
        return self._joined("||", Some, lambda: self._joined("&&", All, lambda: self._one(depth)))

    def _joined(
        self, sign: str, kind: type[All | Some], read: Callable[[], Expression]
    ) -> Expression:
        parts = [read()]
        while self.peek.text == sign:
            token = self.take()
            if not (token.spaced and self.peek.spaced):
                message = f"'{sign}' needs a space on each side: Casbin writes a word in its place"
                raise GrammarError(message, token.at, 2, f" {sign} ")
            parts.append(read())
        return parts[0] if len(parts) == 1 else kind(tuple(parts))

    def _one(self, depth: int) -> Expression:
        token = self.take()
        if depth > DEEPEST:
            raise GrammarError(f"parentheses are deeper than {DEEPEST}", token.at)
        following = self.peek
        if token.text == "!":
            called = self.tokens[min(self.place + 1, len(self.tokens) - 1)].text == "("
            if following.text != "(" and not (following.kind == "name" and called):
                message = "'!' stands before a function or parentheses only"
                raise GrammarError(message, token.at, 1, "!=, or !( ... )")
            before, self.negated = self.negated, True
            inner = self._one(depth + 1)
            self.negated = before
            return Not(inner)
        if token.text == "(":
            tree = self.some(depth + 1)
            self.expect(")")
            return tree
        if token.kind == "name" and following.text == "(":
            return self._call(token)
        return self._comparison(token)

    def _comparison(self, token: _Token) -> Expression:
        left = self._operand(token)
        sign = self.take()
        if sign.text == "in":
            return OneOf(left, self._listed())
        if sign.text not in ("==", "!="):
            raise self.unexpected(sign, "==, != or in")
        equal = Equal(left, self._operand(self.take()))
        return equal if sign.text == "==" else Not(equal)

    def _listed(self) -> tuple[str, ...]:
        opened = self.expect("(")
        texts = list[str]()
        while not texts or self.peek.text == ",":
            if texts:
                self.take()
            token = self.take()
            if token.kind != "text":
                raise self.unexpected(token, "a text in quotes")
            texts.append(token.text[1:-1])
        self.expect(")")
        if len(texts) == 1:
            message = "one text in parentheses is no list: in would look for a part of it"
            raise GrammarError(message, opened.at, 1, "==")
        return tuple(texts)

    def _operand(self, token: _Token) -> Operand:
        if token.kind == "text":
            return Text(token.text[1:-1])
        if token.kind != "name" or token.text in _WORDS:
            raise self.unexpected(token, "r.NAME, p.NAME or a text in quotes")
        head, _, name = token.text.partition(".")
        if head == "p":
            return Column(self._known(token, "p.", name, self.names.columns))
        if head != "r":
            message = f"'{token.text}' is not known; expected r.NAME, p.NAME or a text in quotes"
            raise GrammarError(message, token.at, len(token.text))
        if name.startswith("ctx.") and "ctx" in self.names.fields:
            return Key(self._known(token, "r.ctx.", name.removeprefix("ctx."), KEYS))
        whole, _, member = name.partition(".")
        self._known(token, "r.", whole, self.names.fields)
        if member or whole == "ctx":
            message = f"'{token.text}' is not supported; " + (
                f"expected r.ctx. and {listed(KEYS)}" if whole == "ctx" else "it is a text"
            )
            raise GrammarError(message, token.at, len(token.text))
        return Field(whole)

    def _known(self, token: _Token, head: str, name: str, known: Collection[str]) -> str:
        if name in known:
            return name
        expected = listed([f"{head}{each}" for each in known])
        near = nearest(name, known)
        raise GrammarError(
            f"'{token.text}' is not defined; expected {expected}",
            token.at,
            len(token.text),
            f"{head}{near}" if near else "",
        )

    def _call(self, token: _Token) -> Expression:
        self.expect("(")
        arguments = [(self.peek, self._operand(self.take()))]
        while self.peek.text == ",":
            self.take()
            arguments.append((self.peek, self._operand(self.take())))
        end = self.expect(")")
        if token.text == "eval":
            return self._rule(token, end, arguments)
        if token.text in self.names.roles:
            return self._holds(token, arguments)
        if token.text in FUNCTIONS:
            return self._match(token, arguments)
        known = (*self.names.roles, *FUNCTIONS, *(("eval",) if self.names.evaluates else ()))
        message = f"'{token.text}' is not supported; expected {listed(known)}"
        raise GrammarError(message, token.at, len(token.text), nearest(token.text, known))

    def _rule(
        self, token: _Token, end: _Token, arguments: list[tuple[_Token, Operand]]
    ) -> Expression:
        written = self.text[token.at : end.at + 1]
        column = arguments[0][1]
        if not isinstance(column, Column) or written != f"eval(p.{column.name})":
            message = f"'{written}' is not supported; expected eval(p.NAME), without spaces"
            raise GrammarError(message, token.at, len(written))
        if self.negated:
            raise GrammarError("'!' before eval is not supported", token.at, len(written))
        if not self.names.evaluates:
            raise GrammarError("a rule cannot call eval", token.at, len(written))
        return Rule(column.name)

    def _holds(self, token: _Token, arguments: list[tuple[_Token, Operand]]) -> Expression:
        places = self.names.roles[token.text]
        wanted = "r.sub" if token.text == SUBJECT_ROLES else "r.act or r.obj"
        third = ", r.dom" if places == WITH_DOMAIN else ""
        form = f"{token.text}({wanted}, p.NAME{third})"
        first, *others = [operand for _, operand in arguments]
        fields = ("sub",) if token.text == SUBJECT_ROLES else ("act", "obj")
        if (
            not isinstance(first, Field)
            or first.name not in fields
            or len(arguments) != places
            or not isinstance(others[0], Column | Text)
            or others[1:] not in ([], [Field("dom")])
        ):
            message = f"'{token.text}' is asked in another way; expected {form}"
            raise GrammarError(message, token.at, len(token.text))
        if self.names.asked.setdefault(token.text, first.name) != first.name:
            message = f"'{token.text}' is asked for r.act and for r.obj; expected one of them"
            raise GrammarError(message, token.at, len(token.text))
        return Holds(token.text, first.name, others[0])

    def _match(self, token: _Token, arguments: list[tuple[_Token, Operand]]) -> Expression:
        values = [operand for _, operand in arguments]
        if (
            len(values) != 2  # noqa: PLR2004  a value and a pattern
            or not isinstance(values[0], Field | Key)
            or not isinstance(values[1], Column | Text)
        ):
            form = f"{token.text}(r.NAME, p.NAME)"
            message = f"'{token.text}' is asked in another way; expected {form}"
            raise GrammarError(message, token.at, len(token.text))
        if token.text == "globMatch" and self.negated:
            message = "globMatch never matches a name with a leading dot, so '!' before it gives it"
            raise GrammarError(message, token.at, len(token.text), "keyMatch3")
        if isinstance(values[1], Text):
            try:
                pattern_of(token.text, values[1].value)
            except PatternError as error:
                at = arguments[1][0].at + 1 + error.offset
                raise GrammarError(error.message, at, 1, error.suggestion) from None
        return Match(token.text, values[0], values[1])
