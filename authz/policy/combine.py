"""The outcomes of all facts to one decision.

Every fact must be allowed. It knows outcomes, and neither rows nor who asks.
"""

from __future__ import annotations

from authz.errors import Reason
from authz.policy.decision import Decision, Effect, Outcome, Row, Word


def combine(outcomes: tuple[Outcome, ...], nearest: tuple[Row, ...] = ()) -> Decision:
    """Return what follows for the request. No outcomes at all allow nothing.

    A fact that could not be judged refuses the request; else one that a row
    denies denies it, and one that no row allows.
    """
    return Decision(*_verdict(outcomes), outcomes, nearest)


def _verdict(outcomes: tuple[Outcome, ...]) -> tuple[Effect, Reason]:
    """Walk once: this is done for each request, and nearly every fact is allowed."""
    failing = denied = False
    for outcome in outcomes:
        if outcome.error:
            return Effect.REFUSE, Reason.RULE_ERROR
        word = outcome.word
        if word is not Word.ALLOW and word is not Word.EXCEPT:
            failing = True
            denied = denied or word is not None
    if outcomes and not failing:
        return Effect.ALLOW, Reason.RULE
    return Effect.DENY, Reason.RULE if denied else Reason.NO_RULE
