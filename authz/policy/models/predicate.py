"""What a row leaves to ask, as one function; and what of it an index can look up.

It knows trees and requests, and neither rows nor verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from authz.policy.models.expression import (
    All,
    Constant,
    Equal,
    Expression,
    Field,
    Holds,
    Key,
    Match,
    Not,
    OneOf,
    Operand,
    Some,
    Text,
    conjuncts,
    keys,
)
from authz.policy.models.functions import Pattern


class UnknownKeyError(LookupError):
    """The request does not say what a row asks for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to the rows: a caller, an action and one fact.

    ``texts`` are ``sub``, ``dom``, ``act`` and ``obj``; ``held`` is for each role definition
    all that its field's text has a link to, itself included.
    """

    texts: Mapping[str, str]
    context: Mapping[str, str]
    held: Mapping[str, frozenset[str]]


Predicate = Callable[[Asked], bool]

KEYED: Final = ("sub", "dom", "act")
"""The fields by which rows are looked up, in the order of a key."""

Place = tuple[str, str, str]
"""A key of an index: what each field must be, or nothing where that does not matter."""


@dataclass(frozen=True, slots=True)
class Needs:
    """How a row is found. Each fact that it matches begins with ``prefix``, or ``exact``-ly is it.

    ``rest`` is what the index leaves open, None where that is nothing.
    """

    place: Place
    prefix: str
    exact: bool
    rest: Predicate | None


def equals(value: str) -> str:
    """Return what a key says of a field that must be one text."""
    return f"={value}"


def linked(roles: str, role: str) -> str:
    """Return what a key says of a field that must be linked to a role."""
    return f"{roles}:{role}"


def needs(tree: Expression) -> Needs:
    """Say how a row is found of which this is left.

    INVARIANT: nothing is looked up that stands behind what could not be known, because
    then Casbin fails before it gets there.
    """
    place: dict[str, str] = {}
    prefix, exact = "", False
    rest: list[Expression] = []
    begins: list[Expression] = []
    open_ = True
    for part in conjuncts(tree):
        open_ = open_ and not keys(part)
        found = _key(part) if open_ else None
        if found and found[0] not in place:
            place[found[0]] = found[1]
            continue
        if open_ and not prefix and (pattern := _pattern(part)):
            prefix = pattern.prefix
            if pattern.settled:
                begins.append(part)
                continue
        if part != Constant(value=True):
            rest.append(part)
    obj = place.pop("obj", "")
    if obj:
        prefix, exact, rest = obj[1:], True, begins + rest
    sub, dom, act = (place.get(name, "") for name in KEYED)
    return Needs((sub, dom, act), prefix, exact, _conjunction(rest))


def _key(part: Expression) -> tuple[str, str] | None:
    match part:
        case Equal(Field(name), Text(value)):
            return name, equals(value)
        case Holds(roles, field, Text(role)) if field != "obj":
            return field, linked(roles, role)
    return None


def _pattern(part: Expression) -> Pattern | None:
    """Return the pattern that a fact must fit."""
    return part.pattern if isinstance(part, Match) and part.value == Field("obj") else None


def _conjunction(parts: list[Expression]) -> Predicate | None:
    if not parts:
        return None
    return predicate(parts[0] if len(parts) == 1 else All(tuple(parts)))


def predicate(tree: Expression) -> Predicate:  # noqa: PLR0911  one for each node
    """Return the function that asks a tree whose columns are filled in.

    It raises UnknownKeyError where the request does not say what is asked for.
    """
    match tree:
        case All(parts) | Some(parts):
            return _joined(tuple(map(predicate, parts)), every=isinstance(tree, All))
        case Not(inner):
            asks = predicate(inner)
            return lambda asked: not asks(asked)
        case Constant(holds):
            return lambda _asked: holds
        case Equal(left, right):
            one, other = _reader(left), _reader(right)
            return lambda asked: one(asked) == other(asked)
        case OneOf(left, texts):
            read = _reader(left)
            return lambda asked: read(asked) in texts
        case Holds(roles, _, Text(role)):
            return lambda asked: role in asked.held[roles]
        case Match(_, value, _, Pattern(fits)):
            read = _reader(value)
            return lambda asked: fits(read(asked))
    raise AssertionError(f"a column of {tree} is not filled in")


def _joined(parts: tuple[Predicate, ...], *, every: bool) -> Predicate:
    if every:
        return lambda asked: all(each(asked) for each in parts)
    return lambda asked: any(each(asked) for each in parts)


def _reader(operand: Operand) -> Callable[[Asked], str]:
    match operand:
        case Field(name):
            return lambda asked: asked.texts[name]
        case Key(name):
            return lambda asked: _known(asked.context, name)
        case Text(value):
            return lambda _asked: value
    raise AssertionError(f"{operand} is not filled in")


def _known(context: Mapping[str, str], name: str) -> str:
    value = context.get(name)
    if value is None:
        raise UnknownKeyError(name)
    return value
