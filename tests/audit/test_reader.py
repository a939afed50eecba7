"""Reading an audit file back."""

import gzip
import os
from pathlib import Path
from threading import Thread

import pytest

from authz.audit import reader
from authz.audit.reader import LONGEST_LINE, Entry, read, whole
from authz.errors import ConfigurationError
from tests.audit.logs import Log, a_log, write


def test_every_line_is_told_with_what_is_wrong(tmp_path: Path):
    """One bad line does not hide the others."""
    path = tmp_path / "audit.jsonl"
    path.write_bytes(
        b'{"id":"a"}\n\x00\xff\n[1]\n{"id":1}\n' + b"[" * 100_000 + b'\n{"id":"b"}\n{"id":"c"}'
    )

    entries = list(read(path))

    assert entries == [
        Entry(1, {"id": "a"}),
        Entry(2, {}, "is not JSON"),
        Entry(3, {}, "is JSON but no record"),
        Entry(4, {}, "is JSON but no record"),
        Entry(5, {}, "is not JSON"),
        Entry(6, {"id": "b"}),
        Entry(7, {}, "is torn: the line has no end"),
    ]


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    """With its path and the system's reason."""
    with pytest.raises(ConfigurationError, match=r"none: cannot be read: No such file"):
        list(read(tmp_path / "none"))


def test_a_line_without_end_does_not_fill_memory(tmp_path: Path):
    """It is told to be too long, and those behind it are read."""
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"x" * (2 * LONGEST_LINE + 7) + b'\n{"id":"b"}\n' + b"y" * (LONGEST_LINE + 9))

    entries = list(read(path))

    assert [entry.problem or entry.record["id"] for entry in entries] == [
        f"is longer than {LONGEST_LINE} bytes",
        "b",
        f"is longer than {LONGEST_LINE} bytes",
    ]


def test_closed_and_compressed_files_are_read_as_one(tmp_path: Path):
    """In the order of their lines, whatever they are called."""
    log = a_log(6)
    path = write(tmp_path / "audit.jsonl", log.lines[5:])
    write(tmp_path / "audit.jsonl.1", log.lines[4:5])
    write(tmp_path / "audit.jsonl.0000000000000001.gz", [gzip.compress(b"".join(log.lines[:2]))])
    write(tmp_path / "audit.jsonl.0000000000000003", log.lines[2:4])
    write(tmp_path / "audit.jsonl.torn", [b"{"])

    files = whole([path])

    assert [entry.record["seq"] for entry in read(files)] == [1, 2, 3, 4, 5, 6]
    assert whole([files[0]]) == [files[0]]
    path.unlink()
    assert whole([path]) == files[:-1]


def test_records_of_before_there_was_a_chain_are_decisions(tmp_path: Path):
    """What is no record is of no kind."""
    log = Log()
    log.add("started")
    log.add()
    path = write(tmp_path / "audit.jsonl", [*log.lines, b'{"id":"old"}\n', b"nonsense\n"])

    kinds = [entry.kind for entry in read(path)]

    assert kinds == ["started", "decision", "decision", ""]


def test_a_compressed_file_that_is_broken_is_told(tmp_path: Path):
    """Up to where it can be read it is."""
    packed = gzip.compress(b"".join(a_log(3000).lines))
    path = write(tmp_path / "audit.jsonl.gz", [packed[: len(packed) // 2]])

    entries = list(read(path))

    assert len(entries) > 10
    assert entries[-1].problem == "cannot be read: the compressed file is damaged"


@pytest.mark.parametrize("content", [b"\x1f\x8bno gzip at all", b"BZhno bzip2"])
def test_a_file_that_only_begins_as_a_compressed_one_is_told(content: bytes, tmp_path: Path):
    """There is nothing to read in it."""
    path = write(tmp_path / "audit.jsonl.gz", [content])

    with pytest.raises(ConfigurationError, match="cannot be read: is not a whole compressed file"):
        list(read(path))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path):
    """As a file that is not there."""
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        whole([tmp_path / "none" / "audit.jsonl"])


def test_a_file_that_is_closed_while_others_are_listed_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The list is made anew; the file that is written to is held while the others are read."""
    log = a_log(6)
    path = write(tmp_path / "audit.jsonl", log.lines[:3])
    real = reader.family
    calls = []

    def closing(found: Path) -> list[Path]:
        listed = real(found)
        calls.append(listed)
        if len(calls) == 1:
            path.rename(tmp_path / "audit.jsonl.0000000000000001")
            write(path, log.lines[3:5])
        return listed

    monkeypatch.setattr(reader, "family", closing)
    entries = read(whole([path]))
    seen = [next(entries).record["seq"]]
    path.rename(tmp_path / "audit.jsonl.0000000000000004")
    write(path, log.lines[5:])
    seen += [entry.record["seq"] for entry in entries]

    assert seen == [1, 2, 3, 4, 5]
    assert list(read([])) == []


def test_files_that_change_all_the_time_are_listed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As well as it can be."""
    path = write(tmp_path / "audit.jsonl", a_log(1).lines)
    places = iter(range(100))
    monkeypatch.setattr(reader, "_place", lambda _: next(places))

    assert whole([path]) == [path]


def test_a_pipe_is_read_once(tmp_path: Path):
    """As from a shell that unpacks a log: no line is lost to a look at the first."""
    log = a_log(3)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(b"".join(log.lines),))
    writer.start()

    entries = list(read(whole([pipe])))

    writer.join()
    assert [entry.text for entry in entries] == log.lines
