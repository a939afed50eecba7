"""How matchers are written; tests/corpus/check/models.toml has what is refused."""

import pytest

from authz.policy.models.expression import (
    All,
    Column,
    Equal,
    Field,
    Holds,
    Key,
    Match,
    Not,
    OneOf,
    Rule,
    Some,
    Text,
)
from authz.policy.models.grammar import GrammarError, Names, parse

NAMES = Names(("sub", "dom", "act", "obj", "ctx"), ("sub", "dom", "act", "obj", "rule"), {"g": 3})
SAME = Equal(Field("sub"), Column("sub"))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("r.sub == p.sub", SAME),
        ("r.sub != p.sub", Not(SAME)),
        ("!(r.sub == p.sub)", Not(SAME)),
        ("((r.sub == p.sub))", SAME),
        ("g(r.sub, p.sub, r.dom)", Holds("g", "sub", Column("sub"))),
        ('g(r.sub, "role:x", r.dom)', Holds("g", "sub", Text("role:x"))),
        ("eval(p.rule)", Rule("rule")),
        ("'a' == r.ctx.door", Equal(Text("a"), Key("door"))),
        ('r.act in ("a", "b")', OneOf(Field("act"), ("a", "b"))),
        ("!keyMatch(r.obj, p.obj)", Not(Match("keyMatch", Field("obj"), Column("obj")))),
        (
            "r.sub == p.sub || r.sub == p.sub && r.sub == p.sub",
            Some((SAME, All((SAME, SAME)))),
        ),
    ],
)
def test_a_text_is_a_tree(text, tree):
    """``!`` before ``&&`` before ``||``."""
    assert parse(text, NAMES) == tree


def test_a_place_is_told():
    """Where, how much of it, and what to write."""
    with pytest.raises(GrammarError) as caught:
        parse("r.sub == p.sbu", NAMES)
    error = caught.value
    assert (error.offset, error.width, error.suggestion) == (9, 5, "p.sub")


def test_a_role_definition_is_asked_for_one_field():
    """Which one is kept for whoever reads rules after the matcher."""
    names = Names(("sub", "act", "obj"), ("act", "obj"), {"g": 2, "g2": 2})
    parse("g2(r.obj, p.obj)", names)
    assert names.asked == {"g2": "obj"}
    with pytest.raises(GrammarError, match=r"for r\.act and for r\.obj"):
        parse("g2(r.act, p.act)", names)


@pytest.mark.parametrize(
    "text", ["r.sub == ", "r.sub == (", "g", "keyMatch(r.obj, p.obj, p.sub)", "keyMatch(r.obj)"]
)
def test_what_is_cut_off_or_too_much_is_refused(text):
    """Without a traceback."""
    with pytest.raises(GrammarError):
        parse(text, NAMES)
