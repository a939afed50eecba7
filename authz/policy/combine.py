"""The outcomes of all facts to one decision.

Every fact must be allowed. It knows outcomes, and neither rows nor who asks.
"""

from __future__ import annotations

from authz.errors import Reason
from authz.policy.decision import Decision, Effect, Outcome, Row


def combine(outcomes: tuple[Outcome, ...], nearest: tuple[Row, ...] = ()) -> Decision:
    """Return what follows for the request. No outcomes at all allow nothing.

    A fact that could not be judged refuses the request; else one that a row
    denies denies it, and one that no row allows.
    """
    return Decision(*_verdict(outcomes), outcomes, nearest)


def _verdict(outcomes: tuple[Outcome, ...]) -> tuple[Effect, Reason]:
    if any(outcome.error for outcome in outcomes):
        return Effect.REFUSE, Reason.RULE_ERROR
    failing = [outcome for outcome in outcomes if not outcome.allowed]
    if outcomes and not failing:
        return Effect.ALLOW, Reason.RULE
    denied = any(outcome.word for outcome in failing)
    return Effect.DENY, Reason.RULE if denied else Reason.NO_RULE
