"""Refusals that are counted instead of written."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from authz.audit.record import Asked, AuditRecord, Mode
from authz.audit.summary import MOST_KEYS, PERIOD, UNPROVEN, UNSIGNED, Allowance, Summary
from authz.errors import Reason
from authz.identity.identity import Identity, Proof
from authz.policy.decision import Effect
from authz.wire.raw import Door
from tests.fakes import Clock

NOBODY = AuditRecord(
    "id", datetime(2026, 7, 1, tzinfo=UTC), Door.PROXY, Mode.ENFORCE, True, None, None,  # noqa: FBT003  positions of a record
    reason=Reason.NO_CREDENTIAL,
)  # fmt: skip
ALICE = replace(NOBODY, identity=Identity("user:alice"), verdict=Effect.DENY, reason=Reason.NO_RULE)


def counted(summary: Summary, record: AuditRecord, times: int) -> int:
    """Return how many of so many records are counted instead of written."""
    return sum(summary.takes(replace(record, id=f"id-{n}")) for n in range(times))


def test_refusals_of_nobody_are_summed_up():
    """So many are written, then a few a second; the summary says how many more there were."""
    clock = Clock()
    summary = Summary(clock=clock)

    first = counted(summary, NOBODY, int(UNSIGNED.burst) + 50)
    clock.now += 10
    later = counted(summary, NOBODY, 50)

    assert (first, later) == (50, 40)
    assert summary.told() == [
        {
            "door": "proxy",
            "reason": "no_credential",
            "subject": None,
            "count": 90,
            "first": "id-2000",
            "last": "id-49",
            "since": "2026-07-01T00:00:00.000Z",
            "until": "2026-07-01T00:00:00.000Z",
            "actions": {"": 90},
        }
    ]
    assert summary.told() == []


def test_one_caller_does_not_silence_another():
    """Each has an allowance of his own."""
    summary = Summary(Allowance(rate=1, burst=2), Clock())

    alice = counted(summary, ALICE, 5)
    bob = counted(summary, replace(ALICE, identity=Identity("user:bob")), 5)

    assert (alice, bob) == (3, 3)
    assert [each["subject"] for each in summary.told()] == ["user:alice", "user:bob"]


def test_what_was_tried_is_not_lost_in_a_flood():
    """A caller cannot hide one thing behind many others that are denied as well."""
    summary = Summary(Allowance(rate=1, burst=0.5), Clock())
    ping = Asked("GET", "/_ping", action="system.ping")
    create = ping._replace(action="container.create")

    counted(summary, replace(ALICE, asked=ping), 50)
    counted(summary, replace(ALICE, asked=create), 1)
    counted(summary, replace(ALICE, asked=None), 1)

    (told,) = summary.told()
    assert told["actions"] == {"system.ping": 50, "container.create": 1, "": 1}
    counted(summary, replace(ALICE, asked=create), 1)
    assert summary.told()[0]["actions"] == {"container.create": 1}


def test_what_is_let_through_is_always_written():
    """Allowed, or denied in shadow mode."""
    summary = Summary(Allowance(rate=1, burst=0), Clock())

    assert counted(summary, replace(ALICE, verdict=Effect.ALLOW), 10) == 0
    assert counted(summary, replace(ALICE, enforced=False), 10) == 0


@pytest.mark.parametrize("proof", [proof for proof in Proof if proof is not Proof.NONE])
def test_who_proved_himself_has_a_line_for_every_denial(proof: Proof):
    """However many there are: somebody may have to answer for each."""
    summary = Summary(Allowance(rate=1, burst=0), Clock())
    alice = replace(ALICE, identity=Identity("user:alice", proof=proof))
    refused = replace(alice, verdict=Effect.REFUSE, reason=Reason.UNKNOWN_ROUTE)

    assert counted(summary, alice, 5000) == counted(summary, refused, 5000) == 0
    assert counted(summary, replace(alice, identity=Identity("user:alice")), 10) == 10


def test_a_rate_of_nothing_has_no_limit():
    """Whoever wants every denial of callers without a proof gets them."""
    assert counted(Summary(Allowance(0, 0), Clock()), ALICE, 5000) == 0


def test_callers_are_told_apart_up_to_a_number():
    """Memory is bounded; who is not seen any more is forgotten."""
    clock = Clock()
    summary = Summary(Allowance(rate=0.001, burst=1), clock)
    for number in range(MOST_KEYS + 5):
        one = replace(ALICE, identity=Identity(f"user:{number}"))
        counted(summary, one, 2)

    told = summary.told()
    clock.now += 1000
    summary.told()

    assert len(told) == MOST_KEYS + 1
    assert told[-1]["subject"] is None
    assert told[-1]["count"] == 9
    assert summary._buckets == {}
    assert UNPROVEN.burst > UNSIGNED.burst


def test_a_pause_gives_nobody_more_than_his_rate():
    """While another kind of refusal keeps the summaries coming."""
    clock = Clock()
    summary = Summary(Allowance(rate=1, burst=100), clock)
    counted(summary, ALICE, 101)
    summary.told()

    clock.now += PERIOD + 1
    summary.told()

    assert counted(summary, ALICE, 100) == 100 - int(PERIOD + 1)
    clock.now += 1000
    summary.told()
    summary.told()
    assert summary._buckets == {}
