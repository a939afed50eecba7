"""What is told of one fault."""

from authz.doctor.finding import Finding, Weight, worst_first

LOW = Finding("b", Weight.LOW, "is", "should be", "do", "CIS 2.3")
BAD = Finding("c", Weight.CRITICAL, "is", "should be", "do")
ALSO = Finding("a", Weight.CRITICAL, "is", "should be", "do")


def test_the_worst_comes_first():
    """Then by name, so that two runs print the same."""
    assert worst_first([LOW, BAD, ALSO]) == [ALSO, BAD, LOW]


def test_programs_see_every_member():
    """The weight is called severity there."""
    assert LOW.as_json() == {
        "id": "b",
        "severity": "low",
        "what": "is",
        "expected": "should be",
        "fix": "do",
        "control": "CIS 2.3",
    }
