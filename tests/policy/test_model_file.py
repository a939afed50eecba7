"""The reviewed model is accepted, and no other."""

from __future__ import annotations

import pytest

from authz.policy.model_file import MODEL, model_text, read_model
from authz.policy.text import render_problems
from authz.shipped import shipped
from tests.policies import a_source

TEXT = model_text()
MATCHER = MODEL["matchers"]["m"]


def _told(text: str) -> str:
    return render_problems(read_model(a_source(text, "model.conf")))


def test_the_shipped_model_is_the_reviewed_one():
    """What people copy is what loads."""
    content = shipped("policies", "observe", "model.conf").read_bytes()

    assert read_model(a_source(content, "model.conf")) == ()


def test_white_space_and_comments_are_free():
    """Layout is the author's."""
    text = TEXT.replace("&&", "  &&").replace("[matchers]", "; x\n\n  [ matchers ]\t")
    text = text.replace("g2 = _, _", "\tg2=_,_ # actions")

    assert _told(f"# mine\r\n{text}") == ""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "e = priority(p.eft) || deny",
            "e = some(where (p.eft == allow))",
            (
                "site/model.conf:12:5: some is not the reviewed model; expected priority\n"
                "  e = some(where (p.eft == allow))\n"
                "      ^~~~\n"
                "  try: priority(p.eft) || deny"
            ),
        ),
        (
            "r = sub, dom, act, obj, ctx",
            "r = sub, dom, act, obj",
            (
                "site/model.conf:2:23: the line ends too soon; expected ,\n"
                "  r = sub, dom, act, obj\n"
                "                        ^\n"
                "  try: sub, dom, act, obj, ctx"
            ),
        ),
        (
            "g2 = _, _",
            "g2 = _, _, (_, _)",
            (
                "site/model.conf:9:10: , is not the reviewed model; expected the end of the line\n"
                "  g2 = _, _, (_, _)\n"
                "           ^\n"
                "  try: _, _"
            ),
        ),
        (
            "g = _, _, _",
            "g = _, _, _\ng3 = _, _",
            (
                'site/model.conf:9:1: [role_definition] defines "g3"; expected g or g2\n'
                "  g3 = _, _\n"
                "  ^~"
            ),
        ),
        (
            "g = _, _, _",
            "g = _, _, _\ng = _, _, _",
            (
                "site/model.conf:9:1: g is given twice\n"
                "  g = _, _, _\n"
                "  ^\n"
                "  try: take one of them away"
            ),
        ),
        (
            "[policy_effect]",
            "[role_definition]",
            (
                "site/model.conf:11:1: [role_definition] is given twice\n"
                "  [role_definition]\n"
                "  ^~~~~~~~~~~~~~~~~\n"
                "  try: take one of them away\n"
                "\n"
                'site/model.conf:12:1: [role_definition] defines "e"; expected g or g2\n'
                "  e = priority(p.eft) || deny\n"
                "  ^"
            ),
        ),
        (
            "[policy_effect]",
            "[policy_efect]",
            (
                "site/model.conf:11:1: section is [policy_efect]; expected [request_definition],"
                " [policy_definition], [role_definition], [policy_effect] or [matchers]\n"
                "  [policy_efect]\n"
                "  ^~~~~~~~~~~~~~\n"
                "  try: [policy_effect]"
            ),
        ),
        (
            "[request_definition]",
            "[x",
            (
                "site/model.conf:1:1: section is [x; expected [request_definition],"
                " [policy_definition], [role_definition], [policy_effect] or [matchers]\n"
                "  [x\n"
                "  ^~\n"
                "\n"
                'site/model.conf:2:1: "r" stands in no section of the model\n'
                "  r = sub, dom, act, obj, ctx\n"
                "  ^"
            ),
        ),
        (
            "[request_definition]",
            "hello",
            (
                "site/model.conf:1:1: the line is neither a section nor a definition\n"
                "  hello\n"
                "  ^~~~~\n"
                "\n"
                'site/model.conf:2:1: "r" stands in no section of the model\n'
                "  r = sub, dom, act, obj, ctx\n"
                "  ^"
            ),
        ),
        (
            "g2 = _, _",
            "",
            "site/model.conf: [role_definition] does not define g2\n  try: g2 = _, _",
        ),
    ],
)
def test_every_difference_is_told(old: str, new: str, told: str):
    """The line that differs, what stands there, and what was reviewed."""
    assert _told(TEXT.replace(old, new, 1)) == told


def test_a_changed_matcher_is_told_by_its_first_difference():
    """Pitfall 8 and 9: a site cannot slip in a function that matches too much."""
    changed = MATCHER.replace("fact(r.obj, p.obj, r.ctx)", "keyMatch(r.obj, p.obj)")

    problems = read_model(a_source(TEXT.replace(MATCHER, changed), "model.conf"))

    assert [p.message for p in problems] == ["keyMatch is not the reviewed model; expected fact"]
    assert problems[0].suggestion == MATCHER


def test_a_conditional_role_is_no_model_of_ours():
    """Pitfall 13: a plain g beside a conditional one silently becomes string equality."""
    problems = read_model(a_source(TEXT.replace("g2 = _, _", "g2 = _, _, (_, _)"), "model.conf"))

    assert len(problems) == 1


def test_operators_do_not_fall_apart():
    """White space is free between words, not inside one."""
    assert "expected &&" in _told(TEXT.replace("&&", "& &", 1))
    assert "expected ||" in _told(TEXT.replace("|| deny", "| | deny"))
    assert "expected eft" in _told(TEXT.replace("p.eft", "p.e ft"))


def test_an_empty_model_lacks_everything():
    """Nothing is not the model."""
    assert _told("").count("does not define") == len(MODEL)


def test_an_unreadable_model_is_told_as_any_file():
    """The lines are checked before the model."""
    problems = read_model(a_source(b"\xef\xbb\xbf" + TEXT.encode(), "model.conf"))

    assert [p.location.column for p in problems] == [1]
