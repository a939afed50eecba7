"""What rows mean; tests/corpus/check/models.toml has what is wrong with them."""

import pytest

from authz.policy.decision import Word
from authz.policy.models.cells import meaning_of, placed
from authz.policy.models.conf import read_other
from authz.policy.models.rows import read_rows
from tests.policies import a_source
from tests.policy.models.samples import conf

GROUPED = {
    "g": {"g": "_, _", "g2": "_, _"},
    "m": "g(r.sub, p.sub) && g2(r.act, p.act) && r.obj == p.obj",
}


def rows_of(text, groups=(), **written):
    """Return the rows of a model, and what is said about them."""
    model, _ = read_other(a_source(conf(**written), "model.conf"))
    meaning = meaning_of(model, groups)
    found, told = [], []
    for entry in read_rows(a_source(text), model).entries:
        row, problems = placed(entry, meaning)
        found += [row] if row else []
        told += [each.message for each in problems]
    return found, told


def test_a_row_is_one_as_others_know_it():
    """Its columns by what the matcher compares them with."""
    (found,), told = rows_of(
        "# own: pulls [CIS 4]\np, image.pull, user:ann, x, on:new, allow\n",
        p="what, who, note, which, eft",
        m="p.who == r.sub && p.what == r.act && r.obj == p.which",
    )
    row = found.row
    assert told == []
    assert (row.subject, row.domain, row.action, row.fact) == (
        "user:ann",
        "*",
        "image.pull",
        "on:new",
    )
    assert (row.when, row.word, row.id, row.controls) == ("note=x", Word.ALLOW, "own", ("CIS 4",))


def test_without_a_verdict_every_row_allows():
    """As in Casbin."""
    (found,), _ = rows_of("p, user:ann, image.pull, on:new\n", p="sub, act, obj")
    assert found.row.word is Word.ALLOW
    assert found.row.when == "*"


@pytest.mark.parametrize(
    ("row", "written"),
    [
        ("*, image.pull, on:new", {"m": '(p.sub == "*" || r.sub == p.sub) && r.act == p.act'}),
        ("*, image.pull, on:new", {"m": '("*" == p.sub || r.sub == p.sub) && r.act == p.act'}),
        (
            "user:ann, default, image.pull",
            {
                "p": "sub, dom, act, eft",
                "r": "sub, dom, act, obj",
                "m": "keyMatch(r.sub, p.sub) && keyMatch(r.dom, p.dom) && r.act == p.act",
            },
        ),
        ("us*, image.pull, on:new", {"m": "keyMatch(r.sub, p.sub) && r.act == p.act"}),
        ("group:os/a, all, on:new", GROUPED),
        ("user:ann, image.*, bind*", {"m": "keyMatch(r.act, p.act) && keyMatch(r.obj, p.obj)"}),
        ("user:ann, image.pull, *", {"m": 'p.obj == "*" || keyMatch3(r.obj, p.obj)'}),
        ("user:ann, image.pull, on:x", {"m": "r.obj == p.obj || keyMatch(r.obj, p.obj)"}),
        ("user:ann, image.pull, o.*$", {"m": "regexMatch(r.obj, p.obj)"}),
        ("what, image.pull, ever", {"m": "r.act == p.act && p.sub != p.obj"}),
        ("user:ann, image.pull, user:ann", {"m": "r.act == p.obj || r.sub == p.obj"}),
        ("user:ann, image.pull, proxy", {"r": "sub, act, obj, ctx", "m": "r.ctx.door == p.obj"}),
    ],
)
def test_what_a_row_may_say(row, written):
    """Texts of the matcher, groups, patterns, and columns that are compared with several fields."""
    found, told = rows_of(f"p, {row}, allow\n", groups=("all",), **written)
    assert told == []
    assert len(found) == 1


@pytest.mark.parametrize(
    ("row", "written", "message"),
    [
        ("a, image.pull, o\\d$", {"m": "r.act == p.act && regexMatch(r.obj, p.obj)"}, "supported"),
        ("a, i\\d$, on:new", {"m": "regexMatch(r.act, p.act)"}, "not supported"),
        ("user:a, nothing, on:new", GROUPED, "is no action"),
    ],
)
def test_a_pattern_that_is_none_is_told_once(row, written, message):
    """Where it is compiled."""
    found, told = rows_of(f"p, {row}, allow\n", **written)
    assert found == []
    assert len(told) == 1
    assert message in told[0]


def test_a_tenant_is_one_name():
    """Where it is compared as a whole."""
    written = {
        "p": "sub, dom, eft",
        "r": "sub, dom, act, obj",
        "m": "r.sub == p.sub && r.dom == p.dom",
    }
    assert rows_of("p, user:ann, acme, allow\n", **written)[1] == []
    assert len(rows_of("p, user:ann, a b, allow\n", **written)[1]) == 1
