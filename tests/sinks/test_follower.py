"""A follower loses nothing, whatever the other side does."""

import json
import time
from pathlib import Path

from structlog.testing import capture_logs

from authz.audit.sink import Sink
from authz.audit.trail import Line
from authz.sinks.follower import BATCH, Follower, read_through
from tests.audit.logs import a_log, write
from tests.audit.test_sink import a_record


class Scripted:
    """Takes lines, unless it was told not to."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.broken = False
        self.acknowledges = True
        self.closed = 0

    def send(self, lines: list[Line]) -> None:
        """Take lines; a connection that breaks takes some of them."""
        if self.broken:
            self.seen += [line.seq for line in lines[:1]]
            raise ConnectionResetError(104, "Connection reset by peer")
        self.seen += [line.seq for line in lines]

    def settled(self) -> bool:
        """Say whether all arrived."""
        return self.acknowledges

    def close(self) -> None:
        """Count."""
        self.closed += 1


def a_follower(folder: Path, count: int) -> tuple[Follower, Scripted]:
    """Return a follower of a log of so many lines."""
    path = folder / "audit.jsonl"
    if not path.exists():
        write(path, a_log(count).lines)
    to = Scripted()
    return Follower("test", path, folder / "position", to), to


def test_lines_are_sent_once_and_the_position_is_kept(tmp_path: Path):
    """A start later goes on behind them."""
    first, to = a_follower(tmp_path, BATCH + 5)
    more = [first.step(), first.step(), first.step()]
    second, again = a_follower(tmp_path, 0)
    second.step()

    assert more == [True, False, False]
    assert to.seen == list(range(1, BATCH + 6))
    assert again.seen == []
    assert json.loads((tmp_path / "position").read_bytes()) == {"seq": BATCH + 5}
    assert (tmp_path / "position").stat().st_mode & 0o777 == 0o600
    first._trail.close()
    second._trail.close()


def test_what_was_not_taken_is_sent_again(tmp_path: Path):
    """After a broken connection from the last line that is certain, with a word in the log."""
    follower, to = a_follower(tmp_path, 3)
    to.broken = True
    with capture_logs() as logs:
        follower.step()
        follower.step()
        problem = follower.problem
        to.broken = False
        follower.step()
    follower._trail.close()

    assert to.seen == [1, 1, 1, 2, 3]
    assert to.closed == 2
    assert [log["event"] for log in logs] == ["audit.forwarding_failed", "audit.forwarding_resumed"]
    assert follower.sent_through == 3
    assert (problem != "", follower.problem) == (True, "")


def test_what_is_not_acknowledged_does_not_count(tmp_path: Path):
    """The position stays until the other side has it."""
    follower, to = a_follower(tmp_path, 3)
    to.acknowledges = False
    follower.step()
    before = follower.sent_through
    to.acknowledges = True
    follower.step()
    follower._trail.close()

    assert (before, follower.sent_through, to.seen) == (0, 3, [1, 2, 3])
    assert read_through([follower])() == 3
    assert read_through([])() is None


def test_a_position_that_cannot_be_read_sends_all(tmp_path: Path):
    """Twice is better than never."""
    (tmp_path / "position").write_text("nonsense")
    follower, to = a_follower(tmp_path, 2)
    follower.step()
    follower._trail.close()

    assert to.seen == [1, 2]


def test_it_follows_by_itself(tmp_path: Path):
    """In a thread, up to the last word; a chain that began anew is sent anew."""
    (tmp_path / "position").write_text('{"seq": 99}')
    sink = Sink(tmp_path / "audit.jsonl")
    to = Scripted()
    follower = Follower("test", tmp_path / "audit.jsonl", tmp_path / "position", to)
    follower.start(sink.count)
    sink.append(a_record(1))
    ended = time.monotonic() + 10
    while not to.seen:
        assert time.monotonic() < ended
        time.sleep(0.01)
    sink.close()
    follower.stop()

    assert to.seen == [1, 2, 3, 4]
    assert to.closed == 1


def test_one_that_was_never_started_stops(tmp_path: Path):
    """A service may fail before."""
    follower, to = a_follower(tmp_path, 1)

    follower.stop()

    assert to.seen == []
