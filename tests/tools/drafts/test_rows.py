"""Drafts of rows: what they say, they say of one value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.facts.facts import Fact
from authz.identity.identity import Identity
from authz.policy.placeholder import Fill
from authz.policy.row_check import pattern_of
from authz.tools.drafts.rows import (
    LONGEST,
    Draft,
    domain_of,
    facts_column,
    faults,
    link_faults,
    literal,
    slug,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("/srv/data", "/srv/data"),
        ("a *:* rwm", "a ?:? rwm"),
        ("a,b|c", "a?b?c"),
        ("!x", "?x"),
        (" y ", "?y?"),
        ("x #y", "x ?y"),
        ("{name}", "?name?"),
        ("unknown", "unknown"),
        ("o=password=digest:0123456789abcdef", "o=password=**"),
        ("net...(2048 characters, digest:0123456789abcdef)", "net**"),
        ("a\u202eb", "a?b"),
    ],
)
def test_a_value_is_written_so_that_it_means_itself(value, written):
    """What would mean something else becomes any one character."""
    assert literal(value) == written


@given(st.text(min_size=1, max_size=40).filter(lambda text: "digest:" not in text))
def test_the_pattern_of_a_value_matches_it_and_loads(value):
    """Whatever is in it."""
    written = literal(value)
    assert (
        faults(f"p, user:a, *, container.create, net.alias:{written}, *, allow\n")
        in (
            [],
            [f'"{written}" is not a name'],
        )
        or len(written.encode()) > LONGEST
    )
    assert pattern_of(f"dns:{written}").verdict(Fact("dns", value), Fill()) or value == "unknown"


def test_kinds_are_written_once():
    """And again where the next value could pass for a kind of its own."""
    pairs = [("on", "new"), ("on", "own"), ("dns", "a"), ("dns", "port:1")]
    assert list(facts_column(pairs)) == ["on:new|own|dns:a|dns:port:1"]


def test_a_long_list_becomes_several_columns():
    """No line is longer than the loader reads."""
    columns = list(facts_column([("image", f"docker.io/library/{n:0>200}") for n in range(40)]))
    assert len(columns) > 1
    assert all(len(column) < LONGEST and column.startswith("image:") for column in columns)
    assert list(facts_column([])) == []


def test_a_draft_is_a_row_with_its_comment():
    """As it stands in a file."""
    draft = Draft("role:dev", "container.create", "on:new", id="may-create", note="3 times")
    assert draft.text == (
        "# may-create: 3 times\np, role:dev, *, container.create, on:new, *, allow\n"
    )
    assert faults(draft.text) == []
    assert Draft("role:dev", "image.pull", "on:new").text == (
        "p, role:dev, *, image.pull, on:new, *, allow\n"
    )


def test_a_caller_with_a_tenant_is_granted_there_only():
    """Without one everywhere: the tenant's name is no name of one."""
    assert domain_of(Identity("user:a", tenant="red")) == "red"
    assert domain_of(Identity("user:a")) == "*"


def test_a_slug_is_short_and_plain():
    """It names a role or a row."""
    assert slug(" A_B c!") == "a-b-c"
    assert slug("!") == ""
    assert slug("ab-" * 14) == "ab-" * 13 + "a"


def test_faults_are_those_of_the_loader():
    """In its words."""
    assert faults("p, user:a, *, container.creat, on:new, *, allow\n") == [
        'action is "container.creat"; expected *, an action or a group of actions'
    ]
    assert faults("q, x\n") == ['row type is "q"; expected p, g or g2']


@pytest.mark.parametrize(
    "subject", ["user:a\np, *, *, *, **", "user:a, *, *, **, *, allow\np, user:a", "user:a,b"]
)
def test_a_name_cannot_smuggle_a_row_in(subject):
    """It comes from a certificate or a file, and is written into one."""
    assert faults(Draft(subject, "container.create", "on:new").text) != []
    assert link_faults(subject, "*") != []


def test_a_name_that_ends_a_line_is_no_name():
    """Even where what is before and behind it are rows."""
    assert link_faults("user:a, role:x, *\ng, user:b", "*") == ["something in it ends the line"]
    row = "p, user:a, *, image.pull, on:new, *, allow\n"
    assert faults(row * 2) == ["something in it ends the line"]
    assert link_faults("cert:a b", "red") == []
