"""Rows with the columns of a model."""

from casbin.persist.adapter import _extract_tokens

from authz.policy.models.conf import read_other
from authz.policy.models.rows import columns_of, read_rows
from tests.policies import a_source
from tests.policy.models.samples import conf

MODEL, _ = read_other(
    a_source(
        conf(
            p="sub, act, obj, rule, eft",
            g={"g": "_, _", "g2": "_, _"},
            m="g(r.sub, p.sub) && g2(r.act, p.act) && r.obj == p.obj && eval(p.rule)",
        ),
        "model.conf",
    )
)
RULE = 'keyMatch(r.obj, "bind:/x*") && r.act in ("image.pull", "image.push")'


def test_columns_are_the_models():
    """Links have as many as their role definition has places."""
    assert columns_of(MODEL)["p"] == ("sub", "act", "obj", "rule", "eft")
    assert columns_of(MODEL)["g2"] == ("member", "role")


def test_a_rule_may_hold_commas_and_quotes():
    """A line is cut where Casbin cuts it."""
    text = f"p, role:dev, image.pull, on:new , {RULE}, allow"
    file = read_rows(a_source(f"# why: because [CIS 1]\n{text}\n"), MODEL)
    (entry,) = file.entries
    assert file.problems == ()
    assert list(entry.values.values()) == _extract_tokens(text)[1:]
    assert entry["rule"].text == RULE
    assert entry["obj"].column == 26
    assert (entry.id, entry.note.message, entry.note.controls) == ("why", "because", ("CIS 1",))


def test_links_are_rows():
    """With the type of their role definition."""
    file = read_rows(a_source("g, user:ann, role:dev\ng2, image.pull, all\n"), MODEL)
    assert [(each.type, each["role"].text) for each in file.entries] == [
        ("g", "role:dev"),
        ("g2", "all"),
    ]


def test_brackets_have_to_pair():
    """Casbin would swallow the rest of the row, or fail."""
    file = read_rows(a_source("p, a(]b\np, a)b\np, (a, b\np, a]\n"), MODEL)
    assert [each.message for each in file.problems] == [
        "']' closes nothing",
        "')' closes nothing",
        "'(' does not close",
        "']' closes nothing",
    ]
