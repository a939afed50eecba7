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
from typing import Any

import pytest
from structlog.testing import capture_logs

from authz.audit.chain import Kind, Link
from authz.audit.ledger import Checkpoints
from authz.audit.record import AuditRecord, Mode
from authz.audit.rotation import Rotation
from authz.audit.sink import Custody, Durability, Sink
from authz.audit.verify import verify
from authz.errors import AuditUnavailableError, ConfigurationError
from authz.wire.raw import Door
from tests.records import line


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


def told(path: Path, kind: str) -> list[dict[str, Any]]:
    """Return the lines of one kind."""
    records = [json.loads(text) for text in path.read_text().splitlines()]
    return [record for record in records if record["kind"] == kind]


def ids(path: Path) -> list[str]:
    """Return the ids of the decisions in a file."""
    return [record["id"] for record in told(path, "decision")]


def problems(*paths: Path) -> list[str]:
    """Return what is wrong with a log."""
    return [each.message for each in verify(paths).problems]


def fresh(path: Path) -> Sink:
    """Return a sink whose notes of the start are written."""
    sink = Sink(path)
    sink.upkeep()
    return sink


@pytest.mark.parametrize("durability", ["write", "interval", "fsync"])
def test_records_are_there_when_append_returns(path: Path, durability: str):
    """No buffer stands between an answer and its record."""
    sink = Sink(path, Custody(Durability(durability)))

    for number in range(3):
        sink.append(a_record(number))
        sink.commit()
        assert path.read_bytes().endswith(line(a_record(number))[1:])

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
    first = Sink(path)
    first.append(a_record(1))
    first.close()
    path.chmod(0o644)

    sink = Sink(path)
    sink.append(a_record(2))
    sink.close()

    assert ids(path) == ["id-1", "id-2"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("durability", "blocking"), [("write", False), ("interval", False), ("fsync", True)]
)
def test_only_a_synced_file_blocks(path: Path, durability: str, *, blocking: bool):
    """An event loop may call append itself only where no disk is waited for."""
    sink = Sink(path, Custody(Durability(durability)))

    assert sink.blocking is blocking
    assert sink.quick  # a page cache is not waited for
    sink.close()


@pytest.mark.parametrize("size", [1, 200_000])
def test_a_torn_last_line_is_cut_and_kept(path: Path, size: int):
    """After a crash the next record starts on a line of its own, and somebody hears of it."""
    first = Sink(path)
    first.append(a_record(1))
    first.close()
    with path.open("ab") as file:
        file.write(b"x" * size)

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
    (_, started) = told(path, "started")
    assert (started["torn"]["bytes"], started["torn"]["kept"]) == (size, "audit.jsonl.torn")
    assert problems(path) == []


def test_a_file_that_is_one_torn_line_is_emptied(path: Path):
    """There is no line before it."""
    path.parent.mkdir()
    path.write_bytes(b'{"id":')

    sink = Sink(path)
    sink.close()

    assert [each["seq"] for each in told(path, "started")] == [1]
    assert problems(path) == []


def test_a_line_that_does_not_fit_is_taken_back(path: Path):
    """A full disk leaves no half record, and the next one is whole."""
    sink = Sink(path)
    sink.append(a_record(1))

    with room_for(path.stat().st_size + 10), capture_logs() as logs:
        with pytest.raises(AuditUnavailableError, match=r"10 of \d+ bytes were written"):
            sink.append(a_record(2))
        with pytest.raises(AuditUnavailableError, match=r"10 of \d+ bytes were written"):
            sink.append(a_record(3))
    assert ids(path) == ["id-1"]
    with room_for(path.stat().st_size), pytest.raises(AuditUnavailableError, match="too large"):
        sink.append(a_record(4))

    assert "File too large" in sink.problem
    sink.append(a_record(5))
    sink.close()
    assert ids(path) == ["id-1", "id-5"]
    (resumed,) = told(path, "resumed")
    assert (resumed["refused"], "File too large" in resumed["problem"]) == (3, True)
    assert (problems(path), sink.problem, logs) == ([], "", [])


def test_a_line_that_could_not_be_taken_back_is_cut_later(path: Path):
    """Nothing is written behind a torn line, until it is gone."""
    sink = fresh(path)
    descriptor = sink._file.descriptor
    whole = os.dup(descriptor)
    reading = os.open(path, os.O_RDONLY)
    os.dup2(reading, descriptor)
    os.close(reading)

    with pytest.raises(AuditUnavailableError, match="Invalid argument"):
        sink.append(a_record(1))
    os.write(whole, b"torn")
    os.dup2(whole, descriptor)
    os.close(whole)
    sink.append(a_record(2))
    sink.close()

    assert (ids(path), told(path, "changed"), problems(path)) == (["id-2"], [], [])


def test_a_removed_file_is_made_anew(path: Path):
    """The chain goes on in it, and shows that its beginning is missing."""
    sink = Sink(path)
    sink.append(a_record(1))
    path.unlink()

    with capture_logs() as logs:
        sink.append(a_record(2))
    sink.close()

    (continued,) = told(path, "continued")
    assert (ids(path), continued["cause"]) == (["id-2"], "moved or removed")
    assert problems(path) == ["the log begins here: sequence 1 to 2 are missing before it"]
    assert [log["event"] for log in logs] == ["audit.file_moved"]


def test_a_renamed_file_is_left_and_another_begun(path: Path):
    """As logrotate does it; both together are the whole."""
    sink = Sink(path)
    sink.append(a_record(1))
    moved = path.rename(path.with_name("audit.jsonl.1"))
    sink.upkeep()
    sink.append(a_record(2))
    sink.close()

    assert (ids(moved), ids(path), problems(moved, path)) == (["id-1"], ["id-2"], [])


def test_a_file_that_somebody_else_cut_is_continued(path: Path):
    """With a word about it; what is missing is found, and half a line stays alone."""
    sink = Sink(path)
    for number in range(3):
        sink.append(a_record(number))
    os.truncate(path, path.stat().st_size - 10)

    with capture_logs() as logs:
        sink.append(a_record(9))
    sink.close()

    report = verify([path])
    assert [log["event"] for log in logs] == ["audit.file_changed"]
    assert [each.message for each in report.problems] == ["is not JSON"]
    assert report.notes[0].message == "somebody else changed the file by -10 bytes"


def test_what_somebody_else_wrote_is_found(path: Path):
    """The chain goes on without it."""
    sink = Sink(path)
    sink.append(a_record(1))
    with path.open("a") as file:
        file.write('{"id":"forged","kind":"decision"}\n')
    sink.append(a_record(2))
    sink.close()

    assert problems(path) == ["carries no sequence number and digest: it was inserted"]


def test_a_closed_sink_takes_nothing(path: Path):
    """It must not write into whatever got the descriptor next."""
    sink = Sink(path)
    sink.close()
    sink.close()

    with pytest.raises(AuditUnavailableError, match="is closed"):
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
        blocking = sink.blocking and not sink.quick
        sink.close()

    assert blocking
    assert (ids(tmp_path / "out"), problems(tmp_path / "out")) == (["id-7"], [])
    assert capfd.readouterr().out == ""


def test_standard_output_that_is_gone_is_an_error(tmp_path: Path):
    """A full device is told as any other failure is."""
    del tmp_path
    with Path("/dev/full").open("w") as out, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        sink = Sink("-")
        with pytest.raises(AuditUnavailableError, match="No space left on device"):
            sink.append(a_record(7))


def test_standard_output_that_never_was_is_an_error(monkeypatch: pytest.MonkeyPatch):
    """Said before the first decision, not at it."""
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(ConfigurationError, match="audit -: standard output is closed"):
        Sink("-")


def test_a_reader_who_takes_half_a_line_gets_the_rest_first(tmp_path: Path):
    """Standard output that fails in the middle tells a refused decision, never half of one."""
    out = tmp_path / "out"
    with out.open("w") as stream, pytest.MonkeyPatch.context() as patch, capture_logs():
        patch.setattr(sys, "stdout", stream)
        sink = Sink("-")
        sink.append(a_record(1))
        with room_for(out.stat().st_size + 10):
            with pytest.raises(AuditUnavailableError, match="File too large"):
                sink.append(a_record(2))
            with pytest.raises(AuditUnavailableError, match="File too large"):
                sink.append(a_record(3))
        sink.append(a_record(4))
        sink.commit()
        sink.upkeep()
        sink.close()

    assert (ids(out), problems(out)) == (["id-1", "id-2", "id-4"], [])


def test_the_chain_goes_on_after_a_restart(path: Path):
    """Over as many starts as there are; each says so."""
    for number in range(3):
        sink = Sink(path)
        sink.append(a_record(number))
        sink.close()

    report = verify([path])
    assert (report.problems, report.notes) == ([], [])
    assert (report.kinds["started"], report.kinds["stopped"]) == (3, 3)


def test_a_full_file_is_closed_and_another_begun(path: Path):
    """The chain runs on across both, and the number of its first line names the closed one."""
    sink = Sink(path, Custody(rotation=Rotation(size=500)))
    for number in range(3):
        sink.append(a_record(number))
    sink.upkeep()
    sink.close()

    closed = sorted(path.parent.glob("audit.jsonl.*"))
    assert closed[0].name == "audit.jsonl.0000000000000001"
    assert [each for one in (*closed, path) for each in ids(one)] == ["id-0", "id-1", "id-2"]
    assert problems(*closed, path) == []
    assert told(path, "continued")[0]["named"] == closed[-1].name


def test_an_old_file_is_closed_by_its_age(path: Path):
    """The age counts from the first line, over restarts."""
    Sink(path).close()
    first = json.loads(path.read_text().splitlines()[0])
    old = first["time"].replace("20", "19", 1)
    path.write_text(path.read_text().replace(first["time"], old, 1))

    sink = Sink(path, Custody(rotation=Rotation(age=3600)))
    sink.upkeep()
    sink.close()

    assert path.with_name("audit.jsonl.0000000000000001").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file immutable by a mount")
def test_a_file_that_cannot_be_closed_is_gone_on_with(path: Path, monkeypatch: pytest.MonkeyPatch):
    """A further file that cannot be made costs a word in the log, and no record."""
    fresh(path).close()
    sink = Sink(path, Custody(rotation=Rotation(size=10)))

    def failing(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("authz.audit.sink.LineFile", failing)
    with capture_logs() as logs:
        sink.append(a_record(1))
        sink.append(a_record(2))
    sink.close()

    assert [log["event"] for log in logs] == ["audit.rotation_failed"]
    assert (ids(path), problems(path)) == (["id-1", "id-2"], [])
    assert list(path.parent.iterdir()) == [path]


def test_work_resumes_by_itself(path: Path):
    """Also where nobody asks: upkeep tries again, and says since when it did not work."""
    sink = fresh(path)
    with room_for(path.stat().st_size):
        with pytest.raises(AuditUnavailableError):
            sink.append(a_record(1))
        sink.upkeep()
        assert "File too large" in sink.problem
    sink.upkeep()
    problem = sink.problem
    sink.close()

    assert problem == ""
    assert told(path, "resumed")[0]["refused"] == 1


def test_an_end_that_cannot_be_written_is_no_error(path: Path):
    """The chain lacks its last words, and nothing else."""
    sink = fresh(path)
    with room_for(path.stat().st_size):
        sink.close()

    assert (told(path, "stopped"), problems(path)) == ([], [])
    sink.upkeep()
    sink.sync()


@pytest.mark.parametrize("durability", ["interval", "fsync"])
def test_a_disk_that_does_not_sync_is_told(path: Path, durability: str, monkeypatch):
    """Decisions are refused until it does again."""
    sink = Sink(path, Custody(Durability(durability)))
    sink.append(a_record(1))

    def failing(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr("authz.audit.sink.os.fsync", failing)
        sink.upkeep()
        if durability == "fsync":
            with pytest.raises(AuditUnavailableError, match="cannot be synced: Input/output"):
                sink.commit()
        else:
            with pytest.raises(AuditUnavailableError, match="cannot be synced: Input/output"):
                sink.append(a_record(2))
        problem = sink.problem
    sink.upkeep()
    sink.append(a_record(3))
    sink.commit()
    sink.close()

    assert "cannot be synced" in problem
    assert [log["event"] for log in logs] == ["audit.sync_failed"] * (durability == "interval")
    assert (ids(path), problems(path)) == (["id-1", "id-3"], [])


def test_checkpoints_come_by_number_and_time(path: Path):
    """So many lines, or seconds with a new line, are behind the last one at most."""
    copies: list[bytes] = []
    by_number = Checkpoints(lines=10, copy=copies.append)
    sink = Sink(path, Custody(checkpoints=by_number))
    for number in range(25):
        sink.append(a_record(number))
    sink.close()
    again = Sink(path, Custody(checkpoints=Checkpoints(seconds=0)))
    again.upkeep()
    again.upkeep()
    again.close()

    marks = told(path, "checkpoint")
    assert [mark["count"] for mark in marks] == [10, 22, 29, 31, 33]
    assert [json.loads(copy)["seq"] for copy in copies] == [11, 23, 30]
    assert problems(path) == []


def test_what_is_told_besides_decisions_is_in_the_chain(path: Path):
    """With its kind and time."""
    sink = Sink(path)
    sink.note((Kind.OUTCOME, {"id": "id-1", "status": 201}))
    sink.retire(["audit.jsonl.1"], 7)
    count, first = sink.count, sink.first
    sink.close()

    (outcome,) = told(path, "outcome")
    assert (outcome["id"], outcome["status"], outcome["seq"]) == ("id-1", 201, 2)
    assert told(path, "retired")[0]["through"] == 7
    assert (count, first) == (3, 1)


def test_what_is_older_than_a_record_shares_its_write(path: Path, monkeypatch: pytest.MonkeyPatch):
    """It stands before it, with the time that it brings."""
    sink = Sink(path)
    real, pieces = os.write, []
    monkeypatch.setattr(
        "authz.audit.line_file.os.write",
        lambda fd, text: (pieces.append(text.count(b"\n")), real(fd, text))[1],
    )
    sink.append(a_record(1), before=[(Kind.OUTCOME, {"time": "12:00", "id": "id-0"})])
    sink.close()

    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [line["kind"] for line in lines[:3]] == ["started", "outcome", "decision"]
    assert (lines[1]["time"], lines[1]["id"], pieces[0]) == ("12:00", "id-0", 3)
    assert problems(path) == []


def test_a_folder_that_cannot_be_read_is_told(path: Path, monkeypatch: pytest.MonkeyPatch):
    """A chain whose end is not known cannot be continued."""

    def failing(_file: object) -> Link:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("authz.audit.sink.resume", failing)
    with pytest.raises(ConfigurationError, match="cannot be read: Input/output error"):
        Sink(path)


def test_a_disk_that_has_it_all_is_left_in_peace(path: Path, monkeypatch: pytest.MonkeyPatch):
    """An idle service does not keep a disk awake; a file's name is brought there once."""
    sink = Sink(path, Custody(Durability.INTERVAL))
    synced = []

    def watch(name: str) -> None:
        real = getattr(os, name)
        monkeypatch.setattr(
            f"authz.audit.sink.os.{name}", lambda fd: (synced.append(name), real(fd))
        )

    watch("fsync")
    watch("fdatasync")
    sink.append(a_record(1))
    sink.upkeep()
    sink.upkeep()
    idle = len(synced)
    sink.append(a_record(2))
    sink.upkeep()
    path.rename(path.with_name("elsewhere"))
    sink.upkeep()
    sink.close()

    assert idle == 1
    assert synced == ["fsync", "fdatasync", "fsync", "fsync", "fdatasync"]


def test_several_records_are_written_in_one_piece(path: Path, monkeypatch: pytest.MonkeyPatch):
    """With one look at the file for all of them."""
    sink = Sink(path)
    sink.append(a_record(0))
    sizes = []
    real = os.write
    monkeypatch.setattr(
        "authz.audit.line_file.os.write",
        lambda fd, text: (sizes.append(text.count(b"\n")), real(fd, text))[1],
    )
    sink.append(*(a_record(number) for number in range(1, 6)))
    sink.close()

    assert sizes == [5, 2]
    assert (ids(path), problems(path)) == ([f"id-{number}" for number in range(6)], [])


def test_of_records_that_do_not_fit_none_is_left(path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whoever waits for one of them is refused, and so the file tells of none."""
    sink = Sink(path)
    sink.append(a_record(0))
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(
            "authz.audit.line_file.os.write", lambda fd, text: real(fd, text[: len(text) * 2 // 3])
        )
        with pytest.raises(AuditUnavailableError, match="no space left"):
            sink.append(*(a_record(number) for number in range(1, 4)))
    sink.append(a_record(4))
    sink.close()

    assert (ids(path), problems(path)) == (["id-0", "id-4"], [])
    assert told(path, "resumed")[0]["refused"] == 3
