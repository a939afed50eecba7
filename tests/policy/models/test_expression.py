"""Trees with the columns of a row filled in."""

import pytest

from authz.policy.models.expression import (
    FALSE,
    TRUE,
    CellError,
    Equal,
    Field,
    Filling,
    Holds,
    Match,
    Not,
    OneOf,
    Some,
    Text,
    conjuncts,
    filled,
    keys,
    operands,
    walk,
)
from authz.policy.models.functions import pattern_of
from authz.policy.models.grammar import Names, parse
from authz.policy.pattern import PatternError

NAMES = Names(("sub", "act", "obj", "ctx"), ("sub", "act", "obj", "rule"), {"g": 2})
CELLS = {"sub": "*", "act": "image.pull", "obj": "on:*", "rule": ""}
OWN = Equal(Field("sub"), Text("user:ann"))


def left(text, rule="r.sub == 'user:ann'", **cells):
    """Return what a row leaves to ask."""
    rules = {"rule": parse(rule, NAMES)}
    return filled(parse(text, NAMES), Filling({**CELLS, **cells}, rules, pattern_of))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ('p.sub == "*" || g(r.sub, p.sub)', TRUE),
        ('p.sub == "x" || g(r.sub, p.sub)', Holds("g", "sub", Text("*"))),
        ('p.sub == "x" && r.sub == p.sub', FALSE),
        ('!(p.sub == "x")', TRUE),
        ('p.sub in ("a", "*")', TRUE),
        ("p.act == r.act", Equal(Field("act"), Text("image.pull"))),
        ("eval(p.rule)", OWN),
        ('r.act in ("a", "b")', OneOf(Field("act"), ("a", "b"))),
        ('p.sub == "*" && (eval(p.rule) && p.sub == "*")', OWN),
        ("!(r.sub == 'user:ann')", Not(OWN)),
    ],
)
def test_what_a_row_settles_is_folded(text, tree):
    """What remains asks for the request."""
    assert left(text) == tree


def test_what_may_be_unknown_stays_before_what_ends_the_search():
    """Casbin fails there before it comes to the end."""
    tree = left('r.ctx.door == "proxy" && p.sub == "x" && r.sub == p.sub')
    assert conjuncts(tree)[1:] == (FALSE,)
    assert keys(tree) == {"door"}
    either = left('r.ctx.door == "proxy" || p.sub == "*"')
    assert isinstance(either, Some)


def test_what_stands_behind_the_end_is_not_read():
    """So a pattern there need not be one: Casbin does not look at it."""
    assert left('p.sub == "*" || keyMatch3(r.obj, p.sub)') == TRUE
    with pytest.raises(CellError) as caught:
        left('keyMatch3(r.obj, p.sub) || p.sub == "*"')
    assert caught.value.column == "sub"


def test_a_pattern_is_compiled():
    """For the text of the row, or of the matcher."""
    (tree,) = walk(left("keyMatch(r.obj, p.obj)"))
    assert isinstance(tree, Match)
    assert tree.pattern is not None
    assert tree.pattern.prefix == "on:"
    (other,) = walk(left('keyMatch(r.obj, "bind:*")'))
    assert operands(other) == (Field("obj"), Text("bind:*"))
    assert operands(OneOf(Field("act"), ("a", "b"))) == (Field("act"),)


def test_a_pattern_of_the_matcher_has_no_column():
    """A mistake in it is found where the matcher is read; here it can only be passed on."""
    tree = Match("keyMatch3", Field("obj"), Text("*"))
    with pytest.raises(PatternError):
        filled(tree, Filling({}, {}, pattern_of))


def test_a_constant_compares_nothing():
    """And stays what it is."""
    assert operands(TRUE) == ()
    assert filled(TRUE, Filling({}, {}, pattern_of)) == TRUE
