"""Following an audit over everything that happens to its files."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from authz.audit.rotation import Rotation, compress, to_compress
from authz.audit.sink import Custody, Sink
from authz.audit.trail import PATIENCE, Line, Trail
from tests.audit.logs import a_log, write
from tests.audit.test_sink import a_record

Follow = Callable[[Path, int], Trail]


@pytest.fixture
def follow():
    """Return a way to follow a log; every trail is closed at the end."""
    made: list[Trail] = []

    def begin(path: Path, seq: int) -> Trail:
        made.append(Trail(path, seq))
        return made[-1]

    yield begin
    for each in made:
        each.close()


def numbers(trail: Trail) -> list[int]:
    """Return the numbers of the lines that come now."""
    return [line.seq for line in trail.take()]


def test_lines_come_once_and_in_order(tmp_path: Path, follow: Follow):
    """At most so many at once; then nothing, until more is written."""
    log = a_log(5)
    path = write(tmp_path / "audit.jsonl", log.lines)
    trail = follow(path, 2)

    assert [line.text for line in trail.take(2)] == log.lines[2:4]
    assert numbers(trail) == [5]
    assert numbers(trail) == []
    with path.open("ab") as file:
        file.write(log.add())
    assert numbers(trail) == [6]
    trail.rewind(4)
    assert numbers(trail) == [5, 6]
    trail.close()


def test_half_a_line_is_waited_for(tmp_path: Path, follow: Follow):
    """A reader may see a line while it is being written."""
    log = a_log(2)
    path = write(tmp_path / "audit.jsonl", [log.lines[0], log.lines[1][:20]])
    trail = follow(path, 0)

    assert numbers(trail) == [1]
    with path.open("ab") as file:
        file.write(log.lines[1][20:])
    assert numbers(trail) == [2]


def test_it_goes_on_over_closed_files(tmp_path: Path, follow: Follow):
    """Those that were closed before, compressed or not, and those that are while it looks."""
    path = tmp_path / "audit.jsonl"
    sink = Sink(path, Custody(rotation=Rotation(size=1500)))
    for number in range(20):
        sink.append(a_record(number))
    compress(next(to_compress(path)))
    trail = follow(path, 3)
    first = numbers(trail)
    for number in range(20):
        sink.append(a_record(number))
    second = numbers(trail)
    path.rename(tmp_path / "audit.jsonl.1")
    sink.append(a_record(1))
    third = numbers(trail)
    count = sink.count
    sink.close()

    assert first[0] == 4
    assert [*first, *second, *third] == list(range(4, count + 1))


def test_what_is_written_just_before_a_file_is_closed_is_not_lost(tmp_path: Path, follow: Follow):
    """Between the look at its end and the look at its name."""
    log = a_log(4)
    path = write(tmp_path / "audit.jsonl", log.lines[:2])
    trail = follow(path, 0)
    assert numbers(trail) == [1, 2]
    with path.open("ab") as file:
        file.write(log.lines[2])
    path.rename(tmp_path / "audit.jsonl.0000000000000001")
    write(path, log.lines[3:])

    assert numbers(trail) == [3, 4]


def test_nothing_is_there_yet(tmp_path: Path, follow: Follow):
    """No folder, no file, no line: it asks again."""
    path = tmp_path / "log" / "audit.jsonl"
    trail = follow(path, 0)
    assert numbers(trail) == []
    path.parent.mkdir()
    path.touch()
    assert numbers(trail) == []
    write(path, a_log(1).lines)
    assert numbers(trail) == [1]
    path.unlink()
    assert numbers(trail) == []


def test_what_is_no_line_is_passed_over(tmp_path: Path, follow: Follow):
    """Whoever verifies tells of it; a broken file does not hold up those behind it."""
    log = a_log(3000)
    path = write(tmp_path / "audit.jsonl", [b"edited\n", *log.lines[2990:2995], b'{"seq":x\n'])
    packed = gzip.compress(b"".join(log.lines[:2990]))
    write(tmp_path / "audit.jsonl.0000000000000001.gz", [packed[: len(packed) // 2]])
    write(path, log.lines[2990:])
    trail = follow(path, 0)

    seen = [line.seq for _ in range(PATIENCE) for line in trail.take(5000)]

    assert (seen[0], seen[-1]) == (1, 3000)
    assert 1000 < len(seen) < 2990


@pytest.mark.parametrize("text", [b'{"seq":1,x\n', b"[]\n", b'{"seq":1,"a":"\xff"}\n'])
def test_what_only_looks_like_a_line_has_no_members(text: bytes):
    """Whoever passes lines on must not stumble over it."""
    assert Line(1, text).record() == {}
    assert Line(1, b'{"seq":1,"kind":"decision"}\n').record() == {"seq": 1, "kind": "decision"}


def test_a_file_that_was_cut_is_read_again(tmp_path: Path, follow: Follow):
    """Only what is new in it is told."""
    log = a_log(3)
    path = write(tmp_path / "audit.jsonl", log.lines)
    trail = follow(path, 0)
    assert numbers(trail) == [1, 2, 3]
    path.write_bytes(log.lines[0])
    assert numbers(trail) == []
    with path.open("ab") as file:
        file.write(b"nonsense\n" + log.add())

    assert numbers(trail) == [4]


def test_a_file_that_cannot_be_opened_is_tried_again(
    tmp_path: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch
):
    """It may have been compressed in between."""
    path = write(tmp_path / "audit.jsonl", a_log(1).lines)
    trail = follow(path, 0)
    real = Path.open
    calls = []

    def failing(self: Path, mode: str) -> object:
        calls.append(self)
        if len(calls) == 2:
            raise FileNotFoundError
        return real(self, mode)

    monkeypatch.setattr(Path, "open", failing)
    assert numbers(trail) == []
    assert numbers(trail) == [1]
