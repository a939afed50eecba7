"""One decision from the outcomes of all facts."""

from __future__ import annotations

import pytest

from authz.errors import Location, Reason
from authz.facts.facts import Fact
from authz.policy.combine import combine
from authz.policy.decision import Effect, Outcome, Row, Word

ROW = Row("*", "*", "*", "**", "*", Word.ALLOW, "a", Location("policy.csv", 1, 1))
FACT = Fact("on", "new")

ALLOWED = Outcome(FACT, Word.ALLOW, ROW)
EXCEPTED = Outcome(FACT, Word.EXCEPT, ROW)
DENIED = Outcome(FACT, Word.DENY, ROW)
FORBIDDEN = Outcome(FACT, Word.NEVER, ROW)
UNSAID = Outcome(FACT, None)
BROKEN = Outcome(FACT, Word.DENY, ROW, "not known")


@pytest.mark.parametrize(
    ("outcomes", "effect", "reason"),
    [
        ((), Effect.DENY, Reason.NO_RULE),
        ((ALLOWED,), Effect.ALLOW, Reason.RULE),
        ((ALLOWED, EXCEPTED), Effect.ALLOW, Reason.RULE),
        ((ALLOWED, DENIED), Effect.DENY, Reason.RULE),
        ((FORBIDDEN, ALLOWED), Effect.DENY, Reason.RULE),
        ((ALLOWED, UNSAID), Effect.DENY, Reason.NO_RULE),
        ((UNSAID, DENIED), Effect.DENY, Reason.RULE),
        ((ALLOWED, BROKEN), Effect.REFUSE, Reason.RULE_ERROR),
        ((DENIED, UNSAID, BROKEN), Effect.REFUSE, Reason.RULE_ERROR),
    ],
)
def test_every_fact_must_be_allowed(outcomes: tuple[Outcome, ...], effect: Effect, reason: Reason):
    """What could not be judged weighs most, then what is denied, then what nobody allowed."""
    decision = combine(outcomes, (ROW,))

    assert (decision.effect, decision.reason) == (effect, reason)
    assert (decision.outcomes, decision.nearest) == (outcomes, (ROW,))
