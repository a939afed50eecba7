"""A model.conf that is not the reviewed one; what it must not say is in the corpus of messages."""

import pytest

from authz.policy.models.conf import Effect, read_other, rule_columns
from tests.policies import a_source
from tests.policy.models.samples import conf


def model_of(**written):
    """Return a model that loads, and what is said about it."""
    model, problems = read_other(a_source(conf(**written), "model.conf"))
    assert model is not None
    return model, [each.message for each in problems]


def test_a_model_is_what_it_defines():
    """Fields, columns, roles, effect and matcher."""
    model, told = model_of(
        r="sub, dom, act, obj, ctx",
        p="priority, sub, dom, act, obj, rule, eft",
        g={"g": "_, _, _", "g2": "_,_"},
        e="priority(p.eft) || deny",
        m="g(r.sub, p.sub, r.dom) && p.dom == r.dom && g2(r.act, p.act) && r.obj == p.obj"
        " && eval(p.rule)",
    )
    assert told == []
    assert model.fields == ("sub", "dom", "act", "obj", "ctx")
    assert model.columns[0] == "priority"
    assert model.roles == {"g": 3, "g2": 2}
    assert model.effect is Effect.PRIORITY
    assert model.asked == {"g": "sub", "g2": "act"}
    assert rule_columns(model) == ("rule",)


def test_a_rule_may_ask_for_anything():
    """So nothing that is defined is told to be in vain."""
    _, told = model_of(
        r="sub, dom, act, obj", p="sub, act, obj, rule", m="r.sub == p.sub && eval(p.rule)"
    )
    assert told == ["the matcher never asks for p.act", "the matcher never asks for p.obj"]


@pytest.mark.parametrize("effect", Effect)
def test_the_effects_are_casbins(effect):
    """In its own words."""
    assert model_of(e=effect.value)[0].effect is effect


def test_comments_and_blank_lines_are_free():
    """On lines of their own."""
    model, _ = model_of(before="# a model\n; of ours\n\n")
    assert model.roles == {}


def test_bytes_that_are_no_text_are_told():
    """As in any file."""
    model, problems = read_other(a_source(conf().encode() + b"# \xe9\n", "model.conf"))
    assert model is None
    assert [each.message for each in problems] == ["byte 0xe9 is not UTF-8"]
