"""Why a decision came out as it did, and what would have allowed it.

For a person who has to decide what to do about a denial. It proposes the
smallest row that would have allowed the request, and never one where a row
forbids it: then that row is what has to be talked about. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from authz.facts.facts import Fact
from authz.identity.identity import Identity
from authz.policy.decision import Decision, Outcome, Row
from authz.policy.explain import place
from authz.policy.pattern import written_out
from authz.policy.row_check import pattern_of
from authz.policy.snapshot import Snapshot
from authz.policy.subject import GROUPED, type_of
from authz.tools.drafts.dangers import dangers
from authz.tools.drafts.rows import Draft, domain_of, facts_column, faults, literal
from authz.tools.reach import Reach
from authz.tools.recorded import Recorded

MOST_NEAR: Final = 5
"""Rows of each sort that are named."""

OWN_MODEL: Final = "no row is proposed: this policy has its own model, not the reviewed one"
WRITE_OUT: Final = "no pattern gives what is not known: a row that allows it writes out "


@dataclass(frozen=True, slots=True)
class Missed:
    """A fact that no row allows: rows that come near, and roles whose rows would allow it."""

    fact: Fact
    near: tuple[Row, ...]
    elsewhere: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """What stands between a request and its permission.

    ``roles`` were searched. ``proposal`` are rows that would allow it, empty
    where ``forbidden`` names rows that deny it, or where ``obstacle`` says what
    else is in the way. ``dangers`` are what the proposal would grant.
    """

    roles: tuple[str, ...]
    missed: tuple[Missed, ...] = ()
    forbidden: tuple[Row, ...] = ()
    proposal: tuple[str, ...] = ()
    dangers: tuple[str, ...] = ()
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with what can be said about it.

    ``document`` has the members of the record; ``now`` is what the policy that
    was asked for says, and None without one. ``same_policy`` is whether that
    is the policy which decided.
    """

    document: Mapping[str, Any]
    now: Decision | None = None
    advice: Advice | None = None
    same_policy: bool = True


def explain(recorded: Recorded, snapshot: Snapshot | None) -> Explanation:
    """Explain a recorded decision, by the policy that is given."""
    if snapshot is None or not recorded.facts:
        return Explanation(recorded.document)
    now = recorded.judge(snapshot)
    advice = advise(recorded.identity, recorded.action, now, snapshot)
    return Explanation(recorded.document, now, advice, recorded.policy == snapshot.digest)


def advise(identity: Identity, action: str, decision: Decision, snapshot: Snapshot) -> Advice:
    """Say what would allow a request that a policy has judged so."""
    reach = Reach(snapshot)
    roles = tuple(sorted(each for each in reach.held(identity) if type_of(each) in GROUPED))
    failing = [outcome for outcome in decision.outcomes if not outcome.allowed]
    forbidden = tuple(dict.fromkeys(each.row for each in failing if each.row is not None))
    if snapshot.bundle.brought:
        return Advice(roles, (), forbidden, obstacle=_own_obstacle(failing))
    missed = [outcome.fact for outcome in failing if outcome.row is None]
    told = tuple(_missed(identity, action, fact, reach) for fact in missed)
    if forbidden or not missed:
        return Advice(roles, told, forbidden)
    rows, obstacle = _proposal(identity, action, missed)
    found = dangers(action, missed) if rows else ()
    return Advice(roles, told, (), rows, found, obstacle)


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Return the members of the record, with ``explanation`` beside them."""
    document = dict(explanation.document)
    if explanation.now is None or explanation.advice is None:
        return document | {"explanation": None}
    advice = explanation.advice
    return document | {
        "explanation": {
            "same_policy": explanation.same_policy,
            "verdict": explanation.now.effect.value,
            "reason": explanation.now.reason.value,
            "facts": [_outcome(each) for each in explanation.now.outcomes],
            "roles": list(advice.roles),
            "no_row": [
                {
                    "fact": str(each.fact),
                    "nearest": [row_json(row) for row in each.near],
                    "other_roles": [row_json(row) for row in each.elsewhere],
                }
                for each in advice.missed
            ],
            "forbidden_by": [row_json(row) for row in advice.forbidden],
            "proposal": list(advice.proposal),
            "dangers": list(advice.dangers),
            "obstacle": advice.obstacle,
        }
    }


def row_json(row: Row) -> dict[str, Any]:
    """Return a row for a program."""
    return {
        "row": row.id,
        "at": row.at,
        "subject": row.subject,
        "fact": row.fact,
        "when": row.when,
        "verdict": row.word.value,
        "message": row.message,
        "controls": list(row.controls),
    }


def sentence(missed: Missed) -> str:
    """Say in a few words what comes near a fact that no row allows."""
    if missed.near:
        return "; ".join(f"{_own(row, missed.fact)} by {place(row)}" for row in missed.near)
    return f"no row of these roles allows any {missed.fact.kind}"


def _own(row: Row, fact: Fact) -> str:
    """Return what a row says of one kind of fact."""
    own = [each.text for each in pattern_of(row.fact).alternatives if each.kind == fact.kind]
    return f"{fact.kind}:{'|'.join(own)}"


def _missed(identity: Identity, action: str, fact: Fact, reach: Reach) -> Missed:
    near = reach.near(identity, action, fact)
    elsewhere = reach.elsewhere(identity, action, fact)
    return Missed(fact, tuple(near[:MOST_NEAR]), tuple(elsewhere[:MOST_NEAR]))


def _proposal(identity: Identity, action: str, facts: list[Fact]) -> tuple[tuple[str, ...], str]:
    """Return the rows that allow exactly these facts, or what keeps anybody from writing them."""
    pairs = [(fact.kind, literal(fact.value)) for fact in facts]
    drafts = [
        Draft(identity.subject, action, column, domain_of(identity))
        for column in facts_column(pairs)
    ]
    for draft in drafts:
        if wrong := faults(draft.text):
            return (), f"no row can say it: {wrong[0]}"
    return tuple(draft.row for draft in drafts), ""


def _own_obstacle(failing: Iterable[Outcome]) -> str:
    """Say why no row is proposed, and what patterns pass over; failures say that themselves."""
    names = (written_out(each.fact) for each in failing if each.word is None and not each.error)
    wanted = ", ".join(dict.fromkeys(filter(None, names)))
    return f"{OWN_MODEL}; {WRITE_OUT}{wanted}" if wanted else OWN_MODEL


def _outcome(outcome: Outcome) -> dict[str, Any]:
    row = outcome.row
    return {
        "fact": str(outcome.fact),
        "verdict": outcome.word or "deny",
        "row": row.id if row else None,
        "at": row.at if row else None,
        "message": row.message if row else "",
        "controls": list(row.controls) if row else [],
        **({"error": outcome.error} if outcome.error else {}),
    }
