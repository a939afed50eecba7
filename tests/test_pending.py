"""A verdict on its way out: nothing leaves before its record is written, nor without one."""

import asyncio
import sys
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from authz import gate
from authz.audit.record import Mode
from authz.audit.redaction import Redaction
from authz.errors import AuditUnavailableError, Reason
from authz.identity.identity import Identity
from authz.metrics import Metrics
from authz.pending import Desk
from authz.policy.decision import Decision, Effect
from authz.recorder import Recorder
from authz.wire.raw import RawRequest
from tests.fakes import ScriptedSink, until


@pytest.fixture
def desk():
    """Return a way to make a desk; its thread is let go of at the end."""
    made = []

    def make(sink, *, allow_reads=False):
        recorder = Recorder(sink, 5.0)
        made.append((recorder, sink))
        return Desk(recorder, Metrics(), Redaction(), allow_reads=allow_reads)

    yield make
    for recorder, sink in made:
        sink.go.set()
        recorder.close()


def a_course(number=0):
    """Return a course at whose end something is allowed."""
    time = datetime(2026, 7, 1, tzinfo=UTC)
    course = gate.Course(f"id-{number}", RawRequest("GET", "/_ping"), time, Mode.ENFORCE)
    course.identity = Identity("user:anonymous")
    course.decision = Decision(Effect.ALLOW, Reason.RULE, ())
    return course


def counted(desk, effect):
    """Return how many decisions were counted with this effect."""
    samples = next(iter(desk.metrics.decisions.collect())).samples
    return sum(
        sample.value
        for sample in samples
        if sample.labels.get("effect") == effect and sample.name.endswith("_total")
    )


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_verdict_is_held_back_until_its_record_is_written(desk, blocking):
    """It is counted when it leaves, and its room is free before anybody has it."""
    sink, did = ScriptedSink(blocking=blocking), []
    one = desk(sink)
    pending = one.hold(a_course(), 0.0, lambda: did.append("left"))
    pending.then(lambda verdict: did.append((verdict.id, verdict.effect, len(sink.records))))
    early = (list(did), counted(one, "allow"))
    await until(lambda: len(did) == 2)
    late = []
    pending.then(late.append)

    assert early == ([], 0)
    assert did == ["left", ("id-0", Effect.ALLOW, 1)]
    assert [verdict.id for verdict in late] == ["id-0"]
    assert await pending.holds() is late[0]
    assert counted(one, "allow") == 1


async def test_where_it_waits_for_nobody_it_is_there_at_once(desk):
    """For a door that answers in tasks."""
    sink = ScriptedSink()
    pending = desk(sink).hold(a_course(), 0.0, at_once=True)

    assert len(sink.records) == 1
    assert (await pending.holds()).lets_through


async def test_who_waits_is_answered_whatever_becomes_of_the_counters(desk):
    """The daemon has no time limit; the defect is in the log."""
    one, verdicts, left = desk(ScriptedSink()), [], []
    one.metrics.actions.count = None
    with capture_logs() as logs:
        pending = one.hold(a_course(), 0.0, lambda: left.append(True))
        pending.then(verdicts.append)
        await until(lambda: verdicts)

    assert (verdicts[0].effect, left) == (Effect.ALLOW, [True])
    assert [each["event"] for each in logs] == ["audit.answer_failed"]


async def test_all_that_waited_for_a_write_that_failed_are_refused(desk):
    """None of them says why to the caller; each is counted."""
    sink = ScriptedSink(fault=AuditUnavailableError("disk full"))
    one, verdicts = desk(sink), []
    with capture_logs() as logs:
        for number in range(3):
            one.hold(a_course(number), 0.0).then(verdicts.append)
        await until(lambda: verdicts)

    assert [verdict.id for verdict in verdicts] == ["id-0", "id-1", "id-2"]
    assert {verdict.reason for verdict in verdicts} == {Reason.AUDIT_UNAVAILABLE}
    assert not any(verdict.lets_through for verdict in verdicts)
    assert "disk full" not in verdicts[0].message
    assert [log["event"] for log in logs] == ["audit.write_failed", "request.refused"] * 3
    assert (counted(one, "allow"), counted(one, "refuse")) == (0, 3)


async def test_a_verdict_that_cannot_be_told_refuses(desk):
    """A defect on the way is no way around the record, and needs none."""
    sink, course = ScriptedSink(), a_course()
    course.decision = object()
    with capture_logs() as logs:
        verdict = await desk(sink).hold(course, 0.0).holds()

    assert (verdict.effect, verdict.reason) == (Effect.REFUSE, Reason.INTERNAL_ERROR)
    assert logs[0]["event"] == "request.record_failed"
    assert sink.records == []


async def test_a_body_does_not_wait_with_the_answer(desk):
    """The record is made before, so that many that wait take little memory."""
    sink, course = ScriptedSink(blocking=True), a_course()
    course.raw = RawRequest("POST", "/volumes/create", body=b"{}")
    before = sys.getrefcount(course)
    pending = desk(sink).hold(course, 0.0)
    held = sys.getrefcount(course)

    assert held == before
    assert (await pending.holds()).lets_through


async def test_who_has_gone_is_not_told(desk):
    """The record is written, and the verdict counted."""
    sink = ScriptedSink(blocking=True)
    one = desk(sink)
    waiting = asyncio.create_task(one.hold(a_course(), 0.0).holds())
    await asyncio.sleep(0)
    waiting.cancel()
    await until(lambda: counted(one, "allow"))

    assert waiting.cancelled()
    assert len(sink.records) == 1
