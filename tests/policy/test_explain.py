"""The one line that a caller reads."""

import pytest

from authz.errors import Location, Reason
from authz.facts.facts import Fact
from authz.policy.decision import Decision, Effect, Outcome, Row, Word
from authz.policy.explain import LIMIT, denial, printable, refusal

ROW = Row(
    subject="role:dev",
    domain="*",
    action="*",
    fact="bind:/etc",
    when="*",
    word=Word.DENY,
    id="no-host-etc",
    location=Location("packs/pss-baseline.csv", 6),
    controls=("CIS 5.6", "PSS HostPath"),
)


def denied(*outcomes: Outcome) -> Decision:
    """Return a deny that these outcomes led to."""
    return Decision(Effect.DENY, Reason.RULE, outcomes)


def test_a_denial_names_fact_caller_row_place_and_controls():
    """The line has the form that people's scripts know."""
    outcomes = [Outcome(Fact("bind", "/etc"), Word.DENY, ROW)] * 3

    line = denial(denied(*outcomes), "user:alice", "01J")

    assert line == (
        "dockgate: denied: bind:/etc for user:alice by no-host-etc (packs/pss-baseline.csv:6) "
        "[CIS 5.6, PSS HostPath]; 2 more; request 01J"
    )


def test_allowed_facts_are_not_blamed():
    """Only what failed is named and counted."""
    fine = Outcome(Fact("on", "new"), Word.ALLOW, ROW)
    failing = Outcome(Fact("bind", "/x"), None)

    line = denial(denied(fine, failing), "user:alice", "01J")

    assert line == "dockgate: denied: bind:/x for user:alice: no row allows it; request 01J"


def test_a_row_without_a_name_is_shown_by_its_place():
    """``file:line`` is not printed twice, and no empty brackets."""
    at = Location("policy.csv", 3)
    row = Row("role:dev", "*", "*", "bind:/x", "*", Word.DENY, "policy.csv:3", at)

    line = denial(denied(Outcome(Fact("bind", "/x"), Word.DENY, row)), "user:a", "01J")

    assert "for user:a by policy.csv:3; request 01J" in line


def test_what_a_lookup_told_is_shown_by_kind_only():
    """A refusal does not describe other people's containers."""
    fact = Fact("target.bind", "/srv/secret", looked_up=True)

    line = denial(denied(Outcome(fact, None)), "user:a", "01J")

    assert "target.bind for user:a" in line
    assert "secret" not in line


def test_a_row_that_cannot_be_evaluated_says_so():
    """Such a request is refused, with the row that nobody could read."""
    outcome = Outcome(Fact("bind", "/x"), None, ROW, error="{name} has no value")
    decision = Decision(Effect.REFUSE, Reason.RULE_ERROR, (outcome,))

    line = denial(decision, "user:a", "01J")

    assert line.startswith("dockgate: refused: bind:/x for user:a by no-host-etc")
    assert "{name} has no value" in line


def test_an_error_without_a_row_is_printed_alone():
    """The sentence does not depend on a row."""
    decision = Decision(
        Effect.REFUSE, Reason.RULE_ERROR, (Outcome(Fact("a", "b"), None, error="x"),)
    )

    assert denial(decision, "user:a", "1") == "dockgate: refused: a:b for user:a: x; request 1"


def test_no_facts_at_all_are_a_denial():
    """A request that yields nothing is never allowed."""
    assert "no fact that could be allowed" in denial(denied(), "user:a", "01J")


def test_the_three_verbs_are_told_apart():
    """The gate refuses what it cannot read; the system fails."""
    refused = refusal(Reason.UNREADABLE_REQUEST, "two HostConfig members", "01J")
    failed = refusal(Reason.LOOKUP_FAILED, "the daemon did not answer", "01J")

    assert refused == (
        "dockgate: refused: two HostConfig members (unreadable_request); request 01J"
    )
    assert failed.startswith("dockgate: failed: the daemon did not answer (lookup_failed)")


def test_text_that_moves_the_cursor_or_reorders_is_escaped():
    """Control, bidirectional and separator characters never reach a terminal."""
    assert printable("a\x1b[2J\n\u202eb c") == "a\\x1b[2J\\n\\u202eb c"


def test_a_line_is_never_longer_than_a_kibibyte():
    """The id survives, whatever the caller sent."""
    line = refusal(Reason.UNREADABLE_REQUEST, "ä" * 5000, "01J")

    assert len(line.encode()) <= LIMIT
    assert line.endswith("...; request 01J")


@pytest.mark.parametrize("action", ["build.session", "build.grpc", "build.buildkit"])
def test_a_denied_build_says_what_to_do(action: str):
    """BuildKit sends nothing that could be judged in parts."""
    decision = denied(Outcome(Fact("body.opaque", "session"), None))

    line = denial(decision, "user:a", "01J", action)

    assert line == (
        "dockgate: denied: body.opaque:session for user:a: no row allows it; BuildKit is granted "
        f"as a whole: ask for {action}, or build with DOCKER_BUILDKIT=0; request 01J"
    )


def test_what_to_do_is_said_however_long_the_fact_is():
    """It is never cut, and the line stays within its limit."""
    decision = denied(Outcome(Fact("image.name", "x" * 2000), None))

    line = denial(decision, "user:a", "01J", "build.buildkit")

    assert len(line.encode()) == LIMIT
    assert "build with DOCKER_BUILDKIT=0; request 01J" in line


def test_other_builds_have_no_such_word():
    """The classic builder is judged by its parameters."""
    decision = denied(Outcome(Fact("body.opaque", "build"), None))

    assert "BuildKit" not in denial(decision, "user:a", "01J", "build.run")
