"""What is asked, and what is at hand. Rounds, failures and limits: ``test_runner``."""

from datetime import UTC, datetime

import pytest

from authz import gate
from authz.deadlines import Deadlines
from authz.facts.questions import MISSING, Question, Topic
from authz.identity.identity import Identity
from authz.inquiry import Asker
from authz.metrics import Metrics
from authz.policy.current import CurrentPolicy
from tests.builders import DAEMON, a_raw_request
from tests.fakes import ScriptedLookups

INFO = Question(Topic.DAEMON, "")
IMAGE = Question(Topic.IMAGE, "nginx")


@pytest.fixture
def prepared():
    """Return a create that raises two questions."""
    raw = a_raw_request(body={"Image": "nginx"})
    snapshot = CurrentPolicy("builtin:developer").snapshot
    return gate.prepare(raw, Identity("user:alice"), snapshot)


def test_what_is_at_hand_is_not_asked(prepared):
    """Only the rest is open."""
    lookups = ScriptedLookups({INFO: DAEMON}, known=frozenset({Topic.DAEMON}))

    inquiry = Asker(lookups, Metrics()).begin(prepared)

    assert (inquiry.questions, inquiry.answers) == ((IMAGE,), {INFO: DAEMON})


def test_a_request_may_be_answered_by_what_is_at_hand(prepared):
    """Then nobody waits."""
    known = frozenset({Topic.DAEMON, Topic.IMAGE})
    lookups = ScriptedLookups({INFO: DAEMON, IMAGE: MISSING}, known=known)

    inquiry = Asker(lookups, Metrics()).begin(prepared)

    assert (inquiry.questions, lookups.asked) == ((), [])
    assert "runtime:default" in map(str, inquiry.facts.facts)
    assert gate.context(prepared, inquiry.facts, datetime.now(UTC))["image"]


@pytest.mark.parametrize("known", [frozenset(), frozenset({Topic.DAEMON})])
async def test_the_rest_is_asked(prepared, known):
    """One alone, or several at once; each is counted."""
    lookups = ScriptedLookups({INFO: DAEMON}, known=known)
    metrics = Metrics()
    asker = Asker(lookups, metrics)
    inquiry = asker.begin(prepared)

    await asker.ask_all(inquiry)

    assert (inquiry.questions, set(inquiry.answers)) == ((), {INFO, IMAGE})
    assert b'dockgate_lookups_total{outcome="missing",topic="image"} 1.0' in metrics.text()
    assert set(lookups.asked) == ({IMAGE} if known else {INFO, IMAGE})


async def test_one_question_is_asked_without_a_task_where_that_is_ready(prepared):
    """It is counted as any other; where it was not ready after all it stays open."""
    known, soon = frozenset({Topic.DAEMON}), frozenset({Topic.IMAGE})
    lookups = ScriptedLookups({INFO: DAEMON}, known=known, soon=soon, gone=True)
    metrics, limits = Metrics(), Deadlines(1)
    asker = Asker(lookups, metrics)
    inquiry = asker.begin(prepared)
    assert asker.ready(inquiry)

    await asker.ask_soon(inquiry, limits)
    assert (inquiry.questions, metrics.lookups.count) == ((IMAGE,), {})

    lookups.gone = False
    await asker.ask_soon(inquiry, limits)
    assert (inquiry.questions, inquiry.answers[IMAGE]) == ((), MISSING)
    assert metrics.lookups.count == {("image", "missing"): 1}


@pytest.mark.parametrize(
    ("known", "soon"), [([], [Topic.DAEMON, Topic.IMAGE]), ([Topic.DAEMON], [])]
)
def test_several_questions_are_never_ready(prepared, known, soon):
    """Nor is one without a connection."""
    lookups = ScriptedLookups({INFO: DAEMON}, known=frozenset(known), soon=frozenset(soon))
    asker = Asker(lookups, Metrics())

    assert not asker.ready(asker.begin(prepared))
