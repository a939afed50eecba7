"""A matcher, or a rule in a row, as a tree. It knows neither files nor how one is written.

A tree is made once by ``grammar``. For each row its columns are filled in and
what is settled by that is folded away; what remains asks for the request.
Nothing is moved: what could not be known in Casbin is asked for in Casbin's order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from authz.policy.models.functions import Pattern
from authz.policy.pattern import PatternError


@dataclass(frozen=True, slots=True)
class Field:
    """``r.NAME``, a text of the request."""

    name: str


@dataclass(frozen=True, slots=True)
class Key:
    """``r.ctx.NAME``, which a request may lack."""

    name: str


@dataclass(frozen=True, slots=True)
class Column:
    """``p.NAME``, a text of the row."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text as it stands."""

    value: str


Operand = Field | Key | Column | Text


@dataclass(frozen=True, slots=True)
class Equal:
    """Two texts are the same."""

    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class OneOf:
    """A text is one of several."""

    left: Operand
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """A function of the keyMatch family. ``pattern`` is None as long as it stands in a column."""

    function: str
    value: Field | Key
    written: Column | Text
    pattern: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Holds:
    """``g(r.sub, role)`` and its like: the field's text has a link to the role."""

    roles: str
    field: str
    role: Column | Text


@dataclass(frozen=True, slots=True)
class Rule:
    """``eval(p.NAME)``: the row itself says what must hold."""

    column: str


@dataclass(frozen=True, slots=True)
class Constant:
    """What a row settled."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    inner: Expression


@dataclass(frozen=True, slots=True)
class All:
    """Each in turn, until one fails."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Each in turn, until one holds."""

    parts: tuple[Expression, ...]


Expression = Equal | OneOf | Match | Holds | Rule | Constant | Not | All | Some

TRUE: Final = Constant(value=True)
FALSE: Final = Constant(value=False)

PatternOf = Callable[[str, str], Pattern]
"""A function's name and a pattern's text to the pattern."""


@dataclass(frozen=True, slots=True)
class Filling:
    """What one row fills in: its columns, and the rules in those that ``eval`` reads."""

    cells: Mapping[str, str]
    rules: Mapping[str, Expression]
    pattern_of: PatternOf


class CellError(ValueError):
    """A pattern of a row that its function cannot take; ``column`` is where it stands."""

    def __init__(self, column: str, fault: PatternError) -> None:
        super().__init__(fault.message)
        self.column = column
        self.fault = fault


def filled(tree: Expression, filling: Filling) -> Expression:  # noqa: PLR0911  one for each node
    """Return what a row leaves to ask of the request. Raises CellError."""
    match tree:
        case All() | Some():
            return _joined(type(tree), (filled(part, filling) for part in tree.parts))
        case Not(inner):
            left = filled(inner, filling)
            return Constant(not left.value) if isinstance(left, Constant) else Not(left)
        case Rule(column):
            return filled(filling.rules[column], filling)
        case Equal(left, right):
            return _equal(_text(left, filling), _text(right, filling))
        case OneOf(left, texts):
            text = _text(left, filling)
            return Constant(text.value in texts) if isinstance(text, Text) else OneOf(text, texts)
        case Holds():
            return replace(tree, role=_written(tree.role, filling))
        case Match():
            return _compiled(tree, filling)
    return tree


def walk(tree: Expression) -> Iterator[Expression]:
    """Return the tree and everything below it."""
    yield tree
    below = tree.parts if isinstance(tree, All | Some) else ()
    for part in (tree.inner,) if isinstance(tree, Not) else below:
        yield from walk(part)


def keys(tree: Expression) -> frozenset[str]:
    """Return the keys of the context that are asked for."""
    return frozenset(
        operand.name
        for node in walk(tree)
        for operand in operands(node)
        if isinstance(operand, Key)
    )


def operands(node: Expression) -> tuple[Operand, ...]:
    """Return what one node compares."""
    match node:
        case Equal(left, right):
            return left, right
        case OneOf(left, _):
            return (left,)
        case Match(_, value, written, _):
            return value, written
        case Holds(_, field, role):
            return Field(field), role
        case Rule(column):
            return (Column(column),)
    return ()


def conjuncts(tree: Expression) -> tuple[Expression, ...]:
    """Return what must hold together, in order."""
    return tree.parts if isinstance(tree, All) else (tree,)


def _text(operand: Operand, filling: Filling) -> Operand:
    return Text(filling.cells[operand.name]) if isinstance(operand, Column) else operand


def _written(operand: Column | Text, filling: Filling) -> Text:
    return Text(filling.cells[operand.name]) if isinstance(operand, Column) else operand


def _equal(left: Operand, right: Operand) -> Expression:
    if isinstance(left, Text) and isinstance(right, Text):
        return Constant(left.value == right.value)
    return Equal(right, left) if isinstance(left, Text) else Equal(left, right)


def _compiled(tree: Match, filling: Filling) -> Match:
    written = _written(tree.written, filling)
    try:
        pattern = filling.pattern_of(tree.function, written.value)
    except PatternError as error:
        if isinstance(tree.written, Text):  # a text of the matcher is checked where it stands
            raise
        raise CellError(tree.written.name, error) from None
    return replace(tree, written=written, pattern=pattern)


def _joined(kind: type[All | Some], parts: Iterable[Expression]) -> Expression:
    """Fold constants: what ends the search ends it, unless something before it may be unknown.

    What stands behind the end is never asked for, in Casbin neither.
    """
    end, other = (FALSE, TRUE) if kind is All else (TRUE, FALSE)
    kept: list[Expression] = []
    for part in parts:
        if part == other:
            continue
        if part == end and not any(keys(each) for each in kept):
            return end
        kept += part.parts if isinstance(part, kind) else (part,)
        if part == end:
            break
    return (kept[0] if len(kept) == 1 else kind(tuple(kept))) if kept else other
