"""The audit file: nothing is lost, nothing is half written, nobody else writes."""

import json
import os
import resource
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from authz.audit.record import AuditRecord, Mode, line
from authz.audit.sink import Sink
from authz.errors import AuditUnavailableError, ConfigurationError
from authz.wire.raw import Door


def a_record(number: int = 0) -> AuditRecord:
    """Return a small record with an id of its own."""
    time = datetime(2026, 7, 1, tzinfo=UTC)
    return AuditRecord(f"id-{number}", time, Door.CLI, Mode.ENFORCE, True, None, None)  # noqa: FBT003  positions of a record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the audit file will be."""
    return tmp_path / "log" / "audit.jsonl"


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let files grow to this size only, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def ids(path: Path) -> list[str]:
    """Return the ids of the records in a file."""
    return [json.loads(text)["id"] for text in path.read_text().splitlines()]


@pytest.mark.parametrize("durability", ["write", "fsync"])
def test_records_are_there_when_append_returns(path: Path, durability: str):
    """No buffer stands between an answer and its record."""
    sink = Sink(path, durability)

    for number in range(3):
        sink.append(a_record(number))
        assert path.read_bytes().endswith(line(a_record(number)))

    assert ids(path) == ["id-0", "id-1", "id-2"]
    assert sink.torn is None
    sink.close()


def test_the_file_is_private(path: Path):
    """Records name people and what they do."""
    Sink(path).close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_old_file_is_made_private_and_continued(path: Path):
    """What was there stays, and others cannot read it any more."""
    path.parent.mkdir()
    path.write_bytes(line(a_record(1)))
    path.chmod(0o644)

    sink = Sink(path)
    sink.append(a_record(2))
    sink.close()

    assert ids(path) == ["id-1", "id-2"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("durability", "blocking"), [("write", False), ("fsync", True)])
def test_only_a_synced_file_blocks(path: Path, durability: str, *, blocking: bool):
    """An event loop may call append itself only where no disk is waited for."""
    sink = Sink(path, durability)

    assert sink.blocking is blocking
    sink.close()


@pytest.mark.parametrize("size", [1, 200_000])
def test_a_torn_last_line_is_cut_and_kept(path: Path, size: int):
    """After a crash the next record starts on a line of its own, and somebody hears of it."""
    path.parent.mkdir()
    path.write_bytes(line(a_record(1)) + b"x" * size)

    with capture_logs() as logs:
        sink = Sink(path)
    sink.append(a_record(2))
    sink.close()

    assert ids(path) == ["id-1", "id-2"]
    kept = path.with_name("audit.jsonl.torn")
    assert kept.read_bytes() == b"x" * size + b"\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert sink.torn is not None
    assert (sink.torn.size, sink.torn.kept) == (size, kept)
    assert [(log["event"], log["log_level"]) for log in logs] == [("audit.torn_line_cut", "error")]


def test_a_file_that_is_one_torn_line_is_emptied(path: Path):
    """There is no line before it."""
    path.parent.mkdir()
    path.write_bytes(b'{"id":')

    sink = Sink(path)
    sink.close()

    assert path.read_bytes() == b""


def test_a_line_that_does_not_fit_is_taken_back(path: Path):
    """A full disk leaves no half record, and the next one is whole."""
    sink = Sink(path)
    sink.append(a_record(1))

    with room_for(path.stat().st_size + 10):
        with pytest.raises(AuditUnavailableError, match=r"10 of \d+ bytes were written"):
            sink.append(a_record(2))
        with pytest.raises(AuditUnavailableError, match=r"10 of \d+ bytes were written"):
            sink.append(a_record(3))
    assert ids(path) == ["id-1"]
    with room_for(path.stat().st_size), pytest.raises(AuditUnavailableError, match="too large"):
        sink.append(a_record(4))

    sink.append(a_record(5))
    sink.close()
    assert ids(path) == ["id-1", "id-5"]


def test_a_line_that_could_not_be_taken_back_is_cut_later(path: Path):
    """Nothing is written behind a torn line, until it is gone."""
    sink = Sink(path)
    whole = os.dup(sink._descriptor)
    reading = os.open(path, os.O_RDONLY)
    os.dup2(reading, sink._descriptor)
    os.close(reading)

    with pytest.raises(AuditUnavailableError, match="Invalid argument"):
        sink.append(a_record(1))
    os.write(whole, b"torn")
    os.dup2(whole, sink._descriptor)
    os.close(whole)
    sink.append(a_record(2))
    sink.close()

    assert ids(path) == ["id-2"]


def test_a_removed_file_is_not_written_to(path: Path):
    """Records in a file without a name would be lost without a word."""
    sink = Sink(path)
    path.unlink()

    with pytest.raises(
        AuditUnavailableError, match="the file was removed; a restart makes it anew"
    ):
        sink.append(a_record())

    sink.close()


def test_a_closed_sink_takes_nothing(path: Path):
    """It must not write into whatever got the descriptor next."""
    sink = Sink(path)
    sink.close()
    sink.close()

    with pytest.raises(AuditUnavailableError, match="Bad file descriptor"):
        sink.append(a_record())


def test_one_process_writes_to_a_file(path: Path):
    """Two would cut off each other's records."""
    sink = Sink(path)

    with pytest.raises(ConfigurationError, match="another process is writing to it"):
        Sink(path)

    sink.close()
    Sink(path).close()


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("folder", "cannot be opened: Is a directory"),
        ("fifo", "is no regular file"),
        ("link", "cannot be opened: Too many levels of symbolic links"),
        ("below a file", "cannot be opened: Not a directory"),
    ],
)
def test_only_a_regular_file_will_do(tmp_path: Path, kind: str, problem: str):
    """Anything else could hang, lead elsewhere or forget."""
    path = tmp_path / "audit.jsonl"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.write_text("")
        path = path / "sub" / "audit.jsonl"

    with pytest.raises(ConfigurationError, match=problem):
        Sink(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_account_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its owner could rewrite what was recorded."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o777)
    Path("audit.jsonl").touch()
    Path("audit.jsonl").chmod(0o666)
    os.seteuid(12345)
    try:
        with pytest.raises(ConfigurationError, match="belongs to another account"):
            Sink("audit.jsonl")
    finally:
        os.seteuid(0)


def test_threads_take_turns(path: Path):
    """Records of several threads are whole lines."""
    sink = Sink(path)
    threads = [
        threading.Thread(target=lambda: [sink.append(a_record(n)) for n in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.close()

    assert sorted(ids(path)) == sorted(f"id-{n}" for n in range(50) for _ in range(4))


def test_a_dash_is_standard_output(capfd: pytest.CaptureFixture[str], tmp_path: Path):
    """A container's records go to whoever collects its output."""
    with (tmp_path / "out").open("w") as out, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        sink = Sink("-")
        sink.append(a_record(7))
        blocking = sink.blocking
        sink.close()

    assert blocking
    assert ids(tmp_path / "out") == ["id-7"]
    assert capfd.readouterr().out == ""


def test_standard_output_that_is_gone_is_an_error(tmp_path: Path):
    """A full device is told as any other failure is."""
    del tmp_path
    with Path("/dev/full").open("w") as out, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        sink = Sink("-")
        with pytest.raises(AuditUnavailableError, match="No space left on device"):
            sink.append(a_record(7))
