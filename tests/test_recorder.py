"""Records reach the sink in time, together, and without holding up the loop.

What becomes of the decision is in test_runner.py.
"""

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime

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


class Told:
    """A decision whose record is held back, and what it hears of it."""

    def __init__(self, number, heard):
        self.number = number
        self.heard = heard

    def record(self):
        """Return the record; one of them cannot be made."""
        return a_record(self.number) if self.number >= 0 else 1 / 0

    def settled(self, error):
        """Take note, or fail."""
        self.heard.append((self.number, str(error or "")))
        if self.number == 13:
            raise ZeroDivisionError


async def test_what_comes_close_together_is_written_in_one_piece(made):
    """In order, behind the first turn that brings nothing more; nobody is told before that."""
    sink, heard = ScriptedSink(), []
    one = made(sink)
    for number in range(3):
        one.hold(Told(number, heard))
    await asyncio.sleep(0)
    one.hold(Told(3, heard))
    await asyncio.sleep(0)
    early = (list(heard), list(sink.records), one.waiting)
    await asyncio.sleep(0)
    one.hold(Told(4, heard))
    await until(lambda: len(heard) == 5)

    assert early == ([], [], 4)
    assert sink.writes == [4, 1]
    assert [record.id for record in sink.records] == [f"id-{number}" for number in range(5)]
    assert heard == [(number, "") for number in range(5)]


async def test_turns_that_all_bring_more_are_not_waited_for_without_end(made, monkeypatch):
    """So many records are written, whatever else comes."""
    monkeypatch.setattr(recorder, "MOST_OF_A_TURN", 4)
    sink, heard = ScriptedSink(), []
    one = made(sink)
    for number in range(4):
        one.hold(Told(number, heard))
        await asyncio.sleep(0)

    assert sink.writes == [4]
    assert len(heard) == 4


async def test_a_write_that_fails_fails_all_that_it_was_for(made):
    """Each of them hears of it, and the next turn is tried again."""
    sink, heard = ScriptedSink(fault=AuditUnavailableError("disk full")), []
    one = made(sink)
    for number in range(3):
        one.hold(Told(number, heard))
    await until(lambda: heard)
    failed = (list(heard), one.problem)
    sink.fault = None
    one.hold(Told(3, heard))
    await until(lambda: len(heard) == 4)

    assert failed == ([(number, "disk full") for number in range(3)], "disk full")
    assert heard[3:] == [(3, "")]
    assert [record.id for record in sink.records] == ["id-3"]


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_record_with_a_defect_fails_alone(made, blocking):
    """Whether it cannot be made or not be written; and one whose end fails holds up nobody."""
    sink, heard = ScriptedSink(blocking=blocking), []
    one = made(sink)

    def append(*records, before=()):
        if any(record.id == "id-7" for record in records) or len(before) > 1:
            raise TypeError("defect")
        sink.records += records
        sink.notes += before

    sink.append = append
    with capture_logs() as logs:
        for number in (1, -1, 7, 13, 2):
            one.tell(Kind.OUTCOME, {"id": number})
            one.hold(Told(number, heard))
        await until(lambda: len(heard) == 5)

    assert [members["id"] for _, members in sink.notes] == [1, -1, 7, 13, 2]
    assert sorted(heard) == [(-1, "division by zero"), (1, ""), (2, ""), (7, "defect"), (13, "")]
    assert [record.id for record in sink.records] == ["id-1", "id-13", "id-2"]
    assert [log["event"] for log in logs] == ["audit.answer_failed"]


async def test_a_turn_is_not_held_back_without_end(made, monkeypatch):
    """Another write begins above so many."""
    monkeypatch.setattr(recorder, "MOST_OF_A_TURN", 2)
    sink, heard = ScriptedSink(), []
    one = made(sink)
    for number in range(5):
        one.hold(Told(number, heard))
        one.tell(Kind.OUTCOME, {"id": number})
    await asyncio.sleep(0)

    assert sink.writes == [2, 2, 1]
    assert [members["id"] for _, members in sink.notes] == [0, 1, 2, 3, 4]


async def test_a_caller_who_cannot_be_held_back_takes_the_others_along(made):
    """The order stays, and he waits for no turn."""
    sink, heard = ScriptedSink(), []
    one = made(sink)
    one.hold(Told(0, heard))
    one.put(Told(1, heard))

    assert (sink.writes, heard) == ([2], [(0, ""), (1, "")])


async def test_many_share_one_sync(made):
    """What came in while the disk was busy is brought to it together."""
    sink = ScriptedSink(blocking=True)
    one = made(sink)
    sink.go.clear()
    writing = [asyncio.create_task(one.write(a_record(0)))]
    await until(lambda: sink.threads)
    writing += [asyncio.create_task(one.write(a_record(number))) for number in range(1, 50)]
    await asyncio.sleep(0.02)
    waiting = one.waiting
    sink.go.set()
    await asyncio.gather(*writing)

    assert [record.id for record in sink.records] == [f"id-{number}" for number in range(50)]
    assert (sink.commits, sink.writes, waiting) == (2, [1, 49], 49)


async def test_a_file_is_written_at_once_and_synced_in_the_thread(made):
    """Only the disk is waited for, by all that came in meanwhile together."""
    sink = ScriptedSink(blocking=True, quick=True)
    one = made(sink)
    sink.go = threading.Event()
    sink.append = lambda *records, before: sink.records.extend((*before, *records))
    writing = [asyncio.create_task(one.write(a_record(0)))]
    await until(sink.syncing.is_set)
    writing += [asyncio.create_task(one.write(a_record(number))) for number in range(1, 50)]
    await asyncio.sleep(0.02)
    early = (len(sink.records), [task.done() for task in writing].count(True))
    sink.go.set()
    await asyncio.gather(*writing)

    assert early == (1, 0)
    assert (len(sink.records), sink.commits) == (50, 2)


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
    monkeypatch.setattr(recorder, "MOST_OF_A_TURN", 0)
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
async def test_what_must_be_there_is_waited_for(made, blocking):
    """And whoever wants it hears that it is not."""
    sink = ScriptedSink(blocking=blocking)
    one = made(sink)
    await one.state(Kind.GRANT, {"id": "x"})
    sink.fault = AuditUnavailableError("disk full")

    with pytest.raises(AuditUnavailableError, match="disk full"):
        await one.state(Kind.GRANT, {"id": "y"})
    assert sink.notes == [(Kind.GRANT, {"id": "x"})]


async def test_a_task_that_has_gone_is_not_told(made):
    """Its record is written all the same."""
    sink = ScriptedSink(blocking=True)
    one = made(sink)
    sink.go.clear()
    writing = asyncio.create_task(one.write(a_record(1)))
    await until(lambda: sink.threads)
    writing.cancel()
    await asyncio.sleep(0)
    sink.go.set()
    await until(lambda: sink.records)
    await one.write(a_record(2))

    assert writing.cancelled()
    assert len(sink.records) == 2


async def test_behind_one_that_hangs_nothing_is_written(made, monkeypatch):
    """What waits with it is refused with it, what comes later at once, until it has ended."""
    monkeypatch.setattr(recorder, "SOON", 0.15)
    sink, heard = ScriptedSink(blocking=True), []
    one = made(sink, time_limit=0.1)
    sink.go.clear()
    one.hold(Told(0, heard))
    await until(lambda: sink.threads)
    with capture_logs() as logs:
        one.hold(Told(1, heard))
        one.tell(Kind.OUTCOME, {"id": "x"})
        await until(lambda: len(heard) == 2)
        one.hold(Told(2, heard))
        await asyncio.sleep(0.1)  # what was told is not there any more
    problem = one.problem
    sink.go.set()
    await until(lambda: sink.records)
    await until(lambda: not one.problem)
    one.hold(Told(3, heard))
    await until(lambda: len(heard) == 4)

    late, hangs = "the record was not written in time", "an earlier record is still being written"
    assert heard == [(0, late), (1, late), (2, hangs), (3, "")]
    assert [log["event"] for log in logs] == ["audit.note_lost"]
    assert problem == hangs
    assert ([record.id for record in sink.records], sink.notes) == (["id-0", "id-3"], [])


async def test_what_nobody_waits_for_goes_along_with_a_decision(made):
    """Before it, for it is older, in the same write, and with the time at which it came."""
    sink, heard = ScriptedSink(), []
    times = iter([datetime(2026, 11, 1, 12, 0, second, tzinfo=UTC) for second in range(2)])
    one = made(sink, clock=lambda: next(times))
    pieces = []
    append = sink.append
    sink.append = lambda *records, before: (
        pieces.append([members["id"] for _, members in before] + [each.id for each in records]),
        append(*records, before=before),
    )
    one.tell(Kind.OUTCOME, {"id": "x"})
    one.tell(Kind.OUTCOME, {"id": "y"})
    await asyncio.sleep(0)
    early = list(pieces)
    one.put(Told(0, heard))

    assert (early, pieces) == ([], [["x", "y", "id-0"]])
    assert sink.times == ["2026-11-01T12:00:00.000Z", "2026-11-01T12:00:01.000Z"]


async def test_what_nobody_waits_for_waits_for_no_decision(made, monkeypatch):
    """After a moment it is written by itself, and at the end at once."""
    monkeypatch.setattr(recorder, "SOON", 0.02)
    sink = ScriptedSink()
    one = made(sink)
    one.tell(Kind.OUTCOME, {"id": "x"})
    await until(lambda: sink.notes)
    monkeypatch.setattr(recorder, "SOON", 5)
    one.tell(Kind.OUTCOME, {"id": "y"})
    one.close()

    assert [members["id"] for _, members in sink.notes] == ["x", "y"]


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
    one.flush()

    ((kind, members),) = sink.notes
    assert (kind, members["count"]) == (Kind.UNRECORDED, 2)


async def test_the_end_waits_for_what_is_written(made):
    """A summary is not lost because it comes last."""
    sink = ScriptedSink(blocking=True)
    one = made(sink)
    for _ in range(int(UNSIGNED.burst) + 1):
        await one.write(a_record(1))

    one.close()

    assert [kind for kind, _ in sink.notes] == [Kind.SUMMARY]


async def test_the_end_writes_what_is_held_back(made):
    """Behind what the thread is busy with."""
    sink, heard = ScriptedSink(blocking=True), []
    one = made(sink)
    sink.go.clear()
    one.hold(Told(0, heard))
    await until(lambda: sink.threads)
    one.hold(Told(1, heard))
    threading.Timer(0.05, sink.go.set).start()

    one.close()

    assert [record.id for record in sink.records] == ["id-0", "id-1"]
    assert heard == [(0, ""), (1, "")]
