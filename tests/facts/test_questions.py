"""Questions and answers."""

from authz.facts.questions import MISSING, Question, Topic


def test_a_question_is_a_value():
    """Two of a kind are one key."""
    assert {Question(Topic.PATH, "/etc"): 1} == {Question(Topic.PATH, "/etc"): 1}
    assert Question(Topic.CONTAINER, "a") < Question(Topic.CONTAINER, "b")


def test_missing_says_what_it_is():
    """It is seen in failures of tests and in logs."""
    assert repr(MISSING) == "MISSING"
