"""What a row asks, and how an index finds it."""

import pytest

from authz.policy.models.expression import (
    FALSE,
    TRUE,
    All,
    Column,
    Equal,
    Field,
    Filling,
    Rule,
    Text,
    filled,
)
from authz.policy.models.functions import pattern_of
from authz.policy.models.grammar import Names, parse
from authz.policy.models.predicate import Asked, UnknownKeyError, needs, predicate

NAMES = Names(("sub", "dom", "act", "obj", "ctx"), (), {"g": 2, "g2": 2})
ASKED = Asked(
    {"sub": "user:ann", "dom": "acme", "act": "image.pull", "obj": "bind:/x/y"},
    {"door": "proxy"},
    {"g": frozenset({"user:ann", "role:dev"})},
)


def tree(text):
    """Return a tree without columns."""
    return filled(parse(text, NAMES), Filling({}, {}, pattern_of))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('r.sub == "user:ann"', True),
        ('r.sub != "user:ann"', False),
        ('"acme" == r.dom && g(r.sub, "role:dev")', True),
        ('r.act == "x" || r.ctx.door == "proxy"', True),
        ('r.act == "x" || r.ctx.door == "plugin"', False),
        ('r.act in ("image.pull", "x")', True),
        ('keyMatch(r.obj, "bind:/x/*")', True),
        ('regexMatch(r.ctx.door, "^pro.*$") && r.act == "x"', False),
        ("r.dom == r.act", False),
    ],
)
def test_a_tree_is_asked(text, expected):
    """With a request."""
    assert predicate(tree(text))(ASKED) is expected


def test_a_key_that_is_not_there_is_told():
    """The request is refused then, as Casbin fails."""
    with pytest.raises(UnknownKeyError, match="tls"):
        predicate(tree('r.ctx.tls == "mutual"'))(ASKED)
    assert predicate(tree('r.act == "x" && r.ctx.tls == "mutual"'))(ASKED) is False


@pytest.mark.parametrize(
    ("text", "place", "prefix", "exact"),
    [
        ('g(r.sub, "role:a") && r.act == "x"', ("g:role:a", "", "=x"), "", False),
        ('r.sub == "u" && r.dom == "d" && g2(r.act, "all")', ("=u", "=d", "g2:all"), "", False),
        ('r.obj == "on:own" && r.sub == "u"', ("=u", "", ""), "on:own", True),
        ('keyMatch(r.obj, "bind:*")', ("", "", ""), "bind:", False),
    ],
)
def test_a_row_is_found_by_what_it_must_have(text, place, prefix, exact):
    """And nothing is left to ask where the index settles it."""
    found = needs(tree(text))
    assert (found.place, found.prefix, found.exact, found.rest) == (place, prefix, exact, None)


@pytest.mark.parametrize(
    "text",
    [
        'r.ctx.door == "proxy" && r.sub == "u" && keyMatch(r.obj, "bind:*")',
        '(r.sub == "u" || r.sub == "v") && g2(r.obj, "things")',
    ],
)
def test_what_cannot_be_looked_up_is_asked(text):
    """Behind something that may not be known, or where there is a choice."""
    if "g2" in text:
        NAMES.asked.clear()
    found = needs(tree(text))
    assert (found.place, found.prefix) == (("", "", ""), "")
    assert found.rest is not None


def test_a_second_condition_on_a_field_is_asked():
    """The index has one place for each."""
    found = needs(tree('r.sub == "u" && r.sub == "user:ann"'))
    assert found.place == ("=u", "", "")
    assert found.rest is not None
    assert found.rest(ASKED)
    both = needs(tree('keyMatch(r.obj, "bind:/z*") && r.obj == "bind:/x/y"'))
    assert both.exact
    assert both.rest is not None
    assert not both.rest(ASKED)


def test_what_a_row_settled_needs_nothing():
    """True is no question, and false is one that fails."""
    assert needs(TRUE).rest is None
    assert predicate(All((TRUE, FALSE)))(ASKED) is False


@pytest.mark.parametrize("wrong", [Rule("rule"), Equal(Column("a"), Text("b"))])
def test_a_column_that_is_left_is_a_defect(wrong):
    """Nobody asks a tree before a row has filled it in."""
    with pytest.raises(AssertionError, match="not filled in"):
        predicate(wrong)


def test_fields_are_read():
    """Both sides."""
    assert predicate(Equal(Field("sub"), Field("sub")))(ASKED)
