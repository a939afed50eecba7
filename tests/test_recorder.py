"""Records reach the sink in time, together, and without holding up the loop.

What becomes of the decision is in test_runner.py.
"""

import asyncio
import threading
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from authz import recorder
from authz.audit.chain import Kind
from authz.audit.summary import UNSIGNED, Allowance, Summary
from authz.errors import AuditUnavailableError
from authz.policy.decision import Effect
from authz.recorder import Recorder
from tests.audit.test_sink import a_record
from tests.fakes import ScriptedSink, until


@pytest.fixture
def made():
    """Return a way to make a recorder; its thread is let go of at the end."""
    found = []

    def make(sink, *, time_limit=5.0, **more):
        found.append((Recorder(sink, time_limit, **more), sink))
        return found[-1][0]

    yield make
    for each, sink in found:
        sink.go.set()
        each.close()


async def test_many_share_one_sync(made):
    """What came in while the disk was busy is brought to it together."""
    sink = ScriptedSink(blocking=True)
    one = made(sink)
    sink.go.clear()
    writing = [asyncio.create_task(one.write(a_record(number))) for number in range(50)]
    await asyncio.sleep(0.05)
    sink.go.set()
    await asyncio.gather(*writing)

    assert [record.id for record in sink.records] == [f"id-{number}" for number in range(50)]
    assert sink.commits == 2


async def test_a_file_is_written_at_once_and_synced_in_the_thread(made):
    """Only the disk is waited for, by all that came in meanwhile together."""
    sink = ScriptedSink(blocking=True, quick=True)
    one = made(sink)
    sink.go = threading.Event()
    sink.append = sink.records.append
    writing = [asyncio.create_task(one.write(a_record(0)))]
    await until(sink.syncing.is_set)
    writing += [asyncio.create_task(one.write(a_record(number))) for number in range(1, 50)]
    await asyncio.sleep(0.02)
    early = (len(sink.records), [task.done() for task in writing].count(True))
    sink.go.set()
    await asyncio.gather(*writing)

    assert early == (50, 0)
    assert sink.commits == 2


async def test_a_sync_that_fails_fails_all_that_wait_for_it(made):
    """None of them is on the disk for certain."""
    sink = ScriptedSink(blocking=True)

    def failing():
        sink.fault = AuditUnavailableError("cannot be synced")
        raise sink.fault

    sink.commit = failing
    one = made(sink)

    ended = await asyncio.gather(
        *(one.write(a_record(number)) for number in range(3)), return_exceptions=True
    )

    assert [str(each) for each in ended] == ["cannot be synced"] * 3
    assert one.problem == "cannot be synced"


async def test_only_so_many_wait(made, monkeypatch):
    """Further ones are refused at once; a note is told in the log."""
    monkeypatch.setattr(recorder, "MOST_WAITING", 2)
    sink = ScriptedSink(blocking=True)
    sink.go.clear()
    one = made(sink)
    first = asyncio.create_task(one.write(a_record(0)))
    await asyncio.sleep(0.05)
    waiting = [asyncio.create_task(one.write(a_record(number))) for number in (1, 2)]
    await asyncio.sleep(0)

    with pytest.raises(AuditUnavailableError, match="too many records wait"):
        await one.write(a_record(3))
    with capture_logs() as logs:
        one.tell(Kind.OUTCOME, {"id": "x"})
    sink.go.set()
    await asyncio.gather(first, *waiting)

    assert [log["event"] for log in logs] == ["audit.note_lost"]


@pytest.mark.parametrize("blocking", [False, True])
async def test_notes_are_written_and_nobody_waits(made, blocking):
    """One that cannot be written is told in the log."""
    sink = ScriptedSink(blocking=blocking)
    one = made(sink)
    one.tell(Kind.OUTCOME, {"id": "x"})
    await until(lambda: sink.notes)
    sink.fault = AuditUnavailableError("disk full")
    with capture_logs() as logs:
        one.tell(Kind.OUTCOME, {"id": "y"})
        await until(lambda: logs)

    assert sink.notes == [(Kind.OUTCOME, {"id": "x"})]
    assert (logs[0]["event"], logs[0]["problem"]) == ("audit.note_lost", "disk full")


async def test_what_is_counted_is_told_later(made, monkeypatch):
    """After a while, or at the end."""
    monkeypatch.setattr(recorder, "PERIOD", 0.05)
    sink = ScriptedSink()
    one = made(sink, summary=Summary(Allowance(0, 0)))
    for _ in range(int(UNSIGNED.burst) + 3):
        await one.write(a_record(1))
    await until(lambda: sink.notes)
    for _ in range(2):
        await one.write(a_record(2))
    one.close()

    assert len(sink.records) == UNSIGNED.burst
    assert [(kind, members["count"]) for kind, members in sink.notes] == [
        (Kind.SUMMARY, 3),
        (Kind.SUMMARY, 2),
    ]


async def test_what_went_unrecorded_is_told_when_it_can_be(made):
    """So many, and since when."""
    sink = ScriptedSink(fault=AuditUnavailableError("disk full"))
    one = made(sink)
    with pytest.raises(AuditUnavailableError):
        await one.write(a_record(1))
    one.unrecorded()
    one.unrecorded()
    sink.fault = None
    await one.write(replace(a_record(2), verdict=Effect.ALLOW))

    ((kind, members),) = sink.notes
    assert (kind, members["count"]) == (Kind.UNRECORDED, 2)


async def test_a_loop_that_has_ended_is_not_told(made):
    """The record is written all the same."""
    sink = ScriptedSink(blocking=True)
    one = made(sink)
    closed = asyncio.new_event_loop()
    closed.close()
    one._waiting.append(recorder._Wanted(lambda: sink.append(a_record(1))))

    one._drain(closed)

    assert len(sink.records) == 1


async def test_the_end_waits_for_what_is_written(made):
    """A summary is not lost because it comes last."""
    sink = ScriptedSink(blocking=True)
    one = made(sink)
    for _ in range(int(UNSIGNED.burst) + 1):
        await one.write(a_record(1))

    one.close()

    assert [kind for kind, _ in sink.notes] == [Kind.SUMMARY]
