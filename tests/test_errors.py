"""Errors say where, and problems keep their order."""

import pytest

from authz.errors import Location, PolicyError, Problem, Reason, RefusedError, Severity


@pytest.mark.parametrize(
    ("location", "text"),
    [
        (Location("policy.csv"), "policy.csv"),
        (Location("policy.csv", 4), "policy.csv:4"),
        (Location("policy.csv", 4, 9), "policy.csv:4:9"),
    ],
)
def test_a_location_prints_what_is_known(location, text):
    """A place without a line or column does not print zeros."""
    assert str(location) == text


def test_a_policy_error_counts_errors_and_points_at_the_first():
    """Warnings travel along, and are not counted as errors."""
    warning = Problem(Location("a.csv", 1), "odd", severity=Severity.WARNING)
    mistake = Problem(Location("a.csv", 2), "wrong")

    error = PolicyError((warning, mistake))

    assert str(error) == "1 problem, at a.csv:2"
    assert error.problems == (warning, mistake)
    assert str(PolicyError((mistake, mistake))) == "2 problems, the first at a.csv:2"


def test_a_refusal_carries_its_reason():
    """The reason is a code, the detail a sentence for the caller."""
    error = RefusedError(Reason.UNKNOWN_ROUTE, "GET /x is no operation")

    assert error.reason is Reason.UNKNOWN_ROUTE
    assert str(error) == "unknown_route: GET /x is no operation"


def test_a_refusal_that_is_kept_keeps_nothing_else():
    """Neither the frames that it came through, nor what it came of."""

    def refuse():
        raise RefusedError(Reason.UNKNOWN_ROUTE, "GET /x") from ValueError()

    with pytest.raises(RefusedError) as caught:
        refuse()
    kept = caught.value.bare()

    assert kept is caught.value
    assert (kept.__traceback__, kept.__context__, kept.__cause__) == (None, None, None)
